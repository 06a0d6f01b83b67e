//! Starts a step's real binary on a free port, talks to it, stops it.
//!
//! ```no_run
//! let server = harness::Server::start(&mut harness::command("target/debug/x"))?;
//! let response = server.open("/non-blocking").wait();
//! assert!(response.ends_with("This page is non-blocking."));
//! # Ok::<(), harness::StartError>(())
//! ```

#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "client")]
mod client;
#[cfg(target_os = "linux")]
mod connection;
mod events;
mod machine;
mod workspace;

use std::{
    env, fmt,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

#[cfg(feature = "browser")]
pub use browser::Browser;
#[cfg(feature = "client")]
pub use client::wait_for_pool;
pub use events::{events, measurements, running, wait_for_event};
pub use machine::{cpu, os};
pub use workspace::{
    Group, PROFILE, STEPS, build, has_node, program, programs, workspace,
};

/// Prints what isn't tested here, and why, once per program.
pub fn skipped(text: &'static str) {
    static PRINTED: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let mut printed = locked(&PRINTED);
    if !printed.contains(&text) {
        printed.push(text);
        let line = format!("SKIPPED, {text}\n");
        // Not eprintln!, whose output is hidden when a test passes.
        io::stderr().write_all(line.as_bytes()).ok();
    }
}

/// Like [`skipped`], for a program that isn't installed here.
///
/// # Panics
/// When the environment variable that requires it is `1`.
pub fn missing(required: &str, text: &'static str) {
    let is_required = env::var_os(required).is_some_and(|it| it == "1");
    assert!(!is_required, "{required}=1, but {text}");
    skipped(text);
}

/// How long anything may take before it counts as hanging. Never reached when
/// everything works, even on a machine that is busy with ten other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// The environment variables that steps read.
const VARIABLES: [&str; 8] = [
    "PORT",
    "ITERATIONS",
    "THREADS",
    "QUEUE",
    "TIMEOUT",
    "SHUTDOWN_TIMEOUT",
    "BODY_TIMEOUT",
    "NATS_URL",
];

/// A command that runs `program` on a free port and otherwise with its
/// defaults, whatever the caller's environment contains.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    // A panic prints one line on standard error, wherever it happens.
    command.env_remove("RUST_BACKTRACE").env("PORT", "0");
    command
}

/// Why a server didn't start. Each variant names the program.
#[derive(thiserror::Error)]
pub enum StartError {
    /// It can't be run, or runs but doesn't print where it listens.
    #[error("{0}")]
    Other(String),
    /// It ended before it listened.
    #[error("{program} ended before it listened: {status}\n{stderr}")]
    Ended {
        /// The path of the program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// Its standard error.
        stderr: String,
    },
}

// Tests unwrap it, so they show this message.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a server ended, and everything it wrote.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A running server. It is killed when this value is dropped, so a test that
/// panics leaves nothing behind.
#[derive(Debug)]
pub struct Server {
    child: Child,
    stdout: Output,
    stderr: Output,
    line: String,
}

impl Server {
    /// Runs the command and waits for the line that says where it listens.
    ///
    /// # Errors
    /// When it can't be run, ends, or doesn't print that line within a minute.
    pub fn start(command: &mut Command) -> Result<Self, StartError> {
        Self::start_while(command, || true)
    }

