// What threads share: how far each request is, and how the others ended.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use std::time::Duration;

use actix_web::{Result, error, rt::time::sleep};
use common::{LimitSettings, count};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// How many rounds from one addition to the next; they take milliseconds.
const CHUNK: u64 = 10_000_000;

/// The requests that run, and how many others ended. As JSON, it's what an
/// event of `GET /progress` contains.
#[derive(Default, Serialize)]
pub struct Requests {
    running: Mutex<Vec<Arc<Progress>>>,
    #[serde(flatten)]
    ended: Ended,
}

#[derive(Default, Serialize)]
struct Ended {
    refused: AtomicU64,
    cancelled: AtomicU64,
    failed: AtomicU64,
    done: AtomicU64,
}

/// How far a request is, in rounds or bytes, and how many threads work for it.
#[derive(Default, Serialize)]
pub struct Progress {
    id: String,
    total: u64,
    pub done: AtomicU64,
    busy: AtomicU64,
    #[serde(skip)]
    pub stopped: AtomicBool,
}

impl Progress {
    /// Does work that is `size` of the total.
    pub fn work<T>(&self, size: usize, work: impl FnOnce() -> T) -> T {
        self.busy.fetch_add(1, Relaxed);
        let result = work();
        self.done.fetch_add(size as u64, Relaxed);
        self.busy.fetch_sub(1, Relaxed);
        result
    }

    /// Counts a share, chunk by chunk, to its end or until it is stopped.
    pub fn count(&self, share: u64) -> u64 {
        self.busy.fetch_add(1, Relaxed);
        let mut result = 0;
        while result < share && !self.stopped.load(Relaxed) {
            let chunk = count(CHUNK.min(share - result));
            // Relaxed: no addition is lost, and no other memory depends on it.
            self.done.fetch_add(chunk, Relaxed);
            result += chunk;
        }
        self.busy.fetch_sub(1, Relaxed);
        result
    }

    /// Notes how far a worker process is with a share: less than `before` if it
    /// was begun again.
    pub fn note(&self, before: &mut Option<u64>, done: u64, is_over: bool) {
        let old = before.replace(done);
        self.busy.fetch_add(old.is_none().into(), Relaxed);
        // Modulo 2^64: so it subtracts, too.
        self.done.fetch_add(done.wrapping_sub(old.unwrap_or(0)), Relaxed);
        self.busy.fetch_sub(is_over.into(), Relaxed);
    }
}

/// A request that runs, until this is dropped: then its threads stop.
pub struct Request<'a> {
    pub progress: Arc<Progress>,
    requests: &'a Requests,
    ending: &'a AtomicU64,
}

impl Requests {
    pub fn begin(&self, id: &str, total: u64) -> Request<'_> {
        let id = id.to_owned();
        let progress = Progress { id, total, ..Progress::default() };
        let progress = Arc::new(progress);
        self.lock().push(progress.clone());
        // Unless `end` says otherwise: the client left, or time ran out.
        let ending = &self.ended.cancelled;
        Request { progress, requests: self, ending }
    }

    pub fn refuse(&self) {
        self.ended.refused.fetch_add(1, Relaxed);
    }

    /// As JSON, and whether no request runs.
    pub fn status(&self) -> (serde_json::Result<String>, bool) {
        (serde_json::to_string(self), self.lock().is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Progress>>> {
        self.running.lock().expect("nobody panics while holding it")
    }
}

impl Request<'_> {
    /// Says how the request ended: its handler knows.
    pub fn end<T, E>(mut self, result: Result<T, E>) -> Result<T, E> {
        let Ended { done, failed, .. } = &self.requests.ended;
        self.ending = if result.is_ok() { done } else { failed };
        result
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.progress.stopped.store(true, Relaxed);
        self.ending.fetch_add(1, Relaxed);
        self.requests.lock().retain(|one| !Arc::ptr_eq(one, &self.progress));
    }
}

/// Waits for `work`, but drops it after `limit`, or when a shutdown has no more
/// time for it.
pub async fn in_time<T>(
    settings: &LimitSettings,
    stop: &CancellationToken,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T> {
    let shutdown = async {
        stop.cancelled().await;
        // The rest of the time is for the responses to leave.
        sleep(settings.shutdown_timeout.mul_f64(0.9)).await;
    };
    tokio::select! {
        result = work => Ok(result),
        () = sleep(limit) => Err(error::ErrorGatewayTimeout(
            "The request timed out and its work was stopped.",
        )),
        () = shutdown => Err(error::ErrorServiceUnavailable(
            "The server is shutting down.",
        )),
    }
}
