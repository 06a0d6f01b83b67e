//! What a server does while it counts: is it frozen, or alive?

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::Command,
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use common::milliseconds;
use harness::Server;
use serde::Serialize;

use crate::{
    exercises,
    task::{Files, Task},
};

/// How many threads the server may use.
const THREADS: &str = "2";

/// How long a response may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a server that stops, or whose threads aren't listed, may take.
const SHORT: Duration = Duration::from_secs(3);

/// How long a server that will still reply is never idle.
const IDLE: Duration = Duration::from_millis(100);

/// What a server did while `/blocking` counted.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Whether no other request was answered.
    pub frozen: bool,
    /// How long `/blocking` took.
    pub blocking_ms: f64,
    /// How long a `/non-blocking` sent right after it took.
    pub waited_ms: f64,
    /// How many `/non-blocking` requests were answered before `/blocking`.
    pub meanwhile: usize,
    /// The threads that counted, where the system lists them (Linux).
    pub counting: Option<Counting>,
}

/// The threads that counted at once, other than the server thread.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counting {
    /// How many.
    pub threads: usize,
    /// Their names, where they have their own.
    pub names: BTreeSet<String>,
    /// Whether they existed before the request.
    pub reused: bool,
}

/// A thread of a server.
struct Thread {
    id: String,
    name: String,
    /// Whether it wants a core.
    is_busy: bool,
}

