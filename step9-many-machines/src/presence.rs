// Whether a worker is there: a question that somebody answers, or nobody.

use std::time::Duration;

use actix_web::rt::{spawn, time::sleep};
use async_nats::{
    Client, Error, Message, RequestErrorKind::NoResponders, Subscriber,
};
use futures::{StreamExt, future::ready, stream::select};
use serde::Serialize;
use tokio::sync::watch;

use crate::engine::Engine;

/// One of the workers answers this, and each of them that.
const ANYBODY: &str = "anybody.1";
const EVERYBODY: &str = "everybody.1";

/// When so many questions in a row find no worker, there is none. When an
/// engine is started again, its workers are back long before.
const MISSED: u32 = 6;

/// How many questions in a row have found no worker.
pub struct Presence(watch::Receiver<u32>);

impl Presence {
    /// Asks now, and then four times a second.
    pub async fn watch(client: Client) -> Self {
        let (sender, missed) = watch::channel(0);
        ask(&client, &sender).await;
        spawn(async move {
            while !sender.is_closed() {
                sleep(Duration::from_millis(250)).await;
                ask(&client, &sender).await;
            }
        });
        Self(missed)
    }

    /// Whether the last question has found a worker.
    pub fn is_seen(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Waits until the last worker has gone.
    pub async fn is_lost(&self) {
        self.0.clone().wait_for(|it| *it >= MISSED).await.ok();
    }
}

async fn ask(client: &Client, missed: &watch::Sender<u32>) {
    match client.request(ANYBODY, "".into()).await {
        Ok(_) => missed.send_modify(|it| *it = 0),
        Err(it) if it.kind() == NoResponders => {
            missed.send_modify(|it| *it = it.saturating_add(1));
        }
        // The engine itself can't be reached.
        Err(_) => {}
    }
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
    spawn(answer(client.clone(), any, every, name.to_owned()));
    Ok(())
}

async fn answer(
    client: Client,
    any: Subscriber,
    every: Subscriber,
    name: String,
) {
    let mut questions = select(any, every);
    while let Some(question) = questions.next().await {
        if let Some(reply) = question.reply {
            client.publish(reply, name.clone().into()).await.ok();
        }
    }
}
