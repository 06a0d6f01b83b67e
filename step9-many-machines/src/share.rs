// What travels: a task and its result, as data; and doing it.

use actix_web::{HttpResponse, ResponseError, http::header};
use common::{BadLine, Table, log};
use memchr::memchr_iter;
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

/// A piece's lines, and their table; or the first bad one.
pub type Part = Result<(u64, Table), BadLine>;

/// What comes of a task.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    Count(u64),
    Summary(Part),
}

/// What a worker process sends back, several times a second.
#[derive(Serialize, Deserialize)]
pub enum Report {
    SoFar(u64),
    Done(Answer),
    Failed,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    #[error("The worker failed; the server is still running.")]
    Failed,
    #[error("No workers are connected. Try again later.")]
    NoWorkers,
    #[error("The broker doesn't work. Try again later.")]
    Broker(String),
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
        match self {
            Self::Count(rounds) => Answer::Count(progress.count(rounds)),
            Self::Summary(piece) => {
                Answer::Summary(progress.work(piece.len(), || {
                    let mut table = Table::default();
                    table.add(&piece).map(|lines| (lines, table))
                }))
            }
            Self::Fail => panic!("/failing panics on purpose"),
        }
    }

    /// Whether an answer that arrived is one to this task, and to all of it.
    pub fn fits(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Count(rounds), Answer::Count(count)) => count == rounds,
            (Self::Summary(piece), Answer::Summary(part)) => {
                let piece = piece.strip_suffix(b"\n").unwrap_or(piece);
                let all = 1 + memchr_iter(b'\n', piece).count() as u64;
                let is_one = |bad: &BadLine| (1..=all).contains(&bad.number);
                part.as_ref().map_or_else(is_one, |(lines, _)| *lines == all)
            }
            _ => false,
        }
    }
}

impl Answer {
    pub fn count(self) -> Result<u64, Lost> {
        if let Self::Count(count) = self {
            Ok(count)
        } else {
            Err(Lost::Failed)
        }
    }

    pub fn summary(self) -> Result<Part, Lost> {
        if let Self::Summary(part) = self {
            Ok(part)
        } else {
            Err(Lost::Failed)
        }
    }
}

impl From<async_nats::Error> for Lost {
    fn from(error: async_nats::Error) -> Self {
        Self::Broker(error.to_string())
    }
}

impl ResponseError for Lost {
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::ServiceUnavailable();
        response.insert_header((header::RETRY_AFTER, "1"));
        match self {
            Self::Failed => response = HttpResponse::InternalServerError(),
            Self::NoWorkers => {}
            // For whoever runs the server, not for its clients.
            Self::Broker(cause) => log(format!("broker: {cause}")),
        }
        response
            .insert_header(header::ContentType::plaintext())
            .body(self.to_string())
    }
}
