// Threads that are started once, and the jobs that wait for them.

use std::{
    io, mem,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// A request's slot in the pool. Its handler and jobs share it: the last to end
/// releases it, even if that is a job whose handler is gone.
pub type Permit = Arc<OwnedSemaphorePermit>;

pub struct Pool {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
    slots: usize,
    free: Arc<Semaphore>,
}

/// What `GET /pool` returns: `queued` counts jobs, `admitted` requests.
#[derive(Serialize)]
pub struct Status {
    threads: usize,
    queued: usize,
    slots: usize,
    admitted: usize,
}

impl Pool {
    /// Starts the threads. At most `slots` requests are admitted at once.
    pub fn start(threads: NonZeroUsize, slots: usize) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        let start = |number| {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("pool {number}"))
                .spawn(move || run_jobs(queue))
        };
        let threads =
            (1..=threads.get()).map(start).collect::<Result<_, _>>()?;
        let free = Arc::new(Semaphore::new(slots));
        Ok(Self { jobs, threads, slots, free })
    }

    /// Admits a request, or refuses it when all slots are taken.
    pub fn admit(&self) -> Option<Permit> {
        self.free.clone().try_acquire_owned().ok().map(Arc::new)
    }

    /// Queues `work`. Returns where its result will arrive.
    pub fn submit<T: Send + 'static>(
        &self,
        permit: &Permit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let permit = permit.clone();
        // `send` fails if the handler was dropped: there is no one to tell. If
        // `work` panics, the sender is dropped, and the receiver gets an error.
        let job = Box::new(move || {
            let result = work();
            // Give up its part of the slot before replying, so that a client
            // that retries at once gets in.
            drop(permit);
            drop(sender.send(result));
        });
        self.jobs.send(job).ok();
        receiver
    }

    pub fn status(&self) -> Status {
        Status {
            threads: self.threads.len(),
            queued: self.jobs.len(),
            slots: self.slots,
            admitted: self.slots - self.free.available_permits(),
        }
    }
}

impl Drop for Pool {
    /// Waits until the threads have finished what is queued. (So a job must not
    /// own the pool: its thread would wait for itself.)
    fn drop(&mut self) {
        // The queue ends when its sender is gone.
        self.jobs = unbounded().0;
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// What each thread does, until the queue ends.
fn run_jobs(queue: Receiver<Job>) {
    for job in queue {
        run_caught(job);
    }
}

/// Runs a job, and keeps the thread alive if it panics. The panic's payload may
/// panic again when it is dropped, so that is caught too; what the second panic
/// carries is leaked.
fn run_caught(job: Job) {
    let result = catch_unwind(AssertUnwindSafe(job));
    mem::forget(catch_unwind(AssertUnwindSafe(|| drop(result))));
}
