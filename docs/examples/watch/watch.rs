//! Reports a frozen server thread while it is frozen: for how long, which
//! route, whether it computes, waits or wants a core, and at which line.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, future, io::Write, mem, path::Path, pin::pin, thread};

use tokio::runtime::{Handle, RuntimeMetrics, worker_index};

/// A thread that gets nowhere for this long is frozen.
const THRESHOLD: Duration = Duration::from_millis(100);
const REPORTS_PER_MINUTE: u32 = 10;

/// Watches this server thread, until it or its runtime ends.
#[allow(dead_code)]
pub fn this_thread() {
    HERE.with(|_| ());
}

/// Names a future, so that it is blamed if one of its polls freezes a thread.
pub async fn marked<F: Future>(name: Arc<str>, future: F) -> F::Output {
    let mut future = pin!(future);
    let poll = future::poll_fn(|context| {
        let _mark = Mark(mark(Some(name.clone())));
        future.as_mut().poll(context)
    });
    poll.await
}

struct Mark(Option<Arc<str>>);

impl Drop for Mark {
    fn drop(&mut self) {
        mark(self.0.take());
    }
}

fn mark(name: Option<Arc<str>>) -> Option<Arc<str>> {
    HERE.with(|here| {
        let mut mark = lock(&here.as_ref()?.0.mark);
        mem::replace(&mut *mark, (Instant::now(), name)).1
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local!(static HERE: Option<Guard> = Guard::new());
static ALL: LazyLock<Mutex<Vec<Arc<Watched>>>> = LazyLock::new(|| {
    thread::Builder::new().name("watch".into()).spawn(watch).ok();
    // Reads the line tables, so that the first report needn't wait for them.
    thread::Builder::new()
        .name("line tables".into())
        .spawn(unwind::prepare)
        .ok();
    Mutex::default()
});

struct Watched {
    name: String,
    id: Mutex<Option<unwind::Id>>,
    stat: String,
    runtime: (RuntimeMetrics, usize),
    /// When a named poll began or ended, and its name if it runs.
    mark: Mutex<(Instant, Option<Arc<str>>)>,
    seen: Mutex<Option<Seen>>,
}

/// Where a thread was at first sight, and what it had used until then.
struct Seen {
    place: Place,
    at: Instant,
    used: Option<f64>,
    reported: Option<String>,
}

/// Changes whenever the thread gets on: parks, a batch of polls, a named poll.
type Place = (u64, Duration, Instant);

struct Guard(Arc<Watched>);

impl Guard {
    fn new() -> Option<Self> {
        let (runtime, worker) = (Handle::try_current().ok()?, worker_index()?);
        let task = fs::read_link("/proc/thread-self").unwrap_or_default();
        let watched = Arc::new(Watched {
            name: thread::current().name().unwrap_or("a thread").into(),
            id: Mutex::new(Some(unwind::this_thread())),
            stat: format!("/proc/{}", task.display()),
            runtime: (runtime.metrics(), worker),
            mark: Mutex::new((Instant::now(), None)),
            seen: Mutex::default(),
        });
        lock(&ALL).push(watched.clone());
        // Dropped when the runtime ends, which its thread may outlive.
        let guard = Self(watched.clone());
        runtime.spawn(async { (guard, future::pending::<()>().await) });
        Some(Self(watched))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&self.0.id).take();
        lock(&ALL).retain(|other| !Arc::ptr_eq(other, &self.0));
    }
}

fn watch() {
    let (mut minute, mut reports) = (Instant::now(), 0);
    loop {
        thread::sleep(THRESHOLD / 4);
        if minute.elapsed().as_secs() >= 60 {
            (minute, reports) = (Instant::now(), 0);
        }
        let all = lock(&ALL).clone();
        all.iter().for_each(|thread| thread.look(&mut reports));
    }
}

impl Watched {
    /// `None` while the thread has nothing to do.
    fn place(&self) -> Option<Place> {
        let (metrics, worker) = &self.runtime;
        let parks = metrics.worker_park_unpark_count(*worker);
        let busy = metrics.worker_total_busy_duration(*worker);
        (parks % 2 == 0).then(|| (parks, busy, lock(&self.mark).0))
    }

    fn look(&self, reports: &mut u32) {
        let (place, mut seen) = (self.place(), lock(&self.seen));
        if place != seen.as_ref().map(|seen| seen.place) {
            let (at, used) = (Instant::now(), self.used());
            let new = |place| Seen { place, at, used, reported: None };
            let old = mem::replace(&mut *seen, place.map(new));
            if let Some(Seen { at, reported: Some(who), .. }) = old {
                report("no longer frozen, after", at, &who);
            }
        } else if let Some(seen) = &mut *seen
            && seen.reported.is_none()
            && seen.at.elapsed() > THRESHOLD
            && *reports < REPORTS_PER_MINUTE
        {
            *reports += 1;
            let does = self.does(seen);
            let (polled, name) = lock(&self.mark).clone();
            let task = name.as_deref().unwrap_or("a task without a name");
            let who = format!("{task} on {}", self.name);
            let mut line = unwind::line(&self.id);
            if self.place() != place {
                line = ", until just now".into();
            }
            if name.is_some() {
                seen.at = polled;
            }
            report("frozen for", seen.at, &format!("{who} {does}{line}"));
            seen.reported = Some(who);
        }
    }

    /// Seconds on a core.
    fn used(&self) -> Option<f64> {
        let used = fs::read_to_string(self.stat.clone() + "/schedstat").ok()?;
        Some(used.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    }

    fn does(&self, seen: &Seen) -> String {
        let (Some(before), Some(after)) = (seen.used, self.used()) else {
            return "gets nowhere".into();
        };
        let share = 100.0 * (after - before) / seen.at.elapsed().as_secs_f64();
        // Runnable, though it doesn't run: the kernel's word for a queue.
        let stat = fs::read_to_string(self.stat.clone() + "/stat");
        let does = match stat {
            _ if share >= 50.0 => "computes",
            Ok(stat) if stat.contains(") R ") => "wants a core",
            _ => "waits",
        };
        format!("{does} ({share:.0} % of a core)")
    }
}

fn report(what: &str, since: Instant, who: &str) {
    let seconds = since.elapsed().as_secs_f64();
    tracing::warn!(seconds, who, "{what}");
    let line = format!("{what} {seconds:.1} s: {who}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
}

#[cfg(not(target_os = "linux"))]
mod unwind {
    pub type Id = ();
    pub fn this_thread() {}
    pub fn prepare() {}
    pub fn line(_: &std::sync::Mutex<Option<Id>>) -> String {
        String::new()
    }
}

#[cfg(target_os = "linux")]
mod unwind {
    use super::*;
    pub use nix::sys::pthread::{Pthread as Id, pthread_self as this_thread};
    use nix::sys::{pthread::pthread_kill, signal::Signal::SIGPROF};
    use pprof::ProfilerGuard;
    use std::path::Display;

    pub fn prepare() {
        ProfilerGuard::new(1).ok();
    }

    /// The innermost line of yours, and the one that called it. The thread
    /// unwinds its own stack in a signal handler, which isn't quite safe:
    /// WATCH_LINES=0 switches it off.
    pub fn line(id: &Mutex<Option<Id>>) -> String {
        if env::var("WATCH_LINES").is_ok_and(|lines| lines == "0") {
            return String::new();
        }
        let Some(lines) = lines(id) else {
            return ", where another profiler looks".into();
        };
        if lines.is_empty() {
            return " at no line of yours (is it built with \
                    debug = \"line-tables-only\"?)"
                .into();
        }
        format!(" at {}", lines.join(", called from "))
    }

    fn lines(id: &Mutex<Option<Id>>) -> Option<Vec<String>> {
        let profiler = ProfilerGuard::new(1).ok()?;
        for _ in 0..500 {
            // Locked: a signal to a thread that has ended is undefined.
            if let Some(id) = *lock(id) {
                pthread_kill(id, SIGPROF).ok();
            }
            thread::sleep(Duration::from_millis(2));
            let taken = profiler.report().build_unresolved().ok()?;
            if taken.data.values().sum::<isize>() >= 3 {
                break;
            }
        }
        let samples = profiler.report().build().ok()?.data.into_iter();
        let most = samples.max_by_key(|(_, count)| *count);
        let stack = most.into_iter().flat_map(|(stack, _)| stack.frames);
        let calls = stack
            .flatten()
            .map(|call| (call.filename().into_owned(), call.lineno()))
            .take_while(|(file, _)| !file.ends_with(file!()))
            .filter(|(file, _)| is_yours(file))
            .map(|(file, line)| format!("{}:{line}", short(file.as_ref())));
        Some(calls.take(2).collect())
    }

    fn is_yours(file: &str) -> bool {
        let foreign =
            ["/rustc/", "/rustlib/", "/registry/src/", "/git/checkouts/"];
        file.starts_with('/') && !foreign.iter().any(|it| file.contains(it))
    }

    fn short(file: &Path) -> Display<'_> {
        let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let short = folders.find_map(|it| file.strip_prefix(it).ok());
        short.unwrap_or(file).display()
    }
}
