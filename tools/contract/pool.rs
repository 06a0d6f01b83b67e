//! What the pool guarantees about admission, from step 5 on, whatever its jobs do.

#[allow(dead_code)] // `/pool` isn't served here.
mod pool {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/pool.rs"));
}

use std::{
    num::NonZeroUsize,
    sync::{
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Sender, channel},
    },
    thread,
};

use harness::wait_for;
use pool::Pool;
use serde_json::Value;

fn start(threads: usize, slots: usize) -> Pool {
    let threads = NonZeroUsize::new(threads).unwrap();
    Pool::start(threads, slots).unwrap()
}

fn figure(pool: &Pool, name: &str) -> usize {
    let figures: Value = serde_json::to_value(pool.status()).unwrap();
    figures[name].as_u64().expect(name) as usize
}

#[test]
fn many_threads_at_once_never_exceed_the_bound_and_each_job_is_settled() {
    const SLOTS: usize = 3;
    static INSIDE: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let pool = start(4, SLOTS);
    let all = [(); SLOTS].map(|()| pool.admit().unwrap());
    assert!(pool.admit().is_none());
    drop(all);
    let run_or_refuse = || {
        for number in 0..200 {
            let Some(permit) = pool.admit() else { continue };
            let panics = number % 7 == 0;
            let receiver = pool.submit(&permit, move || {
                MOST.fetch_max(INSIDE.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
                INSIDE.fetch_sub(1, SeqCst);
                assert!(!panics, "as a job may");
            });
            assert_eq!(receiver.blocking_recv().is_err(), panics);
        }
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(run_or_refuse);
        }
    });
    assert!((1..=SLOTS).contains(&MOST.load(SeqCst)), "{MOST:?}");
    wait_for("free slots", || figure(&pool, "admitted") == 0);
    assert_eq!(figure(&pool, "threads"), 4);
    assert_eq!(figure(&pool, "queued"), 0);
}

/// Tries to get a slot at the moment when it is dropped.
struct Asks(&'static Pool, Sender<bool>);

impl Drop for Asks {
    fn drop(&mut self) {
        self.1.send(self.0.admit().is_some()).unwrap();
    }
}

#[test]
fn a_client_with_its_result_finds_the_slot_free() {
    let pool: &Pool = Box::leak(Box::new(start(1, 1)));
    let permit = pool.admit().unwrap();
    let [(started, start), (go, wait), (asks, is_free)] =
        [(); 3].map(|()| channel());
    let receiver = pool.submit(&permit, move || {
        started.send(true).unwrap();
        wait.recv().unwrap();
        Asks(pool, asks)
    });
    start.recv().unwrap();
    // Nobody is left to take the result: it is dropped where it is sent.
    drop((receiver, permit));
    go.send(true).unwrap();
    assert!(is_free.recv().unwrap(), "the result is sent before the slot");
}
