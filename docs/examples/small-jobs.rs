//! The cost of having another thread do a job: a new thread, or one from a pool.
//! One job at a time, from handing it over to having its result.

#[path = "../../step4-worker-pool/src/pool.rs"]
mod pool;

mod figures;

use std::{num::NonZeroUsize, thread, time::Duration};

use common::count;
use figures::{medians, print};
use pool::Pool;
use rayon::ThreadPoolBuilder;
use serde_json::json;
use tokio::{runtime::Builder, sync::oneshot};

fn main() {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let pool = Pool::start(cores).expect("threads can be started");
    let rayon = ThreadPoolBuilder::new().num_threads(cores.get()).build();
    let rayon = rayon.expect("threads can be started");
    let tokio = Builder::new_current_thread().build();
    let tokio = tokio.expect("a runtime can be made");
    let mut rows = Vec::new();
    for (micros, runs) in [(1, 5_001), (100, 1_001), (10_000, 51)] {
        let rounds = rounds(Duration::from_micros(micros));
        let work = move || count(rounds);
        let mut here = || assert_eq!(work(), rounds);
        let mut by_pool = || {
            let answer = pool.submit(work);
            assert_eq!(answer.blocking_recv(), Ok(rounds));
        };
        let mut by_rayon = || {
            let (sender, answer) = oneshot::channel();
            rayon.spawn(move || sender.send(work()).expect("it waits"));
            assert_eq!(answer.blocking_recv(), Ok(rounds));
        };
        let mut by_tokio = || {
            let answer = tokio.block_on(tokio.spawn_blocking(work));
            assert_eq!(answer.expect("it counts"), rounds);
        };
        let mut by_a_thread = || {
            let answer = thread::spawn(work).join();
            assert_eq!(answer.expect("it counts"), rounds);
        };
        rows.push(json!(medians(
            runs,
            [
                &mut here,
                &mut by_pool,
                &mut by_a_thread,
                &mut by_rayon,
                &mut by_tokio,
            ],
        )));
    }
    let columns = [
        "a job done where it is (µs)",
        "handed to a pool (µs)",
        "to a new thread (µs)",
        "to rayon's pool (µs)",
        "to `spawn_blocking` (µs)",
    ];
    print("small-jobs", &columns, rows);
}

/// How many rounds take that long, on this machine, right now.
fn rounds(time: Duration) -> u64 {
    let mut rounds = 1_000;
    // The longer the sample, the better the guess: the last is about right.
    for _ in 0..5 {
        let [taken] = medians(21, [&mut || assert_eq!(count(rounds), rounds)]);
        rounds = (rounds as f64 * time.as_secs_f64() * 1e6 / taken) as u64;
    }
    rounds
}
