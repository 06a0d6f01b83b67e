//! What a thread costs: the time to start one, and the memory it takes while it
//! sleeps.

mod figures;

use std::{
    fs,
    sync::{Arc, Barrier},
    thread,
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
    start_sleeping();
    let before = memory();
    start_sleeping();
    let after = memory();

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

/// Starts threads that sleep until the program ends.
fn start_sleeping() {
    let all_ready = Arc::new(Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let ready = all_ready.clone();
        thread::spawn(move || {
            ready.wait();
            loop {
                thread::park();
            }
        });
    }
    all_ready.wait();
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
