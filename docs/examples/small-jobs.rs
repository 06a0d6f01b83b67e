//! What it costs to have a job done by another thread: one that is started
//! for it, or one of a pool. One job at a time, from asking to the answer.

#[path = "../../step4-worker-pool/src/pool.rs"]
#[allow(dead_code)] // Nothing but the dispatch is measured.
mod pool;

mod figures;

use std::{
    thread,
    time::{Duration, Instant},
};

use common::{count, short};
use figures::{median_micros, print};
use pool::Pool;
use serde_json::json;

fn main() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let pool = Pool::start(cores, 1, || ()).expect("threads can be started");
    let mut rows = Vec::new();
    for (micros, runs) in [(1, 5_001), (100, 1_001), (10_000, 51)] {
        let rounds = rounds(Duration::from_micros(micros));
        let inline = median_micros(runs, || {
            assert_eq!(count(rounds), rounds);
        });
        let spawned = median_micros(runs, || {
            let thread = thread::spawn(move || count(rounds));
            assert_eq!(thread.join().expect("it counts"), rounds);
        });
        let pooled = median_micros(runs, || {
            let permit = pool.admit().expect("one request at a time");
            let answer = permit.submit(move || count(rounds));
            drop(permit);
            assert_eq!(answer.blocking_recv(), Ok(rounds));
        });
        let job = short(Duration::from_micros(micros));
        rows.push(json!([job, inline, pooled, spawned]));
    }
    let columns =
        ["a job of", "done here (µs)", "by a pool (µs)", "a new thread (µs)"];
    print("small-jobs", &columns, rows);
}

/// How many rounds take so long, on this machine, now.
fn rounds(time: Duration) -> u64 {
    const SAMPLE: u64 = 50_000_000;
    let start = Instant::now();
    count(SAMPLE);
    (SAMPLE as f64 * time.as_secs_f64() / start.elapsed().as_secs_f64()) as u64
}
