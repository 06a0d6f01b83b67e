//! The laws of the pool, whatever is asked of it and in which order.

#[path = "../src/pool.rs"]
#[allow(dead_code)] // Only the handlers wait for a pool that gives up.
mod pool;
#[path = "../src/shared.rs"]
#[allow(dead_code)] // Nor is anything here told to stop.
mod shared;

use std::{
    panic::panic_any,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use pool::{Figures, Permit, Pool};
use proptest::prelude::*;
use tokio::sync::oneshot::Receiver;

fn nothing() {}

/// Admits a request that counts nothing: when its jobs end, it's finished.
fn admit(pool: &Pool) -> Option<Arc<Permit>> {
    pool.admit("", 0)
}

fn wait_for(pool: &Pool, what: impl Fn(&Figures) -> bool) -> Figures {
    let start = Instant::now();
    loop {
        let figures = pool.figures();
        if what(&figures) {
            return figures;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "it never comes");
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

/// What a job of the test does.
#[derive(Clone, Copy, Debug)]
enum Work {
    Answers,
    Panics,
    PanicsTwice,
    AnswersWorse,
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        4 => Just(Work::Answers),
        1 => Just(Work::Panics),
        1 => Just(Work::PanicsTwice),
        1 => Just(Work::AnswersWorse),
    ]
}

/// Requests, each of which is some jobs, and whether it waits for them.
fn requests() -> impl Strategy<Value = Vec<(Vec<Work>, bool)>> {
    let request = (prop::collection::vec(work(), 0..5), any::<bool>());
    prop::collection::vec(request, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_job_of_an_admitted_request_is_settled_exactly_once(
        threads in 1_usize..5,
        bound in 1_u32..6,
        requests in requests(),
    ) {
        let pool = Pool::start(threads, bound, nothing).unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        let (mut jobs, mut refused) = (0, 0);
        let (mut failed, mut perhaps_failed) = (0, 0);
        let (mut awaited_jobs, mut permits) = (0, Vec::new());
        let mut waiting: Vec<(Work, Receiver<Option<Worse>>)> = Vec::new();

        for (works, waits) in &requests {
            let Some(permit) = admit(&pool) else {
                refused += 1;
                continue;
            };
            jobs += works.len();
            let panics = |w: &Work| matches!(w, Work::Panics | Work::PanicsTwice);
            let panics = u64::from(works.iter().any(panics));
            perhaps_failed += panics;
            if *waits {
                failed += panics;
                awaited_jobs += works.len();
                permits.push(permit.clone());
            }
            for work in works.iter().copied() {
                let runs = runs.clone();
                let receiver = permit.submit(move |_| {
                    runs.fetch_add(1, SeqCst);
                    match work {
                        Work::Answers => None,
                        Work::Panics => panic!("as a job may"),
                        Work::PanicsTwice => panic_any(Worse),
                        Work::AnswersWorse => Some(Worse),
                    }
                });
                if *waits {
                    waiting.push((work, receiver));
                }
            }
            prop_assert!(pool.figures().admitted <= bound as usize);
        }
        for (work, receiver) in waiting {
            match (work, receiver.blocking_recv()) {
                (Work::Answers, Ok(None)) => (),
                (Work::AnswersWorse, Ok(Some(worse))) => std::mem::forget(worse),
                (Work::Panics | Work::PanicsTwice, Err(_)) => (),
                (work, _) => prop_assert!(false, "{work:?} ended otherwise"),
            }
        }

        drop(permits);
        let end = wait_for(&pool, |f| {
            f.admitted == 0 && f.busy == 0 && f.queued == 0
        });
        // Those that nobody waited for ran or not, as it came.
        let runs = runs.load(SeqCst);
        prop_assert!((awaited_jobs..=jobs).contains(&runs), "{runs}");
        prop_assert_eq!(end.threads, threads);
        prop_assert_eq!(end.refused, refused);
        prop_assert!((failed..=perhaps_failed).contains(&end.failed));
        prop_assert_eq!(
            end.finished + end.failed + end.refused,
            requests.len() as u64
        );

        // All threads are still there: so many jobs can run at once.
        let permit = admit(&pool).expect("nobody is there any more");
        let meeting = Arc::new(Barrier::new(threads));
        let receivers: Vec<_> = (0..threads)
            .map(|_| {
                let meeting = meeting.clone();
                permit.submit(move |_| meeting.wait().is_leader())
            })
            .collect();
        for receiver in receivers {
            prop_assert!(receiver.blocking_recv().is_ok());
        }
    }
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_threads() {
    let pool = Pool::start(8, 1, nothing).unwrap();
    let permit = admit(&pool).unwrap();
    // Each waits for all others: with one running at a time, none would end.
    let meeting = Arc::new(Barrier::new(8));
    let receivers: Vec<_> = (0..8)
        .map(|_| {
            let meeting = meeting.clone();
            permit.submit(move |_| meeting.wait().is_leader())
        })
        .collect();
    let leaders = receivers.into_iter().map(|r| r.blocking_recv().unwrap());
    assert_eq!(leaders.filter(|leader| *leader).count(), 1);
}

#[test]
fn many_threads_at_the_door_never_get_in_beyond_the_bound() {
    const BOUND: usize = 3;
    let pool = Pool::start(4, BOUND as u32, nothing).unwrap();
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (inside, most) = (Arc::new(inside), Arc::new(most));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let Some(permit) = admit(&pool) else { continue };
                    let (inside, most) = (inside.clone(), most.clone());
                    let receiver = permit.submit(move |_| {
                        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, SeqCst);
                    });
                    receiver.blocking_recv().unwrap();
                }
            });
        }
    });
    let end = wait_for(&pool, |figures| figures.admitted == 0);
    assert_eq!(end.finished + end.refused, 16_000);
    assert!(end.finished > 0 && end.refused > 0, "both must have happened");
    assert!(most.load(SeqCst) <= BOUND);
}

