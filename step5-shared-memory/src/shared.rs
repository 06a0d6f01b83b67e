// What a request shares with the threads that count for it: atomics, no lock.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use common::{count, milliseconds};
use serde::Serialize;

/// How many rounds from one look at the stop flag to the next: milliseconds.
pub const CHUNK: u64 = 10_000_000;

/// How far a request is, and whether it goes on.
pub struct Progress {
    pub id: u64,
    query: String,
    total: u64,
    begun: OnceLock<Instant>,
    done: AtomicU64,
    stopped: AtomicBool,
    failed: AtomicBool,
}

/// What can be seen of it at one moment.
#[derive(Clone, Serialize)]
pub struct Snapshot {
    pub id: u64,
    /// What stood behind the question mark: a client knows its request by it.
    pub query: String,
    pub done: u64,
    pub total: u64,
    pub elapsed_ms: f64,
    pub rounds_per_second: u64,
    pub ending: Option<Ending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    Finished,
    Cancelled,
    Failed,
}

impl Progress {
    pub fn new(id: u64, query: &str, total: u64) -> Self {
        Self {
            id,
            query: query.chars().take(40).collect(),
            total,
            begun: OnceLock::new(),
            done: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Counts a share, chunk by chunk, to its end or until it's told to stop.
    pub fn count(&self, share: u64) -> Option<u64> {
        self.begun.get_or_init(Instant::now);
        let mut result = 0;
        while result < share {
            // Relaxed: no other memory depends on it; late is soon enough.
            if self.stopped.load(Relaxed) {
                return None;
            }
            let chunk = count(CHUNK.min(share - result));
            // Relaxed: no addition is ever lost, and nothing else goes with it.
            self.done.fetch_add(chunk, Relaxed);
            result += chunk;
        }
        Some(result)
    }

    pub fn stop(&self) {
        // Relaxed: nothing was written that those who see it must see too.
        self.stopped.store(true, Relaxed);
    }

    /// Its handler is told by the receiver, and drops the guard.
    pub fn fail(&self) {
        // Relaxed: only the last owner reads it, and Arc orders that.
        self.failed.store(true, Relaxed);
    }

    /// How it ended. To be asked by its last owner, when nothing runs any more.
    pub fn ending(&self) -> Ending {
        if self.failed.load(Relaxed) {
            Ending::Failed
        } else if self.done.load(Relaxed) == self.total {
            Ending::Finished
        } else {
            Ending::Cancelled
        }
    }

    pub fn snapshot(&self, ending: Option<Ending>) -> Snapshot {
        let elapsed = self.begun.get().map_or(Duration::ZERO, Instant::elapsed);
        // Relaxed: whoever looks again never sees less, in any ordering.
        let done = self.done.load(Relaxed);
        Snapshot {
            id: self.id,
            query: self.query.clone(),
            done,
            total: self.total,
            elapsed_ms: milliseconds(elapsed),
            rounds_per_second: (done as f64 / elapsed.as_secs_f64()) as u64,
            ending,
        }
    }
}

/// Tells the threads to stop when it is dropped: with the handler that waits.
pub struct StopGuard<'a>(pub &'a Progress);

impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
