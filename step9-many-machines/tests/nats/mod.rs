//! A real NATS server for each test, on a free port, with a folder of its own,
//! and the servers and worker processes that use it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::{self, JoinHandle},
};

use harness::{Server, missing, wait_for, workspace};

/// A NATS server, which is stopped when it is dropped.
pub struct Nats {
    program: PathBuf,
    child: Option<Child>,
    pub port: u16,
    folder: PathBuf,
    flags: Vec<String>,
}

/// A worker process, which is stopped when it is dropped, and what it writes to
/// standard error. A thread keeps reading that: a full pipe would block it.
pub struct Worker(Child, Option<JoinHandle<String>>);

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

/// The step's program: cargo has built it for a test, and for an example not.
fn program() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_step9-many-machines");
    built.map_or_else(
        || harness::program("step9-many-machines", None).unwrap(),
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
        let flags = flags.iter().map(|it| it.to_string()).collect();
        let (program, port) = (program(), free_port());
        let mut nats = Self { program, child: None, port, folder, flags };
        nats.restart();
        nats
    }

    /// Kills it, as a loss of power would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again, and returns when it accepts connections.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.join("log")).unwrap();
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        command.arg("-sd").arg(&self.folder).args(&self.flags);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap());
        self.child = Some(command.stderr(log).spawn().unwrap());
        let port = self.port;
        wait_for("the NATS server listens", || {
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream.is_ok_and(|mut it| it.read(&mut [0]).is_ok_and(|n| n == 1))
        });
    }

    /// Its process, while it runs.
    pub fn id(&self) -> u32 {
        self.child.as_ref().map(Child::id).unwrap()
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
        let mut command = harness::command(&self.program);
        command.env("NATS_URL", self.url());
        command
    }

    /// A worker process with one thread.
    pub fn worker(&self) -> Worker {
        Worker::start(self.command().env("THREADS", "1"))
    }

    pub fn workers(&self) -> [Worker; 2] {
        [self.worker(), self.worker()]
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl Worker {
    /// Returns when it works.
    pub fn start(command: &mut Command) -> Self {
        command.arg("work").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let worker = Self(child, Some(stderr));
        let name = format!(" working as process {} (", worker.id());
        assert!(line.contains(&name), "{line}");
        worker
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills it; returns what it wrote to standard error.
    pub fn kill(mut self) -> String {
        self.0.kill().unwrap();
        self.wait()
    }

    /// Waits for its end; returns what it wrote to standard error.
    pub fn wait(mut self) -> String {
        self.0.wait().unwrap();
        self.1.take().unwrap().join().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
