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
mod workspace;

use std::{
    fmt,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

#[cfg(feature = "browser")]
pub use browser::Browser;
pub use events::events;
pub use workspace::{
    Group, PROFILE, STEPS, build, has_node, program, programs, workspace,
};

/// Says what isn't tested here and why, once in a program.
pub fn skipped(text: &'static str) {
    static SAID: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&text) {
        said.push(text);
        let line = format!("SKIPPED, {text}\n");
        // Not eprintln!, which shows nothing of a test that passes.
        io::stderr().write_all(line.as_bytes()).ok();
    }
}

/// How long anything may take before it counts as hanging. Never reached when
/// all is well, even on a machine that does ten other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// The environment variables that steps read.
pub const VARIABLES: [&str; 8] = [
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
/// defaults, whatever the environment of the caller says.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    // A panic is one line on standard error, wherever it is run.
    command.env_remove("RUST_BACKTRACE").env("PORT", "0");
    command
}

/// Why a server didn't start. Each names the program, and what it said on
/// standard error.
#[derive(thiserror::Error)]
pub enum StartError {
    /// There is no such program, or it can't be run.
    #[error("can't run {program}: {source}")]
    NotRun {
        /// The path of the program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it listened.
    #[error("{program} ended before it listened: {status}\n{stderr}")]
    Ended {
        /// The path of the program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// All that it wrote to standard error.
        stderr: String,
    },
    /// It runs, but its first line isn't the one that says where it listens.
    #[error("{program} doesn't say that it listens; {said}\n{stderr}")]
    Mute {
        /// The path of the program.
        program: String,
        /// What it said instead.
        said: String,
        /// All that it wrote to standard error.
        stderr: String,
    },
}

// Tests unwrap it: the message is what they should show.
impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a server ended, and all that it wrote.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All that it wrote to standard output.
    pub stdout: String,
    /// All that it wrote to standard error.
    pub stderr: String,
}

/// A running server. It is killed when this value is dropped, so a test that
/// panics leaves nothing behind.
#[derive(Debug)]
pub struct Server {
    process: Process,
    line: String,
    url: String,
}

impl Server {
    /// Runs the command and waits for the line that says where it listens.
    ///
    /// # Errors
    /// When it can't be run, ends, or doesn't print that line within a minute.
    pub fn start(command: &mut Command) -> Result<Self, StartError> {
        Self::start_while(command, || true)
    }

    /// Does as [`Server::start`] for as long as it is wanted, and kills the
    /// program once it isn't any more.
    ///
    /// # Errors
    /// Those of [`Server::start`], and when it isn't wanted any more.
    pub fn start_while(
        command: &mut Command,
        wanted: impl Fn() -> bool,
    ) -> Result<Self, StartError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = Process::start(command);
        let (mut process, first_line) = started.map_err(|source| {
            StartError::NotRun { program: program.clone(), source }
        })?;
        let mut line = None;
        wait_until(PATIENCE, || match first_line.try_recv() {
            Ok(first) => {
                line = Some(first);
                true
            }
            Err(TryRecvError::Empty) => !wanted(),
            Err(TryRecvError::Disconnected) => {
                process.ends_within(Duration::ZERO) || !wanted()
            }
        });
        let said = match line {
            Some(line) => match url_in(&line) {
                Some(url) => {
                    let url = url.to_owned();
                    return Ok(Self { process, line, url });
                }
                None => format!("its first line is: {line}"),
            },
            None if process.ends_within(Duration::ZERO) => {
                let Ended { status, stderr, .. } = process.wait();
                return Err(StartError::Ended { program, status, stderr });
            }
            None => "it said nothing".into(),
        };
        process.kill();
        let stderr = process.wait().stderr;
        Err(StartError::Mute { program, said, stderr })
    }

    /// The line that it printed when it listened.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Where it listens, for instance `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has written to standard error until now.
    pub fn stderr_so_far(&self) -> String {
        locked(&self.process.stderr.text).clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Sends a GET on a connection of its own and doesn't wait.
    ///
    /// # Panics
    /// When the server can't be reached.
    pub fn open(&self, path: &str) -> Pending {
        let head = format!("GET {path} HTTP/1.1");
        self.write(format!(
            "{head}\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address(),
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
        {
            let is_read = wait_until(PATIENCE, || {
                connection::is_read(&pending).expect("Linux tells it")
            });
            assert!(is_read, "{path}: not read within {PATIENCE:?}");
        }
        // Other systems don't tell, so it gets time.
        #[cfg(not(target_os = "linux"))]
        thread::sleep(Duration::from_millis(100));
        pending
    }

    /// Writes whatever it is on a connection of its own.
    ///
    /// # Panics
    /// When the server can't be reached.
    pub fn write(&self, text: impl AsRef<[u8]>) -> Pending {
        let pending = TcpStream::connect(self.address()).and_then(|mut it| {
            it.set_read_timeout(Some(PATIENCE))?;
            it.write_all(text.as_ref())?;
            Ok(Pending { stream: it })
        });
        pending.unwrap_or_else(|error| panic!("{}: {error}", self.url))
    }

    /// Where it listens, without the scheme: host and port.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
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

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal)
            .expect("the server is a child of this process");
    }

    #[cfg(unix)]
    fn pid(&self) -> rustix::process::Pid {
        let id = self.id().try_into().ok();
        id.and_then(rustix::process::Pid::from_raw)
            .expect("a process id is a positive pid_t")
    }

    /// Whether it has ended, by itself or by a signal.
    pub fn has_ended(&mut self) -> bool {
        self.process.ends_within(Duration::ZERO)
    }

    /// Lets its memory grow by no more than so many bytes from now on; `None`
    /// takes the limit away. A thread needs two megabytes for its stack.
    #[cfg(target_os = "linux")]
    pub fn limit_memory(&self, more: Option<u64>) {
        use rustix::process::{Resource, Rlimit, prlimit};

        let limit = more.map(|more| more + 1024 * self.status("VmSize:"));
        let new = Rlimit { current: limit, maximum: None };
        prlimit(Some(self.pid()), Resource::As, new)
            .expect("a limit can be lowered");
    }

    /// How many threads its process has.
    #[cfg(target_os = "linux")]
    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// A figure from `/proc/PID/status`; memory is in kibibytes.
    #[cfg(target_os = "linux")]
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
        let ended = self.process.ends_within(PATIENCE);
        assert!(ended, "the server hasn't ended within {PATIENCE:?}");
        self.process.wait()
    }

    /// Stops it at once.
    pub fn kill(mut self) -> Ended {
        self.process.kill();
        self.process.wait()
    }
}

