// Threads that are started once, and a door that lets in only so many requests.

use std::{
    collections::BTreeMap,
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::shared::{Ending, Progress, Snapshot};

/// Jobs of cancelled requests leave the queue only when a thread is free.
const MOST_QUEUED: usize = 100_000;

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
    pub given_up: Arc<Notify>,
}

/// What `GET /pool` and `GET /progress` tell: threads and jobs, then requests.
#[derive(Clone, Default, Serialize)]
pub struct Figures {
    pub threads: usize,
    pub busy: usize,
    pub queued: usize,
    pub admitted: usize,
    pub refused: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub finished: u64,
    pub running: Vec<Snapshot>,
    /// The one that ended last.
    pub last: Option<Snapshot>,
    #[serde(skip)]
    begun: BTreeMap<u64, Arc<Progress>>,
    #[serde(skip)]
    ids: u64,
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
        let given_up = Arc::default();
        Ok(Self { jobs, queue, places, bound, figures, threads, given_up })
    }

    /// Lets a request in, or refuses it: the pool is full, or about to end.
    pub fn admit(&self, query: &str, total: u64) -> Option<Arc<Permit>> {
        let (jobs, figures) = (self.jobs.clone(), self.figures.clone());
        let mut now = lock(&self.figures);
        let place = self.places.clone().try_acquire_owned().ok();
        let queued = self.queue.len();
        let Some(place) = place.filter(|_| queued < MOST_QUEUED) else {
            now.refused += 1;
            return None;
        };
        now.admitted += 1;
        now.ids += 1;
        let progress = Arc::new(Progress::new(now.ids, query, total));
        drop(now);
        Some(Arc::new(Permit { jobs, figures, progress, _place: place }))
    }

    pub fn figures(&self) -> Figures {
        let (threads, queued) = (lock(&self.threads).len(), self.queue.len());
        let now = lock(&self.figures).clone();
        let running = now.begun.values().map(|p| p.snapshot(None));
        Figures { threads, queued, running: running.collect(), ..now }
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

/// A request's place in the pool. Its handler and its jobs that run share it:
/// the last to end gives it back. A job that is queued has no part in it.
pub struct Permit {
    pub progress: Arc<Progress>,
    jobs: Sender<Job>,
    figures: Arc<Mutex<Figures>>,
    _place: OwnedSemaphorePermit,
}

impl Permit {
    /// Queues `work`. The receiver gets its answer, or an error if it panics.
    pub fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Progress) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let permit = Arc::downgrade(self);
        let job = move || {
            // The handler has gone, and so has all that ran for it.
            let Some(permit) = permit.upgrade() else { return };
            let progress = permit.begin();
            let answer = catch_unwind(AssertUnwindSafe(|| work(&progress)));
            if answer.is_err() {
                progress.fail();
            }
            // First the place, then the answer: who has it may ask again.
            drop(permit);
            answer.map(|answer| sender.send(answer).ok()).ok();
        };
        // When the threads have ended, this drops the sender: an error too.
        self.jobs.send(Some(Box::new(job))).ok();
        receiver
    }

    fn begin(&self) -> Arc<Progress> {
        let begun = &mut lock(&self.figures).begun;
        begun.insert(self.progress.id, self.progress.clone());
        self.progress.clone()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut figures = lock(&self.figures);
        figures.admitted -= 1;
        figures.begun.remove(&self.progress.id);
        let ending = self.progress.ending();
        match ending {
            Ending::Finished => figures.finished += 1,
            Ending::Cancelled => figures.cancelled += 1,
            Ending::Failed => figures.failed += 1,
        }
        figures.last = Some(self.progress.snapshot(Some(ending)));
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
