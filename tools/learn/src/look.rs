//! What a server does while it counts: is it frozen, or alive?

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use common::milliseconds;
use harness::Server;
use serde::Serialize;

use crate::ITERATIONS;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a server did while `/blocking` counted.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Whether no other request was answered.
    pub frozen: bool,
    /// How long `/blocking` took.
    pub blocking_ms: f64,
    /// How many `/non-blocking` requests were answered before `/blocking`.
    pub meanwhile: usize,
    /// The threads that counted, where the system lists them (Linux).
    pub counting: Option<Counting>,
}

/// The threads that counted at once, other than the server thread.
#[derive(Clone, Debug, Serialize)]
pub struct Counting {
    /// How many.
    pub threads: usize,
    /// Their names, where they have their own.
    pub names: BTreeSet<String>,
    /// Whether they existed before the request.
    pub reused: bool,
}

/// A thread of a server.
pub struct Thread {
    id: String,
    name: String,
    /// Whether it wants a core.
    pub is_busy: bool,
}

/// A server's threads; none where the system doesn't list them (Linux does).
pub fn threads(server: &Server) -> Vec<Thread> {
    let folder = format!("/proc/{}/task", server.id());
    let tasks = fs::read_dir(folder).into_iter().flatten().flatten();
    let thread = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        let (id, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let is_busy = rest.starts_with('R');
        Some(Thread { id: id.into(), name: name.into(), is_busy })
    };
    tasks.filter_map(thread).collect()
}

/// Starts a server with these settings. It ends when this program does, however
/// that ends.
///
/// # Panics
/// When it doesn't start: why.
pub fn start<const N: usize>(
    program: &Path,
    settings: [(&str, u64); N],
) -> Server {
    let mut command = harness::command(program);
    command.envs(settings.map(|(name, value)| (name, value.to_string())));
    Server::start(guarded(&mut command)).unwrap_or_else(|it| panic!("{it}"))
}

/// Puts a program into the process group of a shell that kills the group when
/// this program ends, even by `kill -9`.
pub fn guarded(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    {
        use std::{
            io,
            os::unix::process::CommandExt,
            process::{Child, Stdio},
            sync::LazyLock,
        };

        static SHELL: LazyLock<io::Result<Child>> = LazyLock::new(|| {
            Command::new("sh")
                // It reads a pipe, which ends with this program.
                .args(["-c", "read end; kill -s KILL 0"])
                .stdin(Stdio::piped())
                .process_group(0)
                .spawn()
        });
        if let Ok(shell) = &*SHELL {
            command.process_group(shell.id().cast_signed());
        }
    }
    command
}

/// Sends a `/blocking` that counts this far, and keeps requesting
/// `/non-blocking` until it is answered.
///
/// # Panics
/// When the server doesn't start, or doesn't answer.
pub fn look(program: &Path, iterations: u64) -> Seen {
    let server = start(program, [("ITERATIONS", iterations), ("THREADS", 2)]);
    server.open("/non-blocking").wait();
    let before = threads(&server);
    let is_known = |it: &Thread| before.iter().any(|known| known.id == it.id);
    let is_server_thread = |it: &Thread| it.name.starts_with("actix");

    let blocking = server.send("/blocking");
    let start = Instant::now();
    let mut probe = server.open("/non-blocking");
    let mut meanwhile = 0;
    let mut samples = Vec::new();
    // How often the server thread wanted a core while others counted.
    let mut starved = 0;
    loop {
        // Check the probe first: its response may have arrived first.
        let is_alive = probe.is_answered();
        if blocking.is_answered() {
            break;
        }
        if is_alive {
            meanwhile += 1;
            probe = server.open("/non-blocking");
        }
        let busy = threads(&server).into_iter().filter(|it| it.is_busy);
        let (own, others): (Vec<_>, Vec<_>) =
            busy.partition(|it| is_known(it) && is_server_thread(it));
        starved += usize::from(!own.is_empty() && !others.is_empty());
        samples.push(others);
        assert!(
            start.elapsed() < PATIENCE,
            "your server didn't answer /blocking."
        );
        thread::sleep(Duration::from_millis(3));
    }
    let blocking_ms = milliseconds(start.elapsed());
    let said = blocking.wait();
    if !said.ends_with(&format!("Result is {iterations}")) {
        // Its handler may have panicked: then the log shows it.
        let stderr = server.kill().stderr;
        panic!("/blocking got a wrong response.\n{said}{stderr}");
    }
    // Too short to see anything? Unless it doesn't count at all. And a server
    // thread that has no core isn't frozen.
    let is_starved = meanwhile == 0 && starved > samples.len() / 4;
    if samples.len() < 8 && iterations < 10_000_000_000
        || is_starved && iterations < 3 * ITERATIONS
    {
        return look(program, 2 * iterations);
    }
    samples.sort_by_key(Vec::len);
    // For a fifth of the time at least: a thread that ends and one that begins
    // may overlap.
    let at = samples.len() * 4 / 5;
    let usual = samples.into_iter().nth(at).unwrap_or_default();
    let counting = before.first().map(|first| Counting {
        threads: usual.len(),
        reused: usual.iter().all(is_known),
        names: usual
            .into_iter()
            // A thread without a name has its program's.
            .filter(|it| !is_server_thread(it) && it.name != first.name)
            .map(|it| it.name)
            .collect(),
    });
    Seen { frozen: meanwhile == 0, blocking_ms, meanwhile, counting }
}
