//! Reports a frozen server thread while it is frozen: for how long, on which
//! route, whether it computes, waits or wants a core, and at which line.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{future, io::Write, mem, pin::pin, thread};

use tokio::runtime::{Handle, RuntimeMetrics, worker_index};

/// A thread that makes no progress for this long is frozen.
const THRESHOLD: Duration = Duration::from_millis(100);
const REPORTS_PER_MINUTE: u32 = 10;

/// Watches this server thread, until it or its runtime ends.
#[allow(dead_code)] // In axum, the first handler on a thread does it.
pub fn this_thread() {
    HERE.with(|_| ());
}

/// Names a future, so that it is blamed if one of its polls freezes a thread.
pub async fn marked<F: Future>(mut name: String, future: F) -> F::Output {
    let mut future = pin!(future);
    let poll = future::poll_fn(|context| {
        let mut mark = Mark(&mut name);
        mark.swap();
        future.as_mut().poll(context)
    });
    poll.await
}

/// Lends the thread a name while it polls: moved there and back, never copied.
struct Mark<'a>(&'a mut String);

impl Mark<'_> {
    fn swap(&mut self) {
        HERE.with(|here| {
            let Some(here) = here else { return };
            let mut mark = lock(&here.0.mark);
            mark.0 += 1;
            mem::swap(&mut mark.1, self.0);
        });
    }
}

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.swap();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local!(static HERE: Option<Guard> = Guard::new());
static ALL: LazyLock<Mutex<Vec<Arc<Watched>>>> = LazyLock::new(|| {
    thread::Builder::new().name("watch".into()).spawn(watch).ok();
    Mutex::default()
});

struct Watched {
    name: String,
    system: system::Thread,
    runtime: (RuntimeMetrics, usize),
    /// How many named polls have begun or ended, and the current one's name.
    mark: Mutex<(u64, String)>,
    /// Nothing while the thread has nothing to do.
    seen: Mutex<Option<Seen>>,
}

/// Where a thread was when first seen there, and what it had used until then.
struct Seen {
    /// Changes when the thread makes progress: it parks, or ends some polls or one
    /// that has a name.
    place: (u64, Duration, u64),
    at: Instant,
    used: Option<f64>,
    reported: Option<String>,
}

struct Guard(Arc<Watched>);

impl Guard {
    fn new() -> Option<Self> {
        let (runtime, worker) = (Handle::try_current().ok()?, worker_index()?);
        let watched = Arc::new(Watched {
            name: thread::current().name().unwrap_or("a thread").into(),
            system: system::Thread::default(),
            runtime: (runtime.metrics(), worker),
            mark: Mutex::new((0, "a task without a name".into())),
            seen: Mutex::default(),
        });
        lock(&ALL).push(watched.clone());
        // Dropped when the runtime ends, because its thread may live longer.
        let guard = Self(watched.clone());
        runtime.spawn(async { (guard, future::pending::<()>().await) });
        Some(Self(watched))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.system.ends();
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
    fn look(&self, reports: &mut u32) {
        let (place, mut seen) = (self.place(), lock(&self.seen));
        if place != seen.as_ref().map(|seen| seen.place) {
            let new = place.map(|place| {
                let (at, used) = (Instant::now(), self.system.used());
                Seen { place, at, used, reported: None }
            });
            let old = mem::replace(&mut *seen, new);
            if let Some(Seen { at, reported: Some(who), .. }) = old {
                report("no longer frozen, after", at, &who);
            }
        } else if let Some(seen) = &mut *seen
            && seen.reported.is_none()
            && seen.at.elapsed() > THRESHOLD
            && *reports < REPORTS_PER_MINUTE
        {
            *reports += 1;
            let does = self.system.does(seen).unwrap_or_default();
            let who = format!("{} on {}", lock(&self.mark).1, self.name);
            // The freeze may have ended before the line was found.
            let line = Some(self.system.line());
            let line = line.filter(|_| self.place() == place);
            let line = line.unwrap_or(", until just now".into());
            report("frozen for", seen.at, &format!("{who}{does}{line}"));
            seen.reported = Some(who);
        }
    }

    fn place(&self) -> Option<(u64, Duration, u64)> {
        let (metrics, worker) = &self.runtime;
        let parks = metrics.worker_park_unpark_count(*worker);
        let busy = metrics.worker_total_busy_duration(*worker);
        (parks % 2 == 0).then(|| (parks, busy, lock(&self.mark).0))
    }
}

fn report(what: &str, since: Instant, who: &str) {
    let seconds = since.elapsed().as_secs_f64();
    tracing::warn!(seconds, who, "{what}");
    let line = format!("{what} {seconds:.1} s: {who}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
}

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;

#[cfg(not(target_os = "linux"))]
mod system {
    #[derive(Default)]
    pub struct Thread;

    impl Thread {
        pub fn ends(&self) {}
        pub fn used(&self) -> Option<f64> {
            None
        }
        pub fn does(&self, _: &super::Seen) -> Option<String> {
            None
        }
        pub fn line(&self) -> String {
            String::new()
        }
    }
}