    /// Like [`Server::start`], but gives up and kills the program as soon as it
    /// isn't wanted any more.
    ///
    /// # Errors
    /// Those of [`Server::start`], and when it isn't wanted any more.
    pub fn start_while(
        command: &mut Command,
        wanted: impl Fn() -> bool,
    ) -> Result<Self, StartError> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            StartError::Other(format!("can't run {program}: {error}"))
        })?;
        let mut server = Self {
            stdout: Output::collect(child.stdout.take()),
            stderr: Output::collect(child.stderr.take()),
            child,
            line: String::new(),
        };
        wait_until(PATIENCE, || {
            let line = server.stdout.so_far().lines().next().map(str::to_owned);
            server.line = line.unwrap_or_default();
            let is_closed = server.stdout.reader.is_finished();
            !server.line.is_empty()
                || is_closed && server.has_ended()
                || !wanted()
        });
        if url_in(&server.line).is_some() {
            return Ok(server);
        }
        let has_ended = server.has_ended();
        let line = server.line.clone();
        let Ended { status, stderr, .. } = server.kill();
        if line.is_empty() && has_ended {
            return Err(StartError::Ended { program, status, stderr });
        }
        Err(StartError::Other(format!(
            "{program} doesn't print where it listens; its first line is \
             \"{line}\"\n{stderr}"
        )))
    }

    /// The line that it printed when it began to listen.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Where it listens, for instance `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        url_in(&self.line).unwrap_or_default()
    }

    /// Its standard error so far.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.so_far().clone()
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a GET on its own connection, and doesn't wait.
    ///
    /// # Panics
    /// When the server can't be reached.
    pub fn open(&self, path: &str) -> Pending {
        let host = self.address();
        self.write(format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Sends a GET as [`Server::open`] does and waits until the server has read
    /// it, so that it comes before everything sent later. A frozen server
    /// doesn't read: use [`Server::open`] there.
    ///
    /// # Panics
    /// When the server can't be reached, or hasn't read it within a minute.
    pub fn send(&self, path: &str) -> Pending {
        let pending = self.open(path);
        #[cfg(target_os = "linux")]
        wait_for(&format!("{path} is read"), || {
            connection::is_read(&pending).expect("Linux tells it")
        });
        // Other systems don't report that, so give it time.
        #[cfg(not(target_os = "linux"))]
        thread::sleep(Duration::from_millis(100));
        pending
    }

    /// Writes any text on its own connection.
    ///
    /// # Panics
    /// When the server can't be reached.
    pub fn write(&self, text: impl AsRef<[u8]>) -> Pending {
        let stream = TcpStream::connect(self.address());
        let pending = stream.and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(text.as_ref())?;
            Ok(Pending { stream })
        });
        pending.unwrap_or_else(|error| panic!("{}: {error}", self.url()))
    }

    /// Where it listens, without the scheme: host and port.
    pub fn address(&self) -> &str {
        self.url().trim_start_matches("http://")
    }

    /// Asks it to end, with SIGTERM.
    #[cfg(unix)]
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Asks it to end, as Ctrl-C does, with SIGINT.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    /// Suspends all its threads for that long.
    #[cfg(unix)]
    pub fn pause(&self, time: Duration) {
        self.signal(rustix::process::Signal::STOP);
        thread::sleep(time);
        self.signal(rustix::process::Signal::CONT);
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal)
            .expect("the server is a child of this process");
    }

    /// Whether it has ended, by itself or by a signal.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Limits by how many bytes its memory may grow from now on; `None` removes
    /// the limit. A thread needs two megabytes for its stack.
    #[cfg(target_os = "linux")]
    pub fn limit_memory(&self, more: Option<u64>) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};

        let limit = more.map(|more| more + 1024 * self.status("VmSize:"));
        let new = Rlimit { current: limit, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::As, new)
            .expect("a limit can be lowered");
    }

    /// How many threads its process has. Only Linux tells.
    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// A number from `/proc/PID/status`; memory is in kibibytes.
    /// Only Linux has it.
    pub fn status(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(field));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or_else(|| panic!("no {field} in {status}"))
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it hasn't ended within a minute.
    pub fn wait(mut self) -> Ended {
        wait_for("the server ends", || self.has_ended());
        self.kill()
    }

    /// Has the system stop it, and doesn't wait until it has ended.
    pub fn kill_soon(&mut self) {
        // It fails if the process has already ended, which is fine.
        self.child.kill().ok();
    }

    /// Stops it at once.
    pub fn kill(mut self) -> Ended {
        self.kill_soon();
        Ended {
            status: self.child.wait().expect("a child can be waited for"),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill_soon();
        self.child.wait().ok();
    }
}

/// A request that was sent and may not be answered yet. Dropping it closes its
/// connection, as a client does when it leaves.
#[derive(Debug)]
pub struct Pending {
    stream: TcpStream,
}

impl Pending {
    /// Whether the response, or its beginning, has arrived. This shows in which
    /// order a server responds: the first response sent arrives first.
    ///
    /// # Panics
    /// When the connection is broken.
    pub fn is_answered(&self) -> bool {
        match self.peek() {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("the connection is broken: {error}"),
        }
    }

    fn peek(&self) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        peeked
    }

    /// The connection, to write more, or to read the response bit by bit.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Waits for the response. Returns all of it as it arrived: the status
    /// line, the headers and the body.
    ///
    /// # Panics
    /// When the connection breaks, or nothing comes for a minute.
    pub fn wait(mut self) -> String {
        let mut answer = String::new();
        match self.stream.read_to_string(&mut answer) {
            Ok(_) => answer,
            Err(error) => panic!("no answer: {error}"),
        }
    }
}

/// A process's output so far, and the thread that reads it.
#[derive(Debug)]
struct Output {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Output {
    /// Reads all lines of `pipe` on its own thread.
    fn collect(pipe: Option<impl Read + Send + 'static>) -> Self {
        let mut pipe = BufReader::new(pipe.expect("it is piped"));
        let text = Arc::new(Mutex::new(String::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                locked(&shared).push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> MutexGuard<'_, String> {
        locked(&self.text)
    }

    /// All of it, once the process has ended. A program that the process
    /// started may keep the pipe open; this doesn't wait for that one.
    fn all(&self) -> String {
        wait_until(Duration::from_secs(1), || self.reader.is_finished());
        self.so_far().clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a condition is true. Returns false if that takes too long.
fn wait_until(time: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_true() {
        if start.elapsed() > time {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Waits until a condition is true.
///
/// # Panics
/// When that takes longer than a minute.
#[track_caller]
pub fn wait_for(what: &str, is_true: impl FnMut() -> bool) {
    assert!(wait_until(PATIENCE, is_true), "never: {what}");
}

/// The first address in the line that a step prints when it listens; step 9's
/// workers have none.
fn url_in(line: &str) -> Option<&str> {
    if line.contains(" working as process ") {
        return Some("");
    }
    let (_, rest) = line.split_once(" listening on ")?;
    rest.split(' ').next().filter(|url| url.starts_with("http://"))
}
