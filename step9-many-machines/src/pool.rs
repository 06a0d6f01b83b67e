// Threads that are started once, and the jobs that wait for them.

use std::{
    io, mem,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use common::Priority;
use crossbeam_channel::{Receiver, Sender, unbounded};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Jobs whose request has ended leave the queue only when a thread is free.
const MOST_QUEUED: usize = 100_000;

type Job = Box<dyn FnOnce() + Send>;

/// A request's place in the pool. Its handler shares it with its jobs that run:
/// the last to end gives it back. A job that is queued has no part in it.
pub type Permit = Arc<OwnedSemaphorePermit>;

pub struct Pool {
    jobs: Sender<Job>,
    threads: NonZeroUsize,
    places: usize,
    free: Arc<Semaphore>,
}

/// What `GET /pool` answers: jobs that wait for a thread, then requests.
#[derive(Serialize)]
pub struct Figures {
    threads: NonZeroUsize,
    queued: usize,
    places: usize,
    admitted: usize,
}

impl Pool {
    /// Starts the threads. They end when the pool is dropped, after all jobs
    /// that are queued by then. At most `places` requests are admitted at once.
    pub fn start(
        threads: NonZeroUsize,
        priority: Priority,
        places: usize,
    ) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        for number in 1..=threads.get() {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("pool {number}"))
                .spawn(move || run_jobs(&queue, priority))?;
        }
        let free = Arc::new(Semaphore::new(places));
        Ok(Self { jobs, threads, places, free })
    }

    /// Lets a request in, or refuses it when all places are taken.
    pub fn admit(&self) -> Option<Permit> {
        if self.jobs.len() >= MOST_QUEUED {
            return None;
        }
        self.free.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// Queues `work`. Returns where its answer will arrive.
    pub fn submit<T: Send + 'static>(
        &self,
        permit: &Permit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let permit = Arc::downgrade(permit);
        // Sending fails when nobody waits any more: then nobody is told. If
        // `work` panics, the sender is dropped, and the receiver is told.
        let job = Box::new(move || {
            // The handler has gone, and so has all that ran for it.
            let Some(permit) = permit.upgrade() else { return };
            let answer = work();
            // First the place, then the answer: who has it may ask again.
            drop(permit);
            drop(sender.send(answer));
        });
        self.jobs.send(job).ok();
        receiver
    }

    pub fn figures(&self) -> Figures {
        let Self { threads, places, .. } = *self;
        let admitted = places - self.free.available_permits();
        Figures { threads, queued: self.jobs.len(), places, admitted }
    }
}

/// What each thread does. It has a receiver of its own: with one in a lock, the
/// threads would take turns.
fn run_jobs(queue: &Receiver<Job>, priority: Priority) {
    priority.apply();
    for job in queue {
        // A panic ends the job, not the thread. What it carries is forgotten:
        // to drop it may panic once more.
        mem::forget(catch_unwind(AssertUnwindSafe(job)));
    }
}
