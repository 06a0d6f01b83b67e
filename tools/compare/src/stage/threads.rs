//! What the threads of a process do.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use serde_json::{Value, json};

/// Nanoseconds on a core within which a new thread takes its name.
const NAMED: u64 = 100_000;

/// The threads of a process: how long each had been on a core and had waited for
/// one at the last look.
pub struct Threads {
    process: u32,
    known: BTreeMap<u32, (u64, u64)>,
    looked: Option<Instant>,
}

/// Whether this system reports what threads do.
pub fn are_reported() -> bool {
    times(Path::new("/proc/self")).is_some()
}

impl Threads {
    pub fn new(process: u32) -> Self {
        Self { process, known: BTreeMap::new(), looked: None }
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
        let threads = fs::read_dir(format!("/proc/{}/task", self.process));
        for entry in threads.ok()?.flatten() {
            let folder = entry.path();
            // The thread may have ended in between.
            let Some((ran, waited)) = times(&folder) else { continue };
            let id = entry.file_name().to_string_lossy().parse().ok()?;
            let name =
                if id == self.process { "main".into() } else { name(&folder) };
            // A new thread has its parent's name until it has run.
            if name == "server" && ran <= NAMED {
                continue;
            }
            // It has done all of its work since the last look.
            let before = self.known.get(&id).copied().unwrap_or_default();
            let share = |ns: u64| {
                let share = ns as f64 / elapsed.unwrap_or(f64::INFINITY);
                (share * 100.0).round() / 100.0
            };
            let on_a_core = share(ran.saturating_sub(before.0)).min(1.0);
            // It is reported at its end, and may have begun before.
            let wants_one = share(waited.saturating_sub(before.1));
            let wants_one = wants_one.min(1.0 - on_a_core);
            shares.push(json!([id, name, on_a_core, wants_one]));
            known.insert(id, (ran, waited));
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
    match name.trim_end() {
        "actix-rt|system" => "server".into(),
        "actix-server ac" => "accepts".into(),
        name if name.len() == 15 => format!("{name}…"),
        name => name.into(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{hint, process, sync::Arc, thread, time::Duration};

    use super::*;

    #[test]
    fn a_thread_is_on_a_core_or_wants_one_or_sleeps() {
        // The threads end when this is dropped.
        let running = Arc::new(());
        let repeat = |name: &str, work: fn()| {
            let running = Arc::downgrade(&running);
            let thread = thread::Builder::new().name(name.into());
            let work = move || {
                while running.strong_count() > 0 {
                    work();
                }
            };
            thread.spawn(work).unwrap();
        };
        repeat("sleeps", || thread::sleep(Duration::from_secs(1)));
        // Twice as many as there are cores.
        for _ in 0..2 * thread::available_parallelism().map_or(1, Into::into) {
            repeat("spins", hint::spin_loop);
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
    }
}