/// A request that was sent and perhaps isn't answered yet. To drop it is to go
/// away.
#[derive(Debug)]
pub struct Pending {
    stream: TcpStream,
}

impl Pending {
    /// Whether the answer, or its beginning, is here. The order in which a
    /// server answers can be told by it: what it sent first is here first.
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

    /// The connection, to write more, or to read the answer bit by bit.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Waits for the answer. Returns all of it as it came: the status line,
    /// the headers and the body.
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

/// A child process whose output is collected while it runs.
#[derive(Debug)]
struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// What a process has written so far, and the thread that reads it.
#[derive(Debug)]
struct Output {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Output {
    /// Reads all lines of `pipe` on a thread of its own, shows each to `seen`.
    fn collect(
        pipe: impl Read + Send + 'static,
        seen: impl Fn(&str) + Send + 'static,
    ) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let read = String::from_utf8_lossy(&line);
                seen(&read);
                locked(&shared).push_str(&read);
                line.clear();
            }
        });
        Self { text, reader }
    }

    /// All of it, once the process has ended. A program that it started in
    /// turn may keep the pipe open: that one isn't waited for.
    fn all(&self) -> String {
        wait_until(Duration::from_secs(1), || self.reader.is_finished());
        locked(&self.text).clone()
    }
}

fn locked(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    /// Starts it. Returns also where its first line of standard output will
    /// arrive; that channel closes when there is none.
    fn start(
        command: &mut Command,
    ) -> io::Result<(Self, mpsc::Receiver<String>)> {
        command.stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, receiver) = mpsc::channel();
        let stdout = child.stdout.take().expect("it is piped");
        let stdout = Output::collect(stdout, move |line| {
            // Only the first is waited for.
            sender.send(line.trim_end().to_owned()).ok();
        });
        let stderr = child.stderr.take().expect("it is piped");
        let stderr = Output::collect(stderr, |_| ());
        Ok((Self { child, stdout, stderr }, receiver))
    }

    /// Whether it ends within that time.
    fn ends_within(&mut self, time: Duration) -> bool {
        wait_until(time, || !matches!(self.child.try_wait(), Ok(None)))
    }

    fn kill(&mut self) {
        // It fails when the process has ended already, which is as good.
        self.child.kill().ok();
    }

    fn wait(&mut self) -> Ended {
        Ended {
            status: self.child.wait().expect("a child can be waited for"),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.child.wait().ok();
    }
}

/// Waits until something is so. Returns false when that took too long.
fn wait_until(time: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > time {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The first address in the line that says where a step listens.
fn url_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(" listening on ")?;
    rest.split(' ').next().filter(|url| url.starts_with("http://"))
}
