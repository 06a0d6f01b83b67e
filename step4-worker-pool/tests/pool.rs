//! What the pool guarantees, whatever its jobs do.

mod pool {
    include!("../src/pool.rs");
}

use std::{
    num::NonZeroUsize,
    panic::panic_any,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use pool::Pool;

fn start(threads: usize) -> Pool {
    Pool::start(NonZeroUsize::new(threads).unwrap()).unwrap()
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
fn meet(pool: &Pool, threads: usize) {
    let meeting = Arc::new(Barrier::new(threads));
    let receivers: Vec<_> = (0..threads)
        .map(|_| {
            let meeting = meeting.clone();
            pool.submit(move || meeting.wait().is_leader())
        })
        .collect();
    let leaders = receivers.into_iter().map(|it| it.blocking_recv().unwrap());
    assert_eq!(leaders.filter(|leader| *leader).count(), 1);
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_threads() {
    meet(&start(8), 8);
}

#[test]
fn a_panic_whose_payload_panics_when_it_is_dropped_costs_no_thread() {
    let pool = start(2);
    for _ in 0..10 {
        let receiver = pool.submit(|| panic_any(Worse));
        assert!(
            receiver.blocking_recv().is_err(),
            "it gets an error, and isn't left waiting"
        );
        // A result that nobody is waiting for panics when it is dropped.
        let (go, wait) = mpsc::channel::<()>();
        drop(pool.submit(move || {
            wait.recv().ok();
            Worse
        }));
        drop(go);
    }
    meet(&pool, 2);
}

#[test]
fn dropping_the_pool_finishes_the_queued_jobs() {
    let runs = Arc::new(AtomicUsize::new(0));
    let pool = start(2);
    let receivers: Vec<_> = (0..100)
        .map(|_| {
            let runs = runs.clone();
            pool.submit(move || runs.fetch_add(1, SeqCst))
        })
        .collect();
    drop(pool);
    assert!(receivers.into_iter().all(|it| it.blocking_recv().is_ok()));
    assert_eq!(runs.load(SeqCst), 100);
}

#[test]
fn every_job_is_settled_exactly_once() {
    for threads in 1..5 {
        // Four jobs that panic or don't, in every order, again and again.
        for pattern in 0..16 {
            settle(threads, |job| pattern >> (job % 4) & 1 == 1);
        }
    }
}

fn settle(threads: usize, panics: impl Fn(usize) -> bool) {
    let pool = start(threads);
    let runs = Arc::new(AtomicUsize::new(0));
    let receivers: Vec<_> = (0..50)
        .map(|job| {
            let (panics, runs) = (panics(job), runs.clone());
            pool.submit(move || {
                runs.fetch_add(1, SeqCst);
                assert!(!panics, "as a job may");
            })
        })
        .collect();
    for (job, receiver) in receivers.into_iter().enumerate() {
        assert_eq!(receiver.blocking_recv().is_err(), panics(job), "{job}");
    }
    assert_eq!(runs.load(SeqCst), 50);
    meet(&pool, threads);
}
