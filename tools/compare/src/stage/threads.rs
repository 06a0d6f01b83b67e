//! What the threads of a process do.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};

/// Nanoseconds on a core within which a new thread takes its name.
const NAMED: u64 = 100_000;

/// The threads of a process, and what each had done at the last look.
pub struct Threads {
    folder: PathBuf,
    known: BTreeMap<u64, Thread>,
    looked: Option<Instant>,
}

struct Thread {
    name: String,
    times: (u64, u64),
}

/// Whether this system reports what threads do.
pub fn are_reported() -> bool {
    times(Path::new("/proc/self")).is_some()
}

impl Threads {
    pub fn new(process: u32) -> Self {
        let folder = format!("/proc/{process}/task").into();
        Self { folder, known: BTreeMap::new(), looked: None }
    }

    /// Each thread's id, its name, and its shares of the time since the last
    /// look: on a core, and waiting for one. The rest of it, the thread slept.
    /// Nothing where the system doesn't report it.
    pub fn look(&mut self) -> Option<Value> {
        let now = Instant::now();
        let elapsed = self.looked.map(|it| (now - it).as_nanos() as f64);
        self.looked = Some(now);
        let mut known = BTreeMap::new();
        let mut shares = Vec::new();
        for entry in fs::read_dir(&self.folder).ok()?.flatten() {
            let folder = entry.path();
            // The thread may have ended in between.
            let Some(times) = times(&folder) else { continue };
            let id = entry.file_name().to_string_lossy().parse().ok()?;
            let (name, (ran, waited)) = match self.known.remove(&id) {
                Some(it) if it.times.0 > NAMED => (it.name, it.times),
                Some(it) => (name(&folder), it.times),
                // A new thread has done all of its work since the last look.
                None if elapsed.is_some() => (name(&folder), (0, 0)),
                None => (name(&folder), times),
            };
            // A new thread has its parent's name until it has run.
            if name == "server" && times.0 <= NAMED {
                continue;
            }
            let share = |ns: u64| {
                let share = ns as f64 / elapsed.unwrap_or(f64::INFINITY);
                (share * 100.0).round() / 100.0
            };
            let on_a_core = share(times.0.saturating_sub(ran)).min(1.0);
            // It is reported at its end, and may have begun before.
            let wants_one = share(times.1.saturating_sub(waited));
            let wants_one = wants_one.min(1.0 - on_a_core);
            shares.push(json!([id, name, on_a_core, wants_one]));
            known.insert(id, Thread { name, times });
        }
        self.known = known;
        (!shares.is_empty()).then_some(shares.into())
    }
}

/// Nanoseconds on a core, and of waiting for one
/// (<https://docs.kernel.org/scheduler/sched-stats.html>).
fn times(folder: &Path) -> Option<(u64, u64)> {
    let text = fs::read_to_string(folder.join("schedstat")).ok()?;
    let mut numbers = text.split_whitespace().map_while(|it| it.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// What a thread is called on the page. Linux keeps 15 characters of a name.
fn name(folder: &Path) -> String {
    let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
    let is_first = folder
        .parent()
        .and_then(Path::parent)
        .is_some_and(|it| it.file_name() == folder.file_name());
    match name.trim_end() {
        _ if is_first => "main".into(),
        "actix-rt|system" => "server".into(),
        "actix-server ac" => "accepts".into(),
        name if name.len() == 15 => format!("{name}…"),
        name => name.into(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        hint, process,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc::channel,
        },
        thread,
        time::Duration,
    };

    use super::*;

    #[test]
    fn a_thread_is_on_a_core_or_wants_one_or_sleeps() {
        let (stop, stopped) = channel::<()>();
        let is_over = Arc::new(AtomicBool::new(false));
        let named = |name: &str| thread::Builder::new().name(name.into());
        named("sleeps").spawn(move || stopped.recv()).unwrap();
        // Twice as many as there are cores.
        for _ in 0..2 * thread::available_parallelism().map_or(1, Into::into) {
            let is_over = is_over.clone();
            let spin = move || {
                while !is_over.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            };
            named("spins").spawn(spin).unwrap();
        }
        let mut threads = Threads::new(process::id());
        let (mut ran, mut waited, mut slept) = (false, false, false);
        let start = Instant::now();
        while !(ran && waited && slept) {
            let seen = (ran, waited, slept);
            assert!(start.elapsed() < Duration::from_secs(60), "{seen:?}");
            let shares = threads.look().expect("Linux reports it");
            for thread in shares.as_array().into_iter().flatten() {
                let share = |n: usize| thread[n].as_f64().unwrap();
                match thread[1].as_str() {
                    Some("spins") => {
                        ran |= share(2) > 0.1;
                        waited |= share(3) > 0.1;
                    }
                    // It takes a moment on a core to fall asleep.
                    Some("sleeps") => slept |= share(2) + share(3) < 0.1,
                    _ => (),
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, Ordering::Relaxed);
        drop(stop);
    }
}
