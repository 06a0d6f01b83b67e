//! All ways in which a stop can meet threads that are about to finish: loom
//! runs each of them, with all that the weak orderings allow.

/// The shared state, on atomics and with a kernel that loom looks through.
#[allow(dead_code)] // The stream of events isn't looked at.
mod model {
    use super::{fake_common as common, fake_std as std};

    include!("../src/progress.rs");

    pub const ONE_CHUNK: u64 = CHUNK;

    impl Requests {
        /// Those that were done, cancelled and failed.
        pub fn endings(&self) -> [u64; 3] {
            let Ended { done, cancelled, failed, .. } = &self.ended;
            [done, cancelled, failed].map(|it| it.load(Relaxed))
        }

        pub fn are_over(&self) -> bool {
            self.lock().is_empty()
        }
    }

    impl Progress {
        pub fn rounds(&self) -> u64 {
            self.done.load(Relaxed)
        }
    }
}

mod pool {
    /// The door isn't what is looked at here.
    pub struct Pool;
    pub struct Permit;

    impl Pool {
        pub fn admit(&self) -> Option<Permit> {
            Some(Permit)
        }
    }
}

mod fake_std {
    pub use ::std::{cell, time};

    pub mod sync {
        pub use ::std::sync::Arc;
        pub use loom::sync::{Mutex, MutexGuard};

        pub mod atomic {
            pub use loom::sync::atomic::Ordering;

            /// Loom's, which can also be shown.
            macro_rules! atomic {
                ($($name:ident: $value:ty),*) => { $(
                    #[derive(Default)]
                    pub struct $name(loom::sync::atomic::$name);

                    impl $name {
                        pub fn load(&self, order: Ordering) -> $value {
                            self.0.load(order)
                        }
                    }

                    impl serde::Serialize for $name {
                        fn serialize<S: serde::Serializer>(
                            &self,
                            serializer: S,
                        ) -> Result<S::Ok, S::Error> {
                            self.load(Ordering::Relaxed).serialize(serializer)
                        }
                    }
                )* };
            }
            atomic!(AtomicU64: u64, AtomicBool: bool);

            impl AtomicBool {
                pub fn store(&self, value: bool, order: Ordering) {
                    self.0.store(value, order);
                }
            }

            impl AtomicU64 {
                pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
                    self.0.fetch_add(value, order)
                }
                pub fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
                    self.0.fetch_sub(value, order)
                }
            }
        }
    }
}

mod fake_common {
    pub use common::{EventStream, StopSignal};

    /// Counts without taking the time.
    pub fn count(rounds: u64) -> u64 {
        rounds
    }
}

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use futures::{FutureExt, future::ready};
use loom::thread;
use model::{ONE_CHUNK as CHUNK, Progress, Requests, Running};
use pool::Pool;

/// Runs `body` with a request for `total` rounds, in all ways. Returns how
/// often it was done, cancelled, failed.
fn check(
    total: u64,
    body: impl Fn(Running<'_>) + Send + Sync + 'static,
) -> [u64; 3] {
    let counts: &'static [AtomicU64; 3] = Box::leak(Box::default());
    loom::model(move || {
        let requests = Requests::new(ready(()).boxed().shared());
        let running = requests.begin(&Pool, "", total).expect("there is room");
        let progress = running.progress.clone();
        body(running);

        assert!(requests.are_over(), "it isn't listed any more");
        let endings = requests.endings();
        assert_eq!(endings.iter().sum::<u64>(), 1, "it must end once");
        let [done, ..] = endings;
        let rounds = progress.rounds();
        assert!(rounds <= total, "{rounds} of {total} rounds");
        assert!(done == 0 || rounds == total, "{rounds} of {total} rounds");
        for (count, ending) in counts.iter().zip(endings) {
            count.fetch_add(ending, SeqCst);
        }
    });
    counts.each_ref().map(|count| count.load(SeqCst))
}

/// A thread that counts a share.
fn count(progress: &Arc<Progress>, share: u64) -> thread::JoinHandle<u64> {
    let progress = progress.clone();
    thread::spawn(move || progress.count(share))
}

#[test]
fn a_stop_that_meets_the_last_chunk_gives_one_ending_that_fits_the_count() {
    // Of one thread: what two of them do to a sum is the last test's.
    let [done, cancelled, failed] = check(CHUNK + 1, |running| {
        let thread = count(&running.progress, CHUNK + 1);
        drop(running);
        let rounds = thread.join().unwrap();
        assert!([0, CHUNK, CHUNK + 1].contains(&rounds), "{rounds}");
    });
    assert!(done > 0 && cancelled > 0, "both must have been tried");
    assert_eq!(failed, 0);
}

#[test]
fn a_share_that_starts_after_the_stop_counts_nothing() {
    let [done, cancelled, failed] = check(CHUNK, |running| {
        let progress = running.progress.clone();
        drop(running);
        assert_eq!(count(&progress, CHUNK).join().unwrap(), 0);
    });
    assert_eq!((done, failed), (0, 0));
    assert!(cancelled > 0);
}

#[test]
fn a_request_that_failed_is_not_cancelled() {
    let [done, cancelled, failed] = check(CHUNK + 1, |running| {
        let thread = count(&running.progress, CHUNK);
        running.failed.set(true);
        drop(running);
        thread.join().unwrap();
    });
    assert_eq!((done, cancelled), (0, 0));
    assert!(failed > 0);
}

#[test]
fn whoever_looks_twice_never_sees_the_progress_go_back() {
    let [done, cancelled, failed] = check(2 * CHUNK, |running| {
        let thread = count(&running.progress, CHUNK);
        let looks = [(); 2].map(|()| running.progress.rounds());
        assert!(looks.is_sorted(), "{looks:?}");
        running.progress.count(CHUNK);
        assert_eq!(thread.join().unwrap(), CHUNK);
        assert_eq!(running.progress.rounds(), 2 * CHUNK, "none is lost");
    });
    assert!(done > 0);
    assert_eq!((cancelled, failed), (0, 0));
}
