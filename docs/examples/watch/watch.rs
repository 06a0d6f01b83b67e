//! Reports a frozen server thread while it is frozen: for how long, on which
//! request, whether it computes, waits or wants a core, and at which line. Needs
//! tokio 1.54.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{future, io::Write, mem, pin::pin, thread};

use tokio::runtime::{Handle, Id, RuntimeMetrics, worker_index};

/// A thread that makes no progress for this long is frozen.
const THRESHOLD: Duration = Duration::from_millis(100);
const REPORTS_PER_MINUTE: u32 = 10;

/// Watches this server thread, until it or its runtime ends.
#[allow(dead_code)] // In axum, the first handler on a thread does it.
pub fn this_thread() {
    HERE.with(|_| ());
}

/// Names a future, so that it is blamed if one of its polls freezes a thread.
pub async fn marked<F: future::Future>(mut name: String, it: F) -> F::Output {
    let mut future = pin!(it);
    let poll = future::poll_fn(|context| {
        swap(&mut name);
        let _lent = Lent(&mut name);
        future.as_mut().poll(context)
    });
    poll.await
}

/// Comes back when the poll ends, and when it panics.
struct Lent<'a>(&'a mut String);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

/// Lends a name to the thread, or takes it back: it's moved, never copied.
fn swap(name: &mut String) {
    HERE.with(|here| {
        let Some(here) = here else { return };
        let mut mark = lock(&here.0.mark);
        mark.0 += 1;
        mem::swap(&mut mark.1, name);
    });
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
    worker: (Id, usize),
    metrics: RuntimeMetrics,
    /// How many named polls have begun or ended, and the current one's name.
    mark: Mutex<(u64, String)>,
    /// Nothing while the thread has nothing to do.
    seen: Mutex<Option<Seen>>,
}

/// Where a thread was when first seen there, and what it had used until then.
struct Seen {
    /// Changes when the thread makes progress: it parks, or ends some polls or one
    /// that has a name.
    place: (u64, Duration, (u64, String)),
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
            worker: (runtime.id(), worker),
            metrics: runtime.metrics(),
            mark: Mutex::new((0, "a task without a name".into())),
            seen: Mutex::default(),
        });
        // Dropped when the runtime ends, because its thread may live longer.
        let guard = Self(watched.clone());
        runtime.spawn(async { (guard, future::pending::<()>().await) });
        let mut all = lock(&ALL);
        // In `block_in_place`, a thread hands its worker over to another one.
        all.retain(|other| other.worker != watched.worker);
        all.push(watched.clone());
        Some(Self(watched))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        lock(&ALL).retain(|other| !Arc::ptr_eq(other, &self.0));
    }
}

fn watch() {
    system::prepare();
    loop {
        let (minute, mut reports) = (Instant::now(), 0);
        while minute.elapsed().as_secs() < 60 {
            thread::sleep(THRESHOLD / 4);
            let all = lock(&ALL).clone();
            all.iter().for_each(|thread| thread.look(&mut reports));
        }
    }
}

impl Watched {
    fn look(&self, reports: &mut u32) {
        let (place, mut seen) = (self.place(), lock(&self.seen));
        if place.as_ref() != seen.as_ref().map(|seen| &seen.place) {
            if let Some(Seen { at, reported: Some(who), .. }) = &*seen {
                report("no longer frozen, after", at.elapsed(), who);
            }
            *seen = place.map(|place| {
                let (at, used) = (Instant::now(), self.system.used());
                Seen { place, at, used, reported: None }
            });
        } else if let Some(seen) = seen.as_mut().filter(|seen| {
            seen.reported.is_none()
                && seen.at.elapsed() > THRESHOLD
                && *reports < REPORTS_PER_MINUTE
        }) {
            *reports += 1;
            let who = format!("{} on {}", seen.place.2.1, self.name);
            // Without the time that it takes to find the line.
            let (took, does) = (seen.at.elapsed(), self.system.does(seen));
            let what = does.unwrap_or_default() + &self.system.line();
            // Otherwise it may have ended while this was found out.
            let what = Some(what).filter(|_| self.place() == place);
            let what = what.unwrap_or(", until just now".into());
            report("frozen for", took, &format!("{who}{what}"));
            seen.reported = Some(who);
        }
    }

    fn place(&self) -> Option<(u64, Duration, (u64, String))> {
        let (metrics, worker) = (&self.metrics, self.worker.1);
        let parks = metrics.worker_park_unpark_count(worker);
        let busy = metrics.worker_total_busy_duration(worker);
        (parks % 2 == 0).then(|| (parks, busy, lock(&self.mark).clone()))
    }
}

fn report(what: &str, took: Duration, who: &str) {
    let seconds = took.as_secs_f64();
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

    pub fn prepare() {}

    impl Thread {
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
