// The engine between servers and workers: a queue of shares that survives all
// of them.

use std::time::Duration;

use actix_web::rt::time::sleep;
use async_nats::{
    Client, ConnectOptions, Error, ServerAddr,
    connection::State,
    jetstream::{
        self, Context,
        consumer::{PullConsumer, pull},
        context::PublishErrorKind::{Other, StreamNotFound},
        stream::{Config, DiscardPolicy, RetentionPolicy, Stream},
    },
};
use common::Settings;
use tokio::select;

use crate::presence::Presence;
use crate::share::{Lost, Share};

/// Its last part is the version of what is in it: a worker takes no others.
const SHARES: &str = "shares.1";

pub struct Engine {
    pub client: Client,
    context: Context,
    pub queue: Stream,
    replicas: usize,
    pub presence: Presence,
}

impl Engine {
    /// # Errors
    /// When there is none, it doesn't let this process in, or has no queue.
    pub async fn connect(settings: &Settings) -> Result<Self, Error> {
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
        let presence = Presence::watch(client.clone()).await;
        Ok(Self { client, context, queue, replicas, presence })
    }

    /// Where a worker takes shares from.
    pub async fn consumer(&self) -> Result<PullConsumer, Error> {
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
        if !self.presence.is_seen() {
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

    /// Takes a share out of the queue that nobody waits for any more.
    pub async fn take_back(&self, number: u64) {
        self.queue.delete_message(number).await.ok();
    }

    /// Waits until a share that was published now can't be answered any more.
    pub async fn is_lost(&self) -> Lost {
        let age = self.queue.cached_info().config.max_age;
        select! {
            () = self.presence.is_lost() => Lost::NoWorker,
            () = sleep(age) => Lost::TooOld,
        }
    }
}

/// The queue, which is made where there is none.
async fn queue(context: &Context, replicas: usize) -> Result<Stream, Error> {
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

/// Connects, or ends the process with the cause and a remedy.
pub async fn connect(settings: &Settings) -> Engine {
    let engine = Engine::connect(settings).await;
    engine.unwrap_or_else(|error| settings.cannot_use_engine(error))
}
