// Threads that are started once, and the jobs that wait for them.

use std::{
    io, mem,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

pub struct Pool {
    jobs: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads.
    pub fn start(threads: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        let start = |number| {
            let queue = queue.clone();
            thread::Builder::new()
                .name(format!("pool {number}"))
                .spawn(move || run_jobs(queue))
        };
        let threads =
            (1..=threads.get()).map(start).collect::<Result<_, _>>()?;
        Ok(Self { jobs, threads })
    }

    /// Queues `work`. Returns where its result will arrive.
    pub fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        // `send` fails if the handler was dropped: there is no one to tell. If
        // `work` panics, the sender is dropped, and the receiver gets an error.
        let job = Box::new(move || drop(sender.send(work())));
        self.jobs.send(job).ok();
        receiver
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
