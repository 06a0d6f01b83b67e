//! A real NATS server for each test, on a free port, with a folder of its own,
//! and the servers and worker processes that use it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use harness::{Server, missing, wait_for, workspace};

/// A NATS server, which is stopped when it is dropped.
pub struct Nats {
    run: Command,
    child: Child,
    pub port: u16,
    folder: PathBuf,
}

/// A NATS server, or nothing when `nats-server` isn't there: then the test is
/// skipped, unless `REQUIRE_NATS=1` says that it must not be.
pub fn nats(flags: &[&str]) -> Option<Nats> {
    let there = Command::new("nats-server").arg("--version").output();
    if there.is_err() {
        missing(
            "REQUIRE_NATS",
            "step 9's broker isn't tested: there is no nats-server here; \
             install it (see README.md)",
        );
        return None;
    }
    Some(Nats::start(flags))
}

/// The step's program: cargo has built it for a test, but not for an example.
fn program() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_step9-many-machines");
    built.map_or_else(
        || harness::program("step9-many-machines").unwrap(),
        PathBuf::from,
    )
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Nats {
    pub fn start(flags: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("nats-{}-{number}", std::process::id());
        let folder = workspace().join("target/tmp").join(name);
        fs::create_dir_all(&folder).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let port = free_port();
        let mut run = Command::new("nats-server");
        run.args(["-a", "127.0.0.1", "-p", &port.to_string()]).args(flags);
        run.arg("-sd").arg(&folder).stdin(Stdio::null());
        run.stdout(log.try_clone().unwrap()).stderr(log);
        let child = run.spawn().unwrap();
        let nats = Self { run, child, port, folder };
        nats.wait_for_reply();
        nats
    }

    /// Kills it, as a loss of power would.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Starts it again.
    pub fn restart(&mut self) {
        self.kill();
        self.child = self.run.spawn().unwrap();
        self.wait_for_reply();
    }

    /// Even if only with an error.
    fn wait_for_reply(&self) {
        wait_for("a reply from the NATS server", || {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port))
            else {
                return false;
            };
            let asks = "CONNECT {\"headers\":true,\"no_responders\":true}\r\n\
                        SUB x 1\r\nPUB $JS.API.INFO x 0\r\n\r\n";
            stream.write_all(asks.as_bytes()).ok();
            let lines = BufReader::new(stream).lines();
            let mut lines = lines.map_while(Result::ok);
            lines.any(|line| line.contains("MSG x ") || line.contains("-ERR"))
        });
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A server that divides `/blocking` into so many shares.
    pub fn server(&self, iterations: &str, shares: &str) -> Server {
        let mut command = self.command();
        command.env("ITERATIONS", iterations).env("THREADS", shares);
        Server::start(&mut command).unwrap()
    }

    pub fn command(&self) -> Command {
        let mut command = harness::command(program());
        command.env("NATS_URL", self.url());
        command
    }

    /// A worker process with one thread.
    pub fn worker(&self) -> Server {
        worker(self.command().env("THREADS", "1"))
    }

    pub fn workers(&self) -> [Server; 2] {
        [self.worker(), self.worker()]
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A worker process.
pub fn worker(command: &mut Command) -> Server {
    let worker = Server::start(command.arg("work")).unwrap();
    let name = format!(" working as process {} (", worker.id());
    assert!(worker.line().contains(&name), "{}", worker.line());
    worker
}
