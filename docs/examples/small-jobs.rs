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
use figures::{medians, print};
use pool::Pool;
use serde_json::json;

fn main() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let pool = Pool::start(cores, 1, || ()).expect("threads can be started");
    let mut rows = Vec::new();
    for (micros, runs) in [(1, 5_001), (100, 1_001), (10_000, 51)] {
        let rounds = rounds(Duration::from_micros(micros));
        let mut here = || assert_eq!(count(rounds), rounds);
        let mut by_pool = || {
            let permit = pool.admit().expect("one request at a time");
            let answer = permit.submit(move || count(rounds));
            drop(permit);
            assert_eq!(answer.blocking_recv(), Ok(rounds));
        };
        let mut by_a_thread = || {
            let thread = thread::spawn(move || count(rounds));
            assert_eq!(thread.join().expect("it counts"), rounds);
        };
        let [here, by_pool, by_a_thread] =
            medians(runs, [&mut here, &mut by_pool, &mut by_a_thread]);
        let job = short(Duration::from_micros(micros));
        rows.push(json!([job, here, by_pool, by_a_thread]));
    }
    let columns =
        ["a job of", "done here (µs)", "by a pool (µs)", "a new thread (µs)"];
    print("small-jobs", &columns, rows);
}

/// How many rounds take so long, on this machine, now.
fn rounds(time: Duration) -> u64 {
    const SAMPLE: u64 = 2_000_000;
    let samples = (0..20).map(|_| {
        let start = Instant::now();
        count(SAMPLE);
        start.elapsed()
    });
    let fastest = samples.min().expect("there are twenty").as_secs_f64();
    (SAMPLE as f64 * time.as_secs_f64() / fastest) as u64
}
