// The server's side: who gets a share, and how its answer comes back.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use actix_web::{rt::spawn, web::Bytes};
use async_nats::Subscriber;
use common::{Settings, log};
use futures::{FutureExt, StreamExt, future::OptionFuture};
use serde::Serialize;
use tokio::{pin, select, sync::oneshot};

use crate::{
    engine::{Engine, connect},
    pool::{self, Pool},
    presence,
    progress::{Progress, Running},
    share::{Answer, Lost, Report, Seen, Share, Task},
};

/// Where shares go that don't stay here: to the workers of an engine, if there
/// is one.
pub struct Workers(Option<Arc<Engine>>);

/// What `GET /pool` answers: with an engine, also which workers are there, and
/// how many shares are in the queue.
#[derive(Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pool: pool::Figures,
    #[serde(flatten)]
    engine: Option<presence::Figures>,
}

impl Workers {
    /// Connects to the engine, if there is to be one.
    pub async fn new(settings: &Settings) -> Self {
        let engine = settings.engine.as_ref().map(|_| connect(settings));
        Self(OptionFuture::from(engine).await.map(Arc::new))
    }

    pub async fn figures(&self, pool: &Pool) -> Figures {
        let engine = self.0.as_ref().map(|it| presence::figures(it));
        let engine = OptionFuture::from(engine).await;
        Figures { pool: pool.figures(), engine }
    }
}

impl Running<'_> {
    /// Hands out a share, which is under way from then on. To drop what is
    /// returned is to stop it. Its `place` comes back with the answer.
    pub fn submit<T: Send + 'static>(
        &self,
        pool: &Pool,
        task: Task,
        place: T,
    ) -> impl Future<Output = Result<(Answer, T), Lost>> + use<T> {
        let progress = self.progress.clone();
        let receiver = match self.requests.workers.0.clone() {
            None => pool
                .submit(&self.permit, move || Ok((task.run(&progress), place))),
            Some(engine) => {
                let (mut sender, receiver) = oneshot::channel();
                spawn(async move {
                    let answer = carry(&engine, task, &progress, &mut sender);
                    let answer = answer.await.map(|it| (it, place));
                    sender.send(answer).ok();
                });
                receiver
            }
        };
        receiver.map(|answer| answer.unwrap_or(Err(Lost::Failed)))
    }
}

/// Brings a share to a worker, and its answer back. When nobody waits for that
/// any more, neither the queue nor a worker keeps the share.
async fn carry<T>(
    engine: &Engine,
    task: Task,
    progress: &Progress,
    sender: &mut oneshot::Sender<T>,
) -> Result<Answer, Lost> {
    engine.check().await?;
    let (size, mut patient) = (task.size(), matches!(task, Task::Summary(_)));
    let inbox = engine.client.new_inbox();
    let reports = engine.client.subscribe(inbox.clone()).await;
    let mut reports = reports.map_err(|_| Lost::NoEngine)?;
    let share = postcard::to_stdvec(&Share { inbox, task });
    let share = Bytes::from(share.map_err(|_| Lost::Failed)?);
    let which = 1 + progress.handed_out.fetch_add(1, Relaxed);
    let lost = engine.is_lost();
    pin!(lost);
    loop {
        let gone = || sender.is_closed();
        let number = engine.publish(&share, patient, gone).await?;
        let seen = |done: u64, worker| {
            let done = done.min(size);
            progress.see(which, Seen { size, done, worker });
        };
        let answer = select! {
            answer = follow(engine, &mut reports, size, seen) => answer,
            lost = &mut lost => Err(lost),
            () = sender.closed() => Err(Lost::TooOld),
            () = engine.is_gone(number, &share) => {
                patient = true;
                continue;
            }
        };
        match answer {
            Ok(_) => seen(size, String::new()),
            Err(_) => {
                engine.queue.delete_message(number).await.ok();
            }
        }
        return answer;
    }
}

/// Listens to what workers say of a share. A word back tells them that somebody
/// waits for it.
async fn follow(
    engine: &Engine,
    reports: &mut Subscriber,
    size: u64,
    seen: impl Fn(u64, String),
) -> Result<Answer, Lost> {
    while let Some(message) = reports.next().await {
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
    Err(Lost::NoEngine)
}
