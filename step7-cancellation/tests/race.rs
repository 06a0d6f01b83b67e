//! All ways in which a stop can meet threads that are about to finish: loom
//! runs each of them, with all that the weak orderings allow.

/// The shared state, on atomics and with a kernel that loom looks through.
mod model {
    use super::{fake_common as common, fake_std as std};

    include!("../src/shared.rs");
}

mod fake_std {
    pub use ::std::time;

    pub mod sync {
        pub use ::std::sync::OnceLock;
        pub use loom::sync::atomic;
    }
}

mod fake_common {
    pub use common::milliseconds;

    /// Counts without taking the time.
    pub fn count(rounds: u64) -> u64 {
        rounds
    }
}

use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use loom::{sync::Arc, thread};
use model::{CHUNK, Ending, Progress, StopGuard};

/// What the last owner says when it's dropped, as a request's permit does.
struct Request {
    progress: Progress,
    endings: std::sync::Arc<Mutex<Vec<(Ending, u64)>>>,
}

impl Drop for Request {
    fn drop(&mut self) {
        let ending = self.progress.ending();
        let done = self.progress.snapshot(None).done;
        self.endings.lock().unwrap().push((ending, done));
    }
}

/// Runs `body` with a request for `total` rounds, in all ways. Returns how
/// often it was finished, cancelled, failed.
fn check(
    total: u64,
    body: impl Fn(Arc<Request>) + Send + Sync + 'static,
) -> [u32; 3] {
    let counts: &'static [AtomicU32; 3] = Box::leak(Box::default());
    loom::model(move || {
        // Not one of loom's own: the model is to see the orderings alone.
        let endings: std::sync::Arc<Mutex<Vec<_>>> = Default::default();
        let progress = Progress::new(1, "", total);
        body(Arc::new(Request { progress, endings: endings.clone() }));

        let endings = endings.lock().unwrap();
        let [(ending, done)] = endings[..] else {
            panic!("it must end once: {endings:?}");
        };
        assert!(done <= total, "{done} of {total} rounds");
        assert_eq!(done == total, ending == Ending::Finished, "{done}");
        counts[ending as usize].fetch_add(1, SeqCst);
    });
    counts.each_ref().map(|count| count.load(SeqCst))
}

#[test]
fn a_stop_that_meets_the_last_chunk_gives_one_ending_that_fits_the_count() {
    let [finished, cancelled, failed] = check(CHUNK + 1, |request| {
        let threads = [CHUNK, 1].map(|share| {
            let request = request.clone();
            thread::spawn(move || {
                let result = request.progress.count(share);
                assert!(result.is_none_or(|result| result == share));
            })
        });
        drop(StopGuard(&request.progress));
        drop(request);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(finished > 0 && cancelled > 0, "both must have been tried");
    assert_eq!(failed, 0);
}

#[test]
fn a_share_that_starts_after_the_stop_counts_nothing() {
    let [finished, cancelled, failed] = check(CHUNK, |request| {
        request.progress.stop();
        let thread = thread::spawn(move || {
            assert_eq!(request.progress.count(CHUNK), None);
        });
        thread.join().unwrap();
    });
    assert_eq!((finished, failed), (0, 0));
    assert!(cancelled > 0);
}

#[test]
fn a_failed_share_counts_more_than_a_stop_that_comes_at_the_same_time() {
    let [finished, cancelled, failed] = check(CHUNK + 1, |request| {
        let threads = [
            thread::spawn({
                let request = request.clone();
                move || request.progress.fail()
            }),
            thread::spawn({
                let request = request.clone();
                move || _ = request.progress.count(CHUNK)
            }),
        ];
        request.progress.stop();
        drop(request);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!((finished, cancelled), (0, 0));
    assert!(failed > 0);
}

#[test]
fn whoever_looks_twice_never_sees_the_progress_go_back() {
    let [finished, cancelled, failed] = check(2 * CHUNK, |request| {
        let threads = [(); 2].map(|()| {
            let request = request.clone();
            thread::spawn(move || _ = request.progress.count(CHUNK))
        });
        let looks = [(); 3].map(|()| request.progress.snapshot(None).done);
        assert!(looks.is_sorted(), "{looks:?}");
        drop(request);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert!(finished > 0, "no addition is lost");
    assert_eq!((cancelled, failed), (0, 0));
}
