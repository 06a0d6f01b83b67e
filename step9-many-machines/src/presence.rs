// Whether a worker is there: a question that somebody answers, or nobody.

use std::time::Duration;

use actix_web::rt::{spawn, time::sleep};
use async_nats::{
    Client, Error, Message, Request, RequestErrorKind::NoResponders,
    Subscriber, connection::State,
};
use futures::{StreamExt, future::ready, stream};
use serde::Serialize;
use tokio::{select, sync::watch};

use crate::{engine::Engine, share::Lost, worker::PATIENCE};

/// One of the workers answers this, and each of them that.
const ANYBODY: &str = "anybody.1";
const EVERYBODY: &str = "everybody.1";

/// When so many questions in a row find no worker, there is none. When an
/// engine is started again, its workers are back long before.
const MISSED: u32 = 6;

/// Asks four times a second. Returns how many questions in a row have found no
/// worker.
pub fn watch(client: Client) -> watch::Receiver<u32> {
    let (missed, receiver) = watch::channel(0);
    spawn(async move {
        while !missed.is_closed() {
            match is_there(&client).await {
                Some(true) => missed.send_modify(|it| *it = 0),
                Some(false) => missed.send_modify(|it| *it += 1),
                None => {}
            }
            sleep(Duration::from_millis(250)).await;
        }
    });
    receiver
}

impl Engine {
    /// # Errors
    /// When a share would find no engine now, or no worker.
    pub async fn check(&self) -> Result<(), Lost> {
        if self.client.connection_state() != State::Connected {
            return Err(Lost::NoEngine);
        }
        let seen = *self.missed.borrow() == 0;
        // Or one has come since.
        match seen || is_there(&self.client).await == Some(true) {
            true => Ok(()),
            false => Err(Lost::NoWorker),
        }
    }

    /// Waits until a share that was published now can't be answered any more.
    pub async fn is_lost(&self) -> Lost {
        let age = self.queue.cached_info().config.max_age;
        let mut missed = self.missed.clone();
        select! {
            Ok(_) = missed.wait_for(|it| *it >= MISSED) => Lost::NoWorker,
            () = sleep(age) => Lost::TooOld,
        }
    }
}

/// Whether any worker is there; unknown while the engine can't be reached.
async fn is_there(client: &Client) -> Option<bool> {
    // Whoever is asked may be stopped, or out of reach: then all are asked.
    for subject in [ANYBODY, EVERYBODY] {
        let question = Request::new().timeout(Some(PATIENCE));
        match client.send_request(subject, question).await {
            Ok(_) => return Some(true),
            Err(it) if it.kind() == NoResponders => return Some(false),
            Err(_) => {}
        }
    }
    (client.connection_state() == State::Connected).then_some(false)
}

/// What `GET /pool` answers beside the pool's figures.
#[derive(Serialize)]
pub struct Figures {
    workers: Vec<String>,
    shares: u64,
}

/// Which workers are there, and how many shares wait for one or are worked on.
pub async fn figures(engine: &Engine) -> Figures {
    let workers = names(&engine.client).await.unwrap_or_default();
    let info = engine.queue.get_info().await;
    Figures { workers, shares: info.map_or(0, |it| it.state.messages) }
}

/// The names of the workers that answer within a tenth of a second.
async fn names(client: &Client) -> Result<Vec<String>, Error> {
    let inbox = client.new_inbox();
    let answers = client.subscribe(inbox.clone()).await?;
    client.publish_with_reply(EVERYBODY, inbox, "".into()).await?;
    let answers = answers.take_until(sleep(Duration::from_millis(100)));
    // When nobody is there, the engine says so.
    let answers = answers.filter(|it| ready(it.status.is_none()));
    let name = |it: Message| String::from_utf8_lossy(&it.payload).into();
    Ok(answers.map(name).collect().await)
}

/// Lets this process be found as a worker.
pub async fn be_there(client: &Client, name: &str) -> Result<(), Error> {
    let any = client.queue_subscribe(ANYBODY, "workers".into()).await?;
    let every = client.subscribe(EVERYBODY).await?;
    client.flush().await?;
    spawn(answer(client.clone(), any, every, name.to_owned()));
    Ok(())
}

async fn answer(
    client: Client,
    any: Subscriber,
    every: Subscriber,
    name: String,
) {
    let mut questions = stream::select(any, every);
    while let Some(question) = questions.next().await {
        if let Some(reply) = question.reply {
            client.publish(reply, name.clone().into()).await.ok();
        }
    }
}