/// A server's threads; none where the system doesn't list them (Linux does).
fn threads(server: &Server) -> Vec<Thread> {
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

/// The response to a GET; nothing if the server has no work left, and still
/// hasn't replied.
fn reply(server: &Server, path: &str) -> String {
    let pending = server.open(path);
    let start = Instant::now();
    let mut last_busy = start;
    while !pending.is_answered() {
        let threads = threads(server);
        if threads.is_empty() || threads.iter().any(|it| it.is_busy) {
            last_busy = Instant::now();
        }
        if last_busy.elapsed() > IDLE || start.elapsed() > SHORT {
            return String::new();
        }
        thread::sleep(Duration::from_millis(5));
    }
    pending.wait()
}

/// Starts a server that ends when this program does, however it ends.
pub fn start(program: &Path, settings: &[(&str, &str)]) -> Server {
    let mut command = harness::command(program);
    command.envs(settings.iter().copied());
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

fn start_counting(program: &Path, iterations: u64, threads: &str) -> Server {
    let iterations = iterations.to_string();
    start(program, &[("ITERATIONS", &iterations), ("THREADS", threads)])
}

/// Sends a `/blocking` that counts this far, and keeps requesting
/// `/non-blocking` until it is answered.
///
/// # Panics
/// When the server doesn't start, or doesn't answer.
pub fn look(program: &Path, iterations: u64) -> Seen {
    let (mut seen, mut is_clear) = look_once(program, iterations);
    // The machine may be fast, or busy: take longer looks.
    for times in [4, 16] {
        if !is_clear {
            (seen, is_clear) = look_once(program, times * iterations);
        }
    }
    seen
}

/// Also returns whether the result is clear: there was enough time to see
/// something, and the server thread wasn't short of a core.
fn look_once(program: &Path, iterations: u64) -> (Seen, bool) {
    let server = start_counting(program, iterations, THREADS);
    server.open("/non-blocking").wait();
    let before = threads(&server);
    let is_own = |it: &Thread| {
        let known = before.iter().find(|known| known.id == it.id);
        known.is_some_and(|known| known.name.starts_with("actix"))
    };
    let blocking = server.send("/blocking");
    let start = Instant::now();
    let mut probe = server.open("/non-blocking");
    let mut waited = None;
    let mut meanwhile = 0;
    let mut samples = Vec::new();
    // How often the server thread wanted a core while others counted.
    let mut starved = 0;
    loop {
        // Check the probe first: its response may have arrived first.
        let is_answered = probe.is_answered();
        if blocking.is_answered() {
            break;
        }
        if is_answered {
            waited.get_or_insert(start.elapsed());
            meanwhile += 1;
            probe = server.open("/non-blocking");
        }
        let running = threads(&server).into_iter().filter(|it| it.is_busy);
        let (own, others): (Vec<_>, Vec<_>) = running.partition(is_own);
        if !own.is_empty() && !others.is_empty() {
            starved += 1;
        }
        samples.push(others);
        assert!(
            start.elapsed() < PATIENCE,
            "your server didn't answer /blocking."
        );
        thread::sleep(Duration::from_millis(4));
    }
    let took = start.elapsed();
    let said = blocking.wait();
    if !said.ends_with(&format!("Result is {iterations}")) {
        // Its handler may have panicked: then the log shows it.
        let stderr = server.kill().stderr;
        panic!("/blocking got a wrong response.\n{said}{stderr}");
    }
    probe.wait();
    let is_starved = meanwhile == 0 && starved > samples.len() / 4;
    let is_clear = samples.len() >= 8 && !is_starved;
    samples.sort_by_key(Vec::len);
    // For a fifth of the time at least: a thread that ends and one that begins
    // may overlap.
    let usual = samples.get(samples.len() * 4 / 5);
    let is_named = |name: &String| {
        !name.starts_with("actix") && !before[0].name.starts_with(name.as_str())
    };
    let counting = usual.map(|usual| Counting {
        threads: usual.len(),
        names: usual
            .iter()
            .map(|it| it.name.clone())
            .filter(is_named)
            .collect(),
        reused: usual.iter().all(|it| before.iter().any(|old| old.id == it.id)),
    });
    let seen = Seen {
        frozen: meanwhile == 0,
        blocking_ms: milliseconds(took),
        waited_ms: milliseconds(waited.unwrap_or_else(|| start.elapsed())),
        meanwhile,
        counting: counting.filter(|_| !before.is_empty()),
    };
    (seen, is_clear)
}

/// The expectations that are checked only if all the earlier ones are met,
/// because they start servers.
const SLOW: [&str; 3] = ["failing", "limited", "stops"];

/// What a task's server doesn't do yet, one sentence per item. `begun` is the
/// code that the task began with.
///
/// # Panics
/// With what an exercise's server doesn't do yet, and when a server doesn't
/// start or answer.
pub fn missing(
    task: &Task,
    seen: &mut Seen,
    begun: &Files,
    files: &Files,
    program: &Path,
) -> Vec<String> {
    if task.step().is_some() {
        exercises::run(&task.name, program);
        return Vec::new();
    }
    let mut missing = missing_in_code(task, files);
    if seen.counting.is_none() && begun == files {
        missing.push("you haven't changed anything in this move yet.".into());
    }
    for (what, rest) in expectations(task) {
        if !SLOW.contains(&what) || missing.is_empty() {
            missing.extend(behaviour(what, rest, seen, program));
        }
    }
    missing
}

/// What a move expects: what kind of thing, and which.
fn expectations(task: &Task) -> impl Iterator<Item = (&str, &str)> {
    let all = task.check.split("; ");
    all.map(|it| it.split_once(' ').unwrap_or((it, "")))
}

/// What a move's code doesn't contain yet.
pub fn missing_in_code(task: &Task, files: &Files) -> Vec<String> {
    let all = expectations(task);
    all.filter_map(|(what, rest)| code(task, what, rest, files)).collect()
}

/// Checks one thing that a move expects of the code. Returns what's missing.
fn code(task: &Task, what: &str, rest: &str, files: &Files) -> Option<String> {
    let (words, place) = rest.split_once(" in ").unwrap_or((rest, ""));
    let parts = files.iter().map(|(name, text)| {
        // Without comments, which may contain an old version.
        let code = text.lines().filter_map(|it| it.split("//").next());
        let code = code.collect::<Vec<_>>().join("\n");
        match place {
            "" => code,
            file if file == name => code,
            name => function(&code, name),
        }
    });
    let plain = |text: &str| text.replace(char::is_whitespace, "");
    let found = plain(&parts.collect::<String>()).contains(&plain(words));
    let place = if place.is_empty() { "your code" } else { place };
    // The lines that the move replaces.
    let is_old = |line: &&str| {
        let mut replaced = task.difference.lines();
        replaced.any(|it| it.strip_prefix('-') == Some(line))
    };
    match what {
        "code" if !found => Some(format!("there is no `{words}` in {place}.")),
        "without" if found => Some(format!("`{words}` is still in {place}.")),
        "header" => {
            let header = files.get("main.rs")?.lines();
            let mut header = header.filter(|it| it.starts_with("//! "));
            if !header.next().is_some_and(|it| it.starts_with(words)) {
                return Some(format!(
                    "the header should begin with `{words}`."
                ));
            }
            let old = header.find(is_old);
            old.map(|it| format!("the header still has an old line: `{it}`."))
        }
        _ => None,
    }
}

/// A function's code; empty if there is none.
fn function(text: &str, name: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let begins = |line: &&str| {
        let after = line.split_once(&format!("fn {name}")).map(|it| it.1);
        after.is_some_and(|it| it.starts_with(['(', '<']))
    };
    let Some(at) = lines.iter().position(begins) else {
        return String::new();
    };
    let mut depth = 0;
    let ends = |line: &&str| {
        let count = |brace| line.matches(brace).count().cast_signed();
        depth += count('{') - count('}');
        depth <= 0 && line.contains('}')
    };
    let end = lines[at..].iter().position(ends).unwrap_or(0);
    lines[at..=at + end].join("\n")
}

/// Checks one of a move's other expectations. Returns what's missing.
fn behaviour(
    what: &str,
    rest: &str,
    seen: &mut Seen,
    program: &Path,
) -> Option<String> {
    match what {
        "frozen" if !seen.frozen => Some(
            "this move's server should still freeze; yours doesn't.".into(),
        ),
        "alive" if seen.frozen => Some(
            "nobody is answered while /blocking counts: what is the \
             server thread doing?"
                .into(),
        ),
        "counting" => counting(rest, seen, program),
        "reused" => {
            let is_new = seen.counting.as_ref().is_some_and(|it| !it.reused);
            is_new.then(|| "each request still starts a thread.".into())
        }
        "named" => {
            let names = seen.counting.as_ref()?.names.iter();
            let names = names.map(String::as_str).collect::<Vec<_>>();
            let names = names.join(", ");
            (names != rest).then(|| {
                let shown = if names.is_empty() { "none" } else { &names };
                format!(
                    "names of the threads that count: {shown}. Expected: \
                     {rest}."
                )
            })
        }
        "failing" => {
            // With one thread, a single panic can end a whole pool.
            let server = start_counting(program, 1, "1");
            let (failing, then) = rest.split_once(" then ").unwrap_or_default();
            let first = reply(&server, "/failing");
            let is_expected =
                |it: &String| then.split(" or ").any(|then| then == status(it));
            // The thread may still be ending.
            let after = Some(reply(&server, "/blocking")).filter(is_expected);
            let after = after.unwrap_or_else(|| reply(&server, "/blocking"));
            let has_panicked = server.kill().stderr.contains("panicked at");
            let is_met = status(&first) == failing && is_expected(&after);
            (!is_met || !has_panicked).then(|| {
                let panics =
                    if has_panicked { "panics" } else { "doesn't panic" };
                format!(
                    "with THREADS=1, /failing {panics} and gets {}, and a \
                     /blocking after it gets {}. It should panic and get \
                     {failing}, then {then}.",
                    status(&first),
                    status(&after),
                )
            })
        }
        #[cfg(target_os = "linux")]
        "limited" => {
            let server = start_counting(program, 1, THREADS);
            server.open("/non-blocking").wait();
            server.limit_memory(Some(1024 * 1024));
            let said = server.open("/blocking").wait();
            let logged = server.kill().stderr;
            let is_met = status(&said) == "503"
                && said.ends_with(rest)
                && (rest.is_empty() || logged.contains("os error"));
            let logged = if logged.is_empty() { "nothing" } else { &logged };
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" with \"{rest}\", and the log the system's error")
            };
            (!is_met).then(|| {
                format!(
                    "when no thread can be started, the client gets:\n{said}\n\
                     and your server logs:\n{logged}\nThe client should get \
                     a 503{more}."
                )
            })
        }
        #[cfg(unix)]
        "stops" => {
            let mut server = start_counting(program, 1, THREADS);
            server.open("/blocking").wait();
            server.terminate();
            let start = Instant::now();
            while !server.has_ended() && start.elapsed() < SHORT {
                thread::sleep(Duration::from_millis(10));
            }
            (!server.has_ended()).then(|| {
                "after Ctrl-C or SIGTERM, your server doesn't end: what do its \
                 threads still wait for?"
                    .into()
            })
        }
        _ => None,
    }
}

