// Threads that are started once, and the jobs that wait for them.

use std::{
    io, mem,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

pub struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts the threads. They end when the pool is dropped, after all jobs
    /// that are queued by then.
    pub fn start(threads: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        for number in 1..=threads.get() {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("pool {number}"))
                .spawn(move || run_jobs(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Queues `work`. Returns where its answer will arrive.
    pub fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        // Sending fails when nobody waits any more: then nobody is told. If
        // `work` panics, the sender is dropped, and the receiver is told.
        let job = Box::new(move || drop(sender.send(work())));
        self.jobs.send(job).ok();
        receiver
    }
}

/// What each thread does. It has a receiver of its own: with one in a lock, the
/// threads would take turns.
fn run_jobs(queue: &Receiver<Job>) {
    for job in queue {
        // A panic ends the job, not the thread. What it carries is dropped, and
        // if that panics once more, what that one carries is forgotten.
        let ended = catch_unwind(AssertUnwindSafe(job));
        mem::forget(catch_unwind(AssertUnwindSafe(|| drop(ended))));
    }
}
