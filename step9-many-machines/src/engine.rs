// The engine between servers and workers: a queue of shares that survives all
// of them.

use std::time::Duration;

use actix_web::rt::{spawn, time::sleep};
use async_nats::{
    Client, ConnectOptions, Message,
    RequestErrorKind::NoResponders,
    ServerAddr,
    connection::State,
    jetstream::{
        self, Context,
        consumer::{PullConsumer, pull},
        context::PublishErrorKind::{Other, StreamNotFound},
        stream::{Config, DiscardPolicy, RetentionPolicy, Stream},
    },
};
use common::Settings;
use futures::StreamExt;
use serde::Serialize;
use tokio::{select, sync::watch};

use crate::share::{Lost, Share};

/// Their last part is the version of what is said: who speaks another one
/// doesn't hear of it.
const SHARES: &str = "shares.1";
pub const PRESENCE: &str = "workers.1";
pub const EVERYBODY: &str = "everybody.1";

/// When so many questions in a row find no worker, there is none. An engine
/// that was started again finds them all within half of that.
const MISSED: u32 = 6;

pub struct Engine {
    pub client: Client,
    context: Context,
    queue: Stream,
    replicas: usize,
    missed: watch::Receiver<u32>,
}

/// What `GET /pool` answers beside the pool's figures.
#[derive(Serialize)]
pub struct Figures {
    workers: Vec<String>,
    shares: u64,
}

impl Engine {
    /// Ends the process when there is none, when it doesn't let this process
    /// in, or when it has no queue.
    pub async fn connect(settings: &Settings) -> Self {
        let engine = Self::try_connect(settings).await;
        engine.unwrap_or_else(|error| settings.cannot_use_engine(error))
    }

    async fn try_connect(
        settings: &Settings,
    ) -> Result<Self, async_nats::Error> {
        let urls = settings.engine.as_deref().ok_or("NATS_URL isn't set")?;
        let urls = urls.split(',').map(str::parse::<ServerAddr>);
        let urls = urls.collect::<Result<Vec<_>, _>>()?;
        let mut options = ConnectOptions::new()
            .request_timeout(Some(Duration::from_secs(1)))
            .reconnect_delay_callback(|_| Duration::from_millis(100));
        // In the URL they would be ignored.
        let secrets = urls.first().map(|it| (it.username(), it.password()));
        options = match secrets {
            Some((Some(user), Some(password))) => {
                options.user_and_password(user.into(), password.into())
            }
            Some((Some(token), None)) => options.token(token.into()),
            _ => options,
        };
        if let Some(file) = settings.engine_ca.clone() {
            options = options.add_root_certificates(file);
        }
        let client = options.connect(urls).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(Duration::from_secs(1));
        let replicas = settings.replicas;
        let queue = queue(&context, replicas).await?;
        let (sender, missed) = watch::channel(0);
        look_for_a_worker(&client, &sender).await;
        spawn(keep_looking(client.clone(), sender));
        Ok(Self { client, context, queue, replicas, missed })
    }

    /// Where a worker takes shares from.
    pub async fn consumer(&self) -> Result<PullConsumer, async_nats::Error> {
        let config = pull::Config {
            durable_name: Some("workers-1".into()),
            filter_subject: SHARES.into(),
            ack_wait: Duration::from_secs(1),
            max_ack_pending: 10_000,
            ..pull::Config::default()
        };
        let queue = queue(&self.context, self.replicas).await?;
        Ok(queue.get_or_create_consumer("workers-1", config).await?)
    }

    /// Puts a share into the queue, and returns its number there. When the
    /// queue is full, those who are patient wait until they are `gone`.
    pub async fn publish(
        &self,
        share: &Share,
        patient: bool,
        gone: impl Fn() -> bool,
    ) -> Result<u64, Lost> {
        if self.client.connection_state() != State::Connected {
            return Err(Lost::NoEngine);
        }
        if *self.missed.borrow() > 0 {
            return Err(Lost::NoWorker);
        }
        let share = postcard::to_stdvec(share).map_err(|_| Lost::Failed)?;
        loop {
            let sent = self.context.publish(SHARES, share.clone().into());
            match async { sent.await?.await }.await {
                Ok(kept) => return Ok(kept.sequence),
                Err(it) if it.kind() == Other && !patient => {
                    return Err(Lost::Full);
                }
                Err(it) if it.kind() == StreamNotFound => {
                    queue(&self.context, self.replicas).await.ok();
                }
                // It may be there twice now: one answer counts.
                Err(_) => {}
            }
            if gone() {
                return Err(Lost::TooOld);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The workers that answer within a tenth of a second, and how many shares
    /// wait for one or are worked on.
    pub async fn figures(&self) -> Figures {
        let inbox = self.client.new_inbox();
        let mut workers = Vec::new();
        if let Ok(answers) = self.client.subscribe(inbox.clone()).await {
            let asked =
                self.client.publish_with_reply(EVERYBODY, inbox, "".into());
            asked.await.ok();
            let time = sleep(Duration::from_millis(100));
            let text =
                |it: Message| String::from_utf8_lossy(&it.payload).into();
            workers = answers.take_until(time).map(text).collect().await;
        }
        let info = self.queue.get_info().await;
        let shares = info.map_or(0, |it| it.state.messages);
        Figures { workers, shares }
    }

    /// Takes a share out of the queue that nobody waits for any more.
    pub async fn take_back(&self, number: u64) {
        self.queue.delete_message(number).await.ok();
    }

    /// Waits until a share that was published now can't be answered any more.
    pub async fn is_lost(&self) -> Lost {
        let mut missed = self.missed.clone();
        let age = self.queue.cached_info().config.max_age;
        select! {
            Ok(_) = missed.wait_for(|it| *it >= MISSED) => Lost::NoWorker,
            () = sleep(age) => Lost::TooOld,
        }
    }
}

/// The queue, which is made where there is none.
async fn queue(
    context: &Context,
    replicas: usize,
) -> Result<Stream, async_nats::Error> {
    let config = Config {
        name: "SHARES".into(),
        subjects: vec!["shares.*".into()],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: 10_000,
        max_bytes: 256 << 20,
        max_age: Duration::from_secs(600),
        num_replicas: replicas,
        ..Config::default()
    };
    Ok(context.get_or_create_stream(config).await?)
}

/// Asks four times a second whether a worker is there, and counts how often in
/// a row there was none.
async fn keep_looking(client: Client, missed: watch::Sender<u32>) {
    while !missed.is_closed() {
        sleep(Duration::from_millis(250)).await;
        look_for_a_worker(&client, &missed).await;
    }
}

async fn look_for_a_worker(client: &Client, missed: &watch::Sender<u32>) {
    match client.request(PRESENCE, "".into()).await {
        Ok(_) => drop(missed.send_replace(0)),
        Err(it) if it.kind() == NoResponders => {
            missed.send_modify(|it| *it += 1)
        }
        Err(_) => {}
    }
}
