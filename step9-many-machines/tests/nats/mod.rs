//! A real engine for each test, on a free port, with a folder of its own, and
//! the servers and workers that use it.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use harness::{Server, skipped, workspace};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// An engine, which is stopped when it is dropped.
pub struct Nats {
    program: PathBuf,
    child: Option<Child>,
    pub port: u16,
    pub folder: PathBuf,
    flags: Vec<String>,
}

/// A worker, which is stopped when it is dropped.
pub struct Worker(Child);

/// The engine, or nothing when `nats-server` isn't there: then the test is
/// skipped, unless `REQUIRE_NATS=1` says that it must not be.
pub fn nats(flags: &[&str]) -> Option<Nats> {
    let there = Command::new("nats-server").arg("--version").output();
    if there.is_err() {
        let required = env::var("REQUIRE_NATS").is_ok_and(|it| it == "1");
        assert!(!required, "nats-server isn't there, but REQUIRE_NATS=1");
        skipped(
            "the engine isn't tested: there is no nats-server here; install \
             it (see README.md)",
        );
        return None;
    }
    Some(Nats::start(free_port(), flags))
}

/// The step's program: cargo has built it for a test, and for an example not.
fn program() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_step9-many-machines");
    built.map_or_else(
        || harness::program(env!("CARGO_PKG_NAME"), None).unwrap(),
        PathBuf::from,
    )
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits for something that comes if all is well.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Nats {
    pub fn start(port: u16, flags: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let name = format!("nats-{}-{number}", std::process::id());
        let folder = workspace().join("target/tmp").join(name);
        fs::create_dir_all(&folder).unwrap();
        let flags = flags.iter().map(|it| it.to_string()).collect();
        let program = program();
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

    /// Starts it on what it had written, and returns when it lets others in.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.join("log")).unwrap();
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        command.arg("-sd").arg(&self.folder).args(&self.flags);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap());
        self.child = Some(command.stderr(log).spawn().unwrap());
        let port = self.port;
        wait_for("the engine listens", || {
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream.is_ok_and(|mut it| it.read(&mut [0]).is_ok_and(|n| n == 1))
        });
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// A server that shares `/blocking` out in so many shares.
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

    pub fn worker(&self) -> Worker {
        Worker::start(&mut self.command())
    }

    pub fn workers(&self) -> [Worker; 2] {
        [self.worker(), self.worker()]
    }

    /// Does something with the engine itself.
    pub fn with<T>(
        &self,
        act: impl AsyncFnOnce(async_nats::jetstream::Context) -> T,
    ) -> T {
        actix_web::rt::System::new().block_on(async {
            let client = async_nats::connect(self.url()).await.unwrap();
            act(async_nats::jetstream::new(client)).await
        })
    }

    /// How many shares are in the queue.
    pub fn queued(&self) -> u64 {
        self.with(async |context| {
            let queue = context.get_stream("SHARES").await.unwrap();
            queue.cached_info().state.messages
        })
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
        let worker = Self(child);
        assert!(line.contains(&worker.name()), "{line}");
        worker
    }

    /// What it is called in `/pool` and `/progress`, but for its machine.
    pub fn name(&self) -> String {
        format!("process {} on ", self.0.id())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it; returns what it has said on standard error.
    pub fn kill(mut self) -> String {
        self.0.kill().unwrap();
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
