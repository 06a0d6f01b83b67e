// What threads share: how far each request is, and how the others have ended.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use actix_web::{Responder, rt::time::sleep, web::Data};
use common::{EventStream, StopSignal, count};
use futures::stream::try_unfold;
use serde::Serialize;

use crate::dispatch::Workers;
use crate::pool::{Permit, Pool};

/// How many rounds from one look at the flag to the next: milliseconds.
const CHUNK: u64 = 10_000_000;

/// The admitted requests, and how many others there were.
pub struct Requests {
    running: Mutex<Vec<Arc<Progress>>>,
    ended: Ended,
    pub stop: StopSignal,
    pub workers: Workers,
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
    pub total: AtomicU64,
    pub done: AtomicU64,
    busy: AtomicU64,
    pub shares: crate::share::Shares,
    #[serde(skip)]
    pub handed_out: AtomicU64,
    #[serde(skip)]
    pub stopped: AtomicBool,
}

/// A request from its admission to its end. Its threads stop when this is
/// dropped: with the handler, however that ends.
pub struct Running<'a> {
    pub permit: Permit,
    pub progress: Arc<Progress>,
    pub failed: Cell<bool>,
    pub requests: &'a Requests,
}

/// What an event of `GET /progress` tells.
#[derive(Serialize)]
struct Figures<'a> {
    #[serde(flatten)]
    ended: &'a Ended,
    running: Vec<Arc<Progress>>,
}

impl Requests {
    pub fn new(stop: StopSignal, workers: Workers) -> Self {
        let (running, ended) = Default::default();
        Self { running, ended, stop, workers }
    }

    /// Lets a request for so many rounds or bytes in, or refuses it.
    pub fn begin(
        &self,
        pool: &Pool,
        id: &str,
        total: u64,
    ) -> Option<Running<'_>> {
        let Some(permit) = pool.admit() else {
            // Relaxed: no addition is ever lost, and nothing else goes with it.
            self.ended.refused.fetch_add(1, Relaxed);
            return None;
        };
        let id = id.to_owned();
        let total = AtomicU64::new(total);
        let progress = Progress { id, total, ..Progress::default() };
        let progress = Arc::new(progress);
        self.lock().push(progress.clone());
        let failed = Cell::new(false);
        Some(Running { permit, progress, failed, requests: self })
    }

    fn figures(&self) -> Figures<'_> {
        Figures { ended: &self.ended, running: self.lock().clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Progress>>> {
        self.running.lock().expect("nobody panics while holding it")
    }
}

impl Progress {
    /// Does work that is so much of the total.
    pub fn work<T>(&self, size: u64, work: impl FnOnce() -> T) -> T {
        self.busy.fetch_add(1, Relaxed);
        let answer = work();
        self.done.fetch_add(size, Relaxed);
        self.busy.fetch_sub(1, Relaxed);
        answer
    }

    /// Counts a share, chunk by chunk, to its end or until it's told to stop.
    pub fn count(&self, share: u64) -> u64 {
        self.busy.fetch_add(1, Relaxed);
        let mut result = 0;
        // Relaxed: no other memory depends on it; late is soon enough.
        while result < share && !self.stopped.load(Relaxed) {
            let chunk = count(CHUNK.min(share - result));
            self.done.fetch_add(chunk, Relaxed);
            result += chunk;
        }
        self.busy.fetch_sub(1, Relaxed);
        result
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Progress { total, done, .. } = &*self.progress;
        self.progress.stopped.store(true, Relaxed);
        let ended = &self.requests.ended;
        match done.load(Relaxed) == total.load(Relaxed) {
            _ if self.failed.get() => ended.failed.fetch_add(1, Relaxed),
            true => ended.done.fetch_add(1, Relaxed),
            false => ended.cancelled.fetch_add(1, Relaxed),
        };
        self.requests.lock().retain(|it| !Arc::ptr_eq(it, &self.progress));
    }
}

/// Server-sent events: the figures when they have changed, at most ten times a
/// second, and a comment now and then when they haven't. When the server stops,
/// they end with the last request.
pub fn events(requests: Data<Requests>) -> impl Responder {
    EventStream(try_unfold(String::new(), move |before| {
        let requests = requests.clone();
        async move {
            for _ in 0..50 {
                sleep(Duration::from_millis(100)).await;
                let figures = requests.figures();
                let now = serde_json::to_string(&figures)?;
                if now != before {
                    let event = format!("data: {now}\n\n");
                    return Ok(Some((event.into(), now)));
                }
                let stops = requests.stop.peek().is_some();
                if stops && figures.running.is_empty() {
                    return Ok(None);
                }
            }
            Ok(Some((": nothing new\n\n".into(), before)))
        }
    }))
}
