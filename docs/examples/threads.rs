//! What a thread costs: the time to start one, and the memory that it takes
//! while it sleeps.

mod figures;

use std::{fs, sync::mpsc, thread};

use figures::{median_micros, print, three_digits};
use serde_json::json;

const THREADS: usize = 200;

fn main() {
    let start = median_micros(2_001, || {
        thread::spawn(|| ()).join().expect("it does nothing");
    });
    let before = memory();
    let (go, wait) = mpsc::channel::<()>();
    let (ready, all_ready) = mpsc::channel();
    let mut sleeping = Vec::new();
    let mut wake = Vec::new();
    for _ in 0..THREADS {
        let (go, wait) = mpsc::channel::<()>();
        let ready = ready.clone();
        wake.push(go);
        sleeping.push(thread::spawn(move || {
            ready.send(()).ok();
            wait.recv().ok();
        }));
    }
    (0..THREADS).for_each(|_| all_ready.recv().expect("each is ready once"));
    let after = memory();
    drop((wake, go, wait));
    for thread in sleeping {
        thread.join().expect("it only slept");
    }

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

/// What is reserved and what is used, in kibibytes.
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