#[test]
fn a_place_is_given_back_when_the_work_ends_not_when_the_waiting_does() {
    let pool = Pool::start(1, 1, nothing).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let permit = admit(&pool).unwrap();
    let (started, start) = std::sync::mpsc::channel();
    drop(permit.submit(move |_| started.send(()).map(|()| wait.recv())));
    start.recv().unwrap();
    drop(permit);
    assert!(admit(&pool).is_none(), "the job still runs");
    go.send(()).unwrap();
    wait_for(&pool, |_| admit(&pool).is_some());
}

#[test]
fn who_has_the_answer_finds_the_place_free() {
    let pool = Pool::start(2, 1, nothing).unwrap();
    for i in 0..10_000 {
        let permit = admit(&pool).unwrap_or_else(|| panic!("refused: {i}"));
        let receiver = permit.submit(move |_| i);
        assert_eq!(receiver.blocking_recv(), Ok(i));
        drop(permit);
    }
}

#[test]
fn dropping_the_pool_runs_what_is_queued_and_waits_for_the_threads() {
    let runs = Arc::new(AtomicUsize::new(0));
    let pool = Pool::start(2, 1, nothing).unwrap();
    let permit = admit(&pool).unwrap();
    for _ in 0..100 {
        let runs = runs.clone();
        drop(permit.submit(move |_| runs.fetch_add(1, SeqCst)));
    }
    drop(pool);
    assert_eq!(runs.load(SeqCst), 100);
    // The threads have dropped their clones: they are gone.
    assert_eq!(Arc::strong_count(&runs), 1);

    let late = permit.submit(|_| "too late");
    assert!(late.blocking_recv().is_err(), "told, and not left waiting");
}

#[test]
fn draining_refuses_new_requests_and_waits_for_the_others() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let pool = Pool::start(1, 2, nothing).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let permit = admit(&pool).unwrap();
    let receiver = permit.submit(move |_| wait.recv());

    runtime.block_on(async {
        let soon = Duration::from_millis(50);
        let drained = tokio::time::timeout(soon, pool.drain()).await;
        assert!(drained.is_err(), "a job runs");
        tokio::join!(pool.drain(), async {
            tokio::task::yield_now().await;
            assert!(admit(&pool).is_none(), "nobody is let in any more");
            go.send(()).unwrap();
            drop(permit);
        });
    });
    assert_eq!(receiver.blocking_recv(), Ok(Ok(())));
    assert!(admit(&pool).is_none(), "not even now");
}

#[test]
fn a_job_whose_handler_has_gone_never_starts_wherever_it_is_queued() {
    for gone in 0..3 {
        let pool = Pool::start(1, 4, nothing).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let busy = admit(&pool).unwrap();
        drop(busy.submit(move |_| wait.recv()));
        wait_for(&pool, |figures| figures.busy == 1);

        let (seen, order) = std::sync::mpsc::channel();
        let mut permits: Vec<_> = (0..3)
            .map(|number| {
                let (permit, seen) = (admit(&pool).unwrap(), seen.clone());
                drop(permit.submit(move |_| seen.send(number)));
                permit
            })
            .collect();
        drop(permits.remove(gone));
        assert_eq!(pool.figures().admitted, 3, "its place is free at once");
        go.send(()).unwrap();
        drop((busy, seen));
        let ran: Vec<usize> = order.iter().collect();
        let expected: Vec<usize> = (0..3).filter(|i| *i != gone).collect();
        assert_eq!(ran, expected, "the others run, in their order");
    }
}

#[test]
fn requests_that_come_and_go_do_not_fill_the_memory() {
    let pool = Pool::start(1, 2, nothing).unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let busy = admit(&pool).unwrap();
    drop(busy.submit(move |_| wait.recv()));
    wait_for(&pool, |figures| figures.busy == 1);
    let come_and_go = || admit(&pool).map(|it| drop(it.submit(|_| ())));
    let admitted = (0..1_000_000).map_while(|_| come_and_go()).count();
    assert!((10_000..200_000).contains(&admitted), "{admitted}");

    go.send(()).unwrap();
    drop(busy);
    wait_for(&pool, |figures| figures.queued == 0);
    assert!(admit(&pool).is_some(), "there is room again");
}
