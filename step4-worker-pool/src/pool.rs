// Threads that are started once, and a door that lets in only so many requests.

use std::{
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

/// `None` ends the thread that takes it.
type Job = Option<Box<dyn FnOnce() + Send>>;

pub struct Pool {
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    places: Arc<Semaphore>,
    bound: u32,
    figures: Arc<Mutex<Figures>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Notified when the requests that are left will never be finished.
    pub given_up: Notify,
}

/// What `GET /pool` answers: threads and jobs, then requests.
#[derive(Clone, Default, Serialize)]
pub struct Figures {
    pub threads: usize,
    pub busy: usize,
    pub queued: usize,
    pub admitted: usize,
    pub refused: u64,
    pub failed: u64,
    pub finished: u64,
}

impl Pool {
    /// Starts the threads, each of which calls `first` before its first job.
    /// At most `bound` requests are admitted at a time.
    pub fn start(threads: usize, bound: u32, first: fn()) -> io::Result<Self> {
        let (jobs, queue) = unbounded();
        let figures = Arc::default();
        let threads = (1..=threads).map(|number| {
            let (queue, figures) = (queue.clone(), Arc::clone(&figures));
            let thread = thread::Builder::new().name(format!("pool {number}"));
            thread.spawn(move || run_jobs(first, &queue, &figures))
        });
        let threads = Mutex::new(threads.collect::<io::Result<_>>()?);
        let places = Arc::new(Semaphore::new(bound as usize));
        let given_up = Notify::new();
        Ok(Self { jobs, queue, places, bound, figures, threads, given_up })
    }

    /// Lets a request in, or refuses it: the pool is full, or about to end.
    pub fn admit(&self) -> Option<Arc<Permit>> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            lock(&self.figures).refused += 1;
            return None;
        };
        lock(&self.figures).admitted += 1;
        let (jobs, figures) = (self.jobs.clone(), self.figures.clone());
        let failed = Mutex::new(false);
        Some(Arc::new(Permit { jobs, figures, failed, _place: place }))
    }

    pub fn figures(&self) -> Figures {
        let (threads, queued) = (lock(&self.threads).len(), self.queue.len());
        Figures { threads, queued, ..lock(&self.figures).clone() }
    }

    /// Refuses requests from now on, and waits until the others are finished.
    pub async fn drain(&self) {
        // Who asks for all places is given each that becomes free.
        let places = self.places.acquire_many(self.bound).await;
        places.expect("the door is never closed").forget();
    }

    /// Ends the threads, after all jobs that are queued by now.
    pub fn join(&self) {
        let threads = mem::take(&mut *lock(&self.threads));
        threads.iter().for_each(|_| drop(self.jobs.send(None)));
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.join();
    }
}

/// A request's place in the pool. Its jobs share it: the last to end gives it
/// back, whether a handler still waits for the answer or not.
pub struct Permit {
    jobs: Sender<Job>,
    figures: Arc<Mutex<Figures>>,
    failed: Mutex<bool>,
    _place: OwnedSemaphorePermit,
}

impl Permit {
    /// Queues `work`. The receiver gets its answer, or an error if it panics.
    pub fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let permit = self.clone();
        let job = move || {
            let answer = catch_unwind(AssertUnwindSafe(work));
            *lock(&permit.failed) |= answer.is_err();
            // First the place, then the answer: who has it may ask again.
            drop(permit);
            answer.map(|answer| sender.send(answer).ok()).ok();
        };
        // When the threads have ended, this drops the sender: an error too.
        self.jobs.send(Some(Box::new(job))).ok();
        receiver
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut figures = lock(&self.figures);
        figures.admitted -= 1;
        let failed = *lock(&self.failed);
        figures.failed += u64::from(failed);
        figures.finished += u64::from(!failed);
    }
}

/// What each thread does. It has a receiver of its own: with one in a lock, the
/// threads would take turns.
fn run_jobs(first: fn(), queue: &Receiver<Job>, figures: &Mutex<Figures>) {
    first();
    while let Ok(Some(job)) = queue.recv() {
        lock(figures).busy += 1;
        // Dropping an answer that no one wants may panic too.
        mem::forget(catch_unwind(AssertUnwindSafe(job)));
        lock(figures).busy -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding a lock")
}
