//! What a thread costs: the time to start one, and the memory it takes while it
//! sleeps.

mod figures;

use std::{
    fs,
    sync::{
        Arc, Barrier, Mutex,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use figures::{medians, print, three_digits};
use serde_json::json;

const THREADS: usize = 200;

fn main() {
    let [start] = medians(
        2_001,
        [&mut || thread::spawn(|| ()).join().expect("it does nothing")],
    );
    // The first threads also make the allocator reserve memory, once.
    let first = Sleeping::start();
    let before = memory();
    let second = Sleeping::start();
    let after = memory();
    drop((first, second));

    let kibibytes = |before: f64, after: f64| {
        three_digits((after - before) / THREADS as f64)
    };
    let rows = vec![
        json!(["start a thread and join it", start, "µs"]),
        json!(["memory reserved for it", kibibytes(before.0, after.0), "KiB"]),
        json!(["memory really used", kibibytes(before.1, after.1), "KiB"]),
    ];
    print("threads", &["one thread", "costs", ""], rows);
}

/// Threads that do nothing until this is dropped.
struct Sleeping(Option<Sender<()>>, Vec<JoinHandle<()>>);

impl Sleeping {
    /// Returns once all of them have started.
    fn start() -> Self {
        let (wake, wait) = mpsc::channel();
        let wait = Arc::new(Mutex::new(wait));
        let all_ready = Arc::new(Barrier::new(THREADS + 1));
        let threads = (0..THREADS).map(|_| {
            let (wait, ready) = (wait.clone(), all_ready.clone());
            thread::spawn(move || {
                ready.wait();
                // One waits for the channel, the others for the lock.
                if let Ok(wait) = wait.lock() {
                    wait.recv().unwrap_or_default();
                }
            })
        });
        let threads = threads.collect();
        all_ready.wait();
        Self(Some(wake), threads)
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        self.0.take();
        for thread in self.1.drain(..) {
            thread.join().expect("it only slept");
        }
    }
}

/// The memory that is reserved and that is used, in kibibytes.
fn memory() -> (f64, f64) {
    let status = fs::read_to_string("/proc/self/status")
        .expect("this example needs Linux");
    let figure = |name| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {status}"))
    };
    (figure("VmSize:"), figure("VmRSS:"))
}
