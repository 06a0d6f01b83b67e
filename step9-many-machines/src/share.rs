// What travels: a share of a request as data, and what is said of it.

use std::sync::Arc;

use actix_web::{
    ResponseError,
    http::StatusCode,
    rt::spawn,
    web::Data,
};
use async_nats::Subscriber;
use common::{BadLine, Settings, Table, log};
use futures::{FutureExt, StreamExt, future::OptionFuture};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio::{
    pin, select,
    sync::{Semaphore, oneshot},
};

use crate::{
    engine::{self, Engine},
    pool::{self, Pool},
    progress::{Progress, Running, Share as Seen},
};

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

/// A task, and where its worker sends reports: each gets an answer as long as
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

/// Who does the shares: the threads of this process or, through an engine,
/// workers on any machine.
pub struct Workers {
    pub pool: Data<Pool>,
    pub engine: Option<Arc<Engine>>,
    /// Of pieces of bodies that wait for a worker, or that one works on.
    pub places: Arc<Semaphore>,
}

/// What `GET /pool` answers: with an engine, also which workers are there, and
/// how many shares are in the queue.
#[derive(Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pool: pool::Figures,
    #[serde(flatten)]
    engine: Option<engine::Figures>,
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
}

impl Workers {
    /// Connects to the engine, if there is to be one.
    pub async fn new(settings: &Settings, pool: Data<Pool>) -> Self {
        let places = Arc::new(Semaphore::new(2 * settings.threads.get()));
        let engine = match settings.engine {
            Some(_) => Some(Arc::new(Engine::connect(settings).await)),
            None => None,
        };
        Self { pool, engine, places }
    }

    pub async fn figures(&self) -> Figures {
        let engine = self.engine.as_ref().map(|engine| engine.figures());
        let engine = OptionFuture::from(engine).await;
        Figures { pool: self.pool.figures(), engine }
    }

    /// Hands out a share, which is under way from then on. To drop what is
    /// returned is to stop it.
    pub fn submit(
        &self,
        running: &Running<'_>,
        task: Task,
    ) -> impl Future<Output = Result<Answer, Lost>> + use<> {
        let progress = running.progress.clone();
        let receiver = match self.engine.clone() {
            None => self
                .pool
                .submit(&running.permit, move || Ok(task.run(&progress))),
            Some(engine) => {
                let (sender, receiver) = oneshot::channel();
                spawn(carry(engine, task, progress, sender));
                receiver
            }
        };
        receiver.map(|answer| answer.unwrap_or(Err(Lost::Failed)))
    }
}

/// Brings a share to a worker, and its answer back. When nobody waits for that
/// any more, neither the queue nor a worker keeps the share.
async fn carry(
    engine: Arc<Engine>,
    task: Task,
    progress: Arc<Progress>,
    mut sender: oneshot::Sender<Result<Answer, Lost>>,
) {
    let (size, patient) = (task.size(), matches!(task, Task::Summary(_)));
    let inbox = engine.client.new_inbox();
    let sent = async {
        let reports = engine.client.subscribe(inbox.clone()).await;
        let share = Share { inbox: inbox.clone(), task };
        let gone = || sender.is_closed();
        let number = engine.publish(&share, patient, gone).await?;
        Ok((reports.map_err(|_| Lost::NoEngine)?, number))
    };
    let answer = match sent.await {
        Err(lost) => Err(lost),
        Ok((reports, number)) => {
            let seen = |done: u64, worker| {
                let done = done.min(size);
                progress.report(number, Seen { size, done, worker });
            };
            let answer = select! {
                answer = follow(&engine, reports, size, seen) => answer,
                () = sender.closed() => Err(Lost::TooOld),
            };
            match answer {
                Ok(_) => seen(size, String::new()),
                Err(_) => engine.take_back(number).await,
            }
            answer
        }
    };
    sender.send(answer).ok();
}

/// Listens to what workers say of a share. A word back tells them that somebody
/// waits for it.
async fn follow(
    engine: &Engine,
    mut reports: Subscriber,
    size: u64,
    seen: impl Fn(u64, String),
) -> Result<Answer, Lost> {
    let lost = engine.is_lost();
    pin!(lost);
    loop {
        let message = select! {
            Some(message) = reports.next() => message,
            lost = &mut lost => return Err(lost),
        };
        let answer = match postcard::from_bytes(&message.payload) {
            Ok(Report::Progress { done, worker }) => {
                seen(done, worker);
                None
            }
            Ok(Report::Done(Answer::Count(count))) if count > size => continue,
            Ok(Report::Done(answer)) => Some(Ok(answer)),
            Ok(Report::Failed) => Some(Err(Lost::Failed)),
            Err(_) => {
                log("a report that can't be read was ignored");
                continue;
            }
        };
        if let Some(reply) = message.reply {
            engine.client.publish(reply, "".into()).await.ok();
        }
        if let Some(answer) = answer {
            return answer;
        }
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
