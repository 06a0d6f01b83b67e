// What travels: a task and its answer, as data; and doing it.

use actix_web::http::header::{ContentType, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use common::{BadLine, Table, count_lines, log};
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

/// Progress reports, and finally a count, or lines and their table.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    SoFar(u64),
    Count(u64),
    Summary(Result<(u64, Table), BadLine>),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Lost {
    #[error("The worker failed; the server is still running.")]
    Failed,
    #[error("No workers are connected. Try again later.")]
    NoWorkers,
    #[error("The broker can't be used right now. Try again later.")]
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

    /// Whether an answer that arrived answers this task, and covers all of it.
    pub fn fits(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Count(rounds), Answer::Count(count)) => count == rounds,
            (Self::Summary(piece), Answer::Summary(part)) => match part {
                Ok((lines, _)) => *lines == count_lines(piece),
                Err(bad) => bad.number <= count_lines(piece),
            },
            _ => false,
        }
    }
}

impl ResponseError for Lost {
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::ServiceUnavailable();
        response.insert_header((RETRY_AFTER, "1"));
        match self {
            Self::Failed => response = HttpResponse::InternalServerError(),
            Self::NoWorkers => {}
            Self::Broker(cause) => log(format!("broker: {cause}")),
        }
        response.insert_header(ContentType::plaintext()).body(self.to_string())
    }
}
