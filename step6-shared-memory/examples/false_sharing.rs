//! What sharing costs: threads that count together, in four ways.
//!
//! cargo run --release -p step6-shared-memory --example false_sharing

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use common::short;
use crossbeam_utils::CachePadded;

/// How many rounds each thread counts.
pub const ROUNDS: u64 = 20_000_000;

/// How often each way is measured. The ways take turns.
const RUNS: usize = 7;

/// A way to count: its name, and what it does with that many threads.
pub type Way = (&'static str, fn(usize) -> u64);

/// All the ways; the last is the one the others are compared with.
pub const WAYS: [Way; 4] = [
    ("one atomic for all", one_atomic),
    ("one each, in one cache line", neighbours),
    ("one each, padded apart", padded),
    ("counted locally, then merged", merged),
];

fn main() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    println!(
        "{cores} cores; {ROUNDS} rounds per thread; median of {RUNS} runs"
    );
    for threads in [1, cores.max(2)] {
        table(threads);
    }
}

fn table(threads: usize) {
    let mut times = WAYS.map(|_| Vec::new());
    for _ in 0..RUNS {
        for ((name, count), times) in WAYS.iter().zip(&mut times) {
            let start = Instant::now();
            let result = count(threads);
            times.push(start.elapsed());
            assert_eq!(result, ROUNDS * threads as u64, "{name}");
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    let median = |times: &[Duration]| times[RUNS / 2];
    let local = median(&times[WAYS.len() - 1]).as_secs_f64();

    let title = format!("{threads} thread(s)");
    println!("\n{title:<32}{:>10}{:>22}{:>8}", "time", "from - to", "ratio");
    for ((name, _), times) in WAYS.iter().zip(&times) {
        let (least, most) = (short(times[0]), short(times[RUNS - 1]));
        println!(
            "{name:<32}{:>10}{:>22}{:>7.1}x",
            short(median(times)),
            format!("{least} - {most}"),
            median(times).as_secs_f64() / local,
        );
    }
}

/// All threads add to the same atomic: its cache line goes from core to core.
fn one_atomic(threads: usize) -> u64 {
    let total = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| add_to(&total));
        }
    });
    total.into_inner()
}

/// Each thread has its own, but the cache line they are in goes from core to core
/// all the same: false sharing.
fn neighbours(threads: usize) -> u64 {
    let totals: Vec<AtomicU64> = (0..threads).map(|_| 0.into()).collect();
    thread::scope(|scope| {
        for total in &totals {
            scope.spawn(|| add_to(total));
        }
    });
    totals.into_iter().map(AtomicU64::into_inner).sum()
}

/// Each thread has its own cache line. What remains is the price of an atomic.
fn padded(threads: usize) -> u64 {
    let total = |_| CachePadded::new(AtomicU64::new(0));
    let totals: Vec<_> = (0..threads).map(total).collect();
    thread::scope(|scope| {
        for total in &totals {
            scope.spawn(|| add_to(total));
        }
    });
    totals.into_iter().map(|it| it.into_inner().into_inner()).sum()
}

/// Each thread counts in a register, and adds to the shared count once.
fn merged(threads: usize) -> u64 {
    let total = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| total.fetch_add(count(), Relaxed));
        }
    });
    total.into_inner()
}

fn add_to(total: &AtomicU64) {
    for _ in 0..ROUNDS {
        total.fetch_add(black_box(1), Relaxed);
    }
}

fn count() -> u64 {
    let mut local = 0;
    for _ in 0..ROUNDS {
        local += black_box(1);
    }
    local
}
