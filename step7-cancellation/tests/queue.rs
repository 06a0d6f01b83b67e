//! What the pool does with jobs that nobody is waiting for.

#[allow(dead_code)] // `/pool` isn't used here.
mod pool {
    include!("../src/pool.rs");
}

use std::{
    num::NonZeroUsize,
    sync::mpsc::{Sender, channel},
};

use pool::{Permit, Pool};

/// A pool whose only thread is held up until the sender is dropped.
fn held_up(slots: usize) -> (Pool, Permit, Sender<()>) {
    let pool = Pool::start(NonZeroUsize::MIN, slots);
    let pool = pool.unwrap();
    let permit = pool.admit().unwrap();
    let (go, wait) = channel::<()>();
    let (started, start) = channel();
    drop(pool.submit(&permit, move || {
        started.send(()).unwrap();
        wait.recv().ok();
    }));
    start.recv().unwrap();
    (pool, permit, go)
}

#[test]
fn a_job_whose_handler_has_gone_never_starts_wherever_it_is_queued() {
    for gone in 0..3 {
        let (pool, busy, go) = held_up(4);
        let (seen, order) = channel();
        let mut permits: Vec<_> = (0..3)
            .map(|number| {
                let (permit, seen) = (pool.admit().unwrap(), seen.clone());
                drop(pool.submit(&permit, move || seen.send(number)));
                permit
            })
            .collect();
        assert!(pool.admit().is_none(), "all slots are taken");
        drop(permits.remove(gone));
        drop(pool.admit().expect("its slot is free at once"));
        drop((go, busy, seen));
        let ran: Vec<usize> = order.iter().collect();
        let expected: Vec<usize> = (0..3).filter(|i| *i != gone).collect();
        assert_eq!(ran, expected, "the others run, in their order");
    }
}

#[test]
fn a_million_requests_that_come_and_go_do_not_fill_the_memory() {
    let (pool, _busy, go) = held_up(2);
    let come_and_go = || pool.admit().map(|it| drop(pool.submit(&it, || ())));
    let admitted = (0..1_000_000).map_while(|_| come_and_go()).count();
    assert!((10_000..200_000).contains(&admitted), "{admitted}");

    drop(go);
    harness::wait_for("a free slot", || pool.admit().is_some());
}
