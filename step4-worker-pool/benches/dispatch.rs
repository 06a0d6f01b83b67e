//! The cost of having another thread do a job: jobs of 1 µs, 100 µs and 10 ms, a
//! batch at a time, with as many threads as there are cores.
//!
//! `cargo bench -p step4-worker-pool`
//!
//! The time of a batch divided by that of `inline` (the same jobs without another
//! thread) is what you gain from the threads, or pay for them. To measure it over
//! HTTP, start a step with `--iterations 1000` and point any load generator at it,
//! for instance `wrk -c 16 -d 10 http://127.0.0.1:3000/blocking`.

#[path = "../src/pool.rs"]
mod pool;

use std::{
    hint::black_box,
    num::NonZeroUsize,
    thread,
    time::{Duration, Instant},
};

use common::count;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pool::Pool;
use rayon::ThreadPoolBuilder;
use tokio::{runtime, sync::oneshot, task::spawn_blocking};

/// How many rounds take that long, on this machine, right now.
fn rounds(time: Duration) -> u64 {
    const SAMPLE: u64 = 20_000_000;
    let start = Instant::now();
    count(SAMPLE);
    (SAMPLE as f64 * time.as_secs_f64() / start.elapsed().as_secs_f64()) as u64
}

fn dispatch(criterion: &mut Criterion) {
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let pool = Pool::start(threads).expect("threads can be started");
    let cores = threads.get();
    let rayon = ThreadPoolBuilder::new().num_threads(cores).build();
    let rayon = rayon.expect("threads can be started");
    let tokio = runtime::Builder::new_current_thread()
        .max_blocking_threads(cores)
        .build()
        .expect("a runtime can be made");

    for (job, time, batch) in [
        ("1 µs", Duration::from_micros(1), 256),
        ("100 µs", Duration::from_micros(100), 64),
        ("10 ms", Duration::from_millis(10), 8),
    ] {
        let rounds = rounds(time);
        let work = move || black_box(count(rounds));
        let check = |sum: u64| assert_eq!(sum, batch * rounds);

        let mut group = criterion.benchmark_group(format!("jobs of {job}"));
        group.throughput(Throughput::Elements(batch)).sample_size(20);
        group.bench_function("inline", |bencher| {
            bencher.iter(|| check((0..batch).map(|_| work()).sum()));
        });
        group.bench_function("thread per job", |bencher| {
            bencher.iter(|| {
                let threads: Vec<_> =
                    (0..batch).map(|_| thread::spawn(work)).collect();
                let answer = |t: thread::JoinHandle<_>| t.join().expect("fine");
                check(threads.into_iter().map(answer).sum());
            });
        });
        group.bench_function("this pool", |bencher| {
            bencher.iter(|| {
                let receivers: Vec<_> =
                    (0..batch).map(|_| pool.submit(work)).collect();
                check(receivers.into_iter().map(answer).sum());
            });
        });
        group.bench_function("rayon", |bencher| {
            bencher.iter(|| {
                let receivers: Vec<_> = (0..batch)
                    .map(|_| {
                        let (sender, receiver) = oneshot::channel();
                        rayon.spawn(move || {
                            sender.send(work()).expect("it waits");
                        });
                        receiver
                    })
                    .collect();
                check(receivers.into_iter().map(answer).sum());
            });
        });
        group.bench_function("spawn_blocking", |bencher| {
            bencher.iter(|| {
                tokio.block_on(async {
                    let handles: Vec<_> =
                        (0..batch).map(|_| spawn_blocking(work)).collect();
                    let mut sum = 0;
                    for handle in handles {
                        sum += handle.await.expect("fine");
                    }
                    check(sum);
                });
            });
        });
        group.finish();
    }
}

fn answer(receiver: oneshot::Receiver<u64>) -> u64 {
    receiver.blocking_recv().expect("the job doesn't panic")
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
