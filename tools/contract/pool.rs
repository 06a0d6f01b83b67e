//! What the pool guarantees about admission, from step 5 on, whatever its jobs do.

#[allow(dead_code)] // `/pool` isn't served here.
mod pool {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/pool.rs"));
}

use std::{
    num::NonZeroUsize,
    panic::panic_any,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use pool::{Permit, Pool};
use proptest::prelude::*;
use serde_json::Value;

fn start(threads: usize, slots: usize) -> Pool {
    let threads = NonZeroUsize::new(threads).unwrap();
    Pool::start(threads, slots).unwrap()
}

fn figure(pool: &Pool, name: &str) -> usize {
    let figures: Value = serde_json::to_value(pool.status()).unwrap();
    figures[name].as_u64().expect(name) as usize
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never happened");
        thread::yield_now();
    }
}

/// A panic whose payload panics again when it is dropped.
struct Worse;

impl Drop for Worse {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("and once more");
        }
    }
}

/// Returns only if that many jobs run at once.
fn meet(pool: &Pool, permit: &Permit, threads: usize) {
    let meeting = Arc::new(Barrier::new(threads));
    let receivers: Vec<_> = (0..threads)
        .map(|_| {
            let meeting = meeting.clone();
            pool.submit(permit, move || meeting.wait().is_leader())
        })
        .collect();
    let leaders = receivers.into_iter().map(|it| it.blocking_recv().unwrap());
    assert_eq!(leaders.filter(|leader| *leader).count(), 1);
}

/// What one of the test's jobs does.
#[derive(Clone, Copy, Debug)]
enum Work {
    Answers,
    Panics,
    PanicsTwice,
}

fn requests() -> impl Strategy<Value = Vec<Vec<Work>>> {
    let work = prop_oneof![
        4 => Just(Work::Answers),
        1 => Just(Work::Panics),
        1 => Just(Work::PanicsTwice),
    ];
    prop::collection::vec(prop::collection::vec(work, 0..5), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_job_of_an_admitted_request_is_settled_exactly_once(
        threads in 1_usize..5,
        slots in 1_usize..6,
        requests in requests(),
    ) {
        let pool = start(threads, slots);
        let runs = Arc::new(AtomicUsize::new(0));
        let (mut jobs, mut refused) = (0, 0);
        let mut waiting = Vec::new();
        for works in &requests {
            let Some(permit) = pool.admit() else {
                refused += 1;
                prop_assert_eq!(figure(&pool, "admitted"), slots);
                // These requests have their results, and release their slots.
                waiting.clear();
                continue;
            };
            for work in works.iter().copied() {
                jobs += 1;
                let runs = runs.clone();
                let receiver = pool.submit(&permit, move || {
                    runs.fetch_add(1, SeqCst);
                    match work {
                        Work::Answers => (),
                        Work::Panics => panic!("as a job may"),
                        Work::PanicsTwice => panic_any(Worse),
                    }
                });
                let answers = matches!(work, Work::Answers);
                prop_assert_eq!(receiver.blocking_recv().is_ok(), answers);
            }
            waiting.push(permit);
        }
        drop(waiting);
        prop_assert_eq!(runs.load(SeqCst), jobs);
        prop_assert!(refused == 0 || requests.len() > slots);
        wait_for(|| figure(&pool, "admitted") == 0);
        prop_assert_eq!(figure(&pool, "threads"), threads);
        prop_assert_eq!(figure(&pool, "queued"), 0);
        meet(&pool, &pool.admit().expect("all slots are free"), threads);
    }
}

#[test]
fn many_threads_at_once_never_exceed_the_bound() {
    const SLOTS: usize = 3;
    let pool = start(4, SLOTS);
    let [inside, most, ran, refused] =
        [(); 4].map(|()| Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let Some(permit) = pool.admit() else {
                        refused.fetch_add(1, SeqCst);
                        continue;
                    };
                    let (inside, most) = (inside.clone(), most.clone());
                    let receiver = pool.submit(&permit, move || {
                        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, SeqCst);
                    });
                    receiver.blocking_recv().unwrap();
                    ran.fetch_add(1, SeqCst);
                }
            });
        }
    });
    let (ran, refused) = (ran.load(SeqCst), refused.load(SeqCst));
    assert_eq!(ran + refused, 16_000);
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} were refused");
    assert!(most.load(SeqCst) <= SLOTS);
    wait_for(|| figure(&pool, "admitted") == 0);
}

#[test]
fn a_client_with_its_result_finds_the_slot_free() {
    let pool = start(2, 1);
    for i in 0..10_000 {
        let permit = pool.admit().unwrap_or_else(|| panic!("refused: {i}"));
        let receiver = pool.submit(&permit, move || i);
        // As when a client has its result before the handler has ended.
        assert_eq!(receiver.blocking_recv(), Ok(i));
        drop(permit);
    }
}