/// Checks how many threads count.
fn counting(expected: &str, seen: &mut Seen, program: &Path) -> Option<String> {
    let expected: usize = expected.parse().expect("it is a number");
    let is_too_few = |it: &Counting| (1..expected).contains(&it.threads);
    if seen.counting.as_ref().is_some_and(is_too_few) {
        // On a busy machine, one thread may take all shares of a short count.
        seen.counting = look(program, 3 * crate::ITERATIONS).counting;
    }
    let counting = seen.counting.as_ref()?;
    (counting.threads != expected).then(|| {
        format!(
            "number of threads that count at once, other than the server \
             thread: {}. Expected: {expected}.",
            counting.threads
        )
    })
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

thread_local! {
    /// The last panic's message, while panics are caught.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a check whose panics are messages for the learner.
pub fn caught<T>(check: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let said = info.payload();
            let said = said.downcast_ref::<String>().cloned().or_else(|| {
                said.downcast_ref::<&str>().map(|it| (*it).to_owned())
            });
            let mut said = said.unwrap_or_default();
            let place = info.location().map_or("", |it| it.file());
            if !place.contains("learn") {
                said.insert_str(0, "unexpected: ");
            }
            MESSAGE.with(|it| match &mut *it.borrow_mut() {
                Some(message) => *message = said,
                None => usual(info),
            });
        }));
    });
    MESSAGE.set(Some(String::new()));
    let checked = panic::catch_unwind(AssertUnwindSafe(check));
    let said = MESSAGE.take().unwrap_or_default();
    checked.map_err(|_| said)
}
