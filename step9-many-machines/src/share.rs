// What travels: a share of a request as data, and what is said of it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::Ordering::Relaxed},
};

use actix_web::{ResponseError, http::StatusCode};
use common::{BadLine, Table};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::progress::Progress;

/// A closure can't travel; this can.
#[derive(Serialize, Deserialize)]
pub enum Task {
    Count(u64),
    Summary(ByteBuf),
    Fail,
}

/// A count, or the lines of a piece and what they come to.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    Count(u64),
    Summary(Result<(u64, Table), BadLine>),
}

/// A task, and where its worker sends reports: each gets a word back as long as
/// somebody waits for it.
#[derive(Serialize, Deserialize)]
pub struct Share {
    pub inbox: String,
    pub task: Task,
}

#[derive(Serialize, Deserialize)]
pub enum Report {
    Progress { done: u64, worker: String },
    Done(Answer),
    Failed,
}

/// Why a client doesn't get its answer.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("The worker failed. The server goes on.")]
    Failed,
    #[error("No worker is there. Start one, or try again later.")]
    NoWorker,
    #[error("The engine can't be reached. Try again later.")]
    NoEngine,
    #[error("The queue is full. Try again later.")]
    Full,
    #[error("It has waited too long for a worker. Try again later.")]
    TooOld,
}

/// The shares of a request that workers have, by number.
#[derive(Default, Serialize)]
pub struct Shares(Mutex<BTreeMap<u64, Seen>>);

/// How far a worker is with a share, in rounds or bytes.
#[derive(Serialize)]
pub struct Seen {
    pub size: u64,
    pub done: u64,
    pub worker: String,
}

impl Task {
    /// In rounds or bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Count(rounds) => *rounds,
            Self::Summary(piece) => piece.len() as u64,
            Self::Fail => 1,
        }
    }

    /// What a thread does with it, here or on another machine.
    pub fn run(self, progress: &Progress) -> Answer {
        let size = self.size();
        match self {
            Self::Count(rounds) => Answer::Count(progress.count(rounds)),
            Self::Summary(piece) => {
                Answer::Summary(progress.work(size, || {
                    let mut table = Table::default();
                    table.add(&piece).map(|lines| (lines, table))
                }))
            }
            Self::Fail => panic!("/failing panics on purpose"),
        }
    }
}

impl Answer {
    /// The rounds that were counted; 0 if the task was another one.
    pub fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Summary(_) => 0,
        }
    }

    /// What a piece comes to; nothing if the task was another one.
    pub fn summary(self) -> Result<(u64, Table), BadLine> {
        match self {
            Self::Count(_) => Ok((0, Table::default())),
            Self::Summary(part) => part,
        }
    }
}

impl Progress {
    /// Takes down how far a share is: less than before, if its worker has died
    /// and another has begun it anew. Once it is done, it is nobody's.
    pub fn see(&self, which: u64, seen: Seen) {
        let mut shares = self.shares.0.lock().expect("nobody panics here");
        let Seen { size, done, .. } = seen;
        let before = match done < size {
            true => shares.insert(which, seen),
            false => shares.remove(&which),
        };
        // Added up modulo 2^64: it may be negative.
        let more = done.wrapping_sub(before.map_or(0, |it| it.done));
        self.done.fetch_add(more, Relaxed);
    }
}

impl ResponseError for Lost {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
