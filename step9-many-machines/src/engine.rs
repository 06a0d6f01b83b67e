// The engine between servers and workers: a queue of shares.

use std::time::Duration;

use actix_web::{rt::time::sleep, web::Bytes};
use async_nats::{
    Client, ConnectOptions, Error, ServerAddr,
    jetstream::{
        self, Context,
        consumer::{PullConsumer, pull},
        context::PublishErrorKind::Other,
        stream::{
            Config, DiscardPolicy, RawMessageErrorKind, RetentionPolicy,
            StorageType::Memory, Stream,
        },
    },
};
use common::Settings;
use percent_encoding::percent_decode_str;
use tokio::sync::watch::Receiver;

use crate::{presence::watch, share::Lost};

/// Its last part is the version of what is in it: a worker takes no others.
const SHARES: &str = "shares.1";

pub struct Engine {
    pub client: Client,
    context: Context,
    pub queue: Stream,
    /// How many questions in a row have found no worker.
    pub missed: Receiver<u32>,
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
        let decode = |it| percent_decode_str(it).decode_utf8_lossy().into();
        let url = urls.first().ok_or("NATS_URL is empty")?;
        let secrets = (url.username().map(decode), url.password().map(decode));
        options = match secrets {
            (Some(user), Some(pass)) => options.user_and_password(user, pass),
            (Some(token), None) => options.token(token),
            _ => options,
        };
        if let Some(file) = &settings.engine_creds {
            options = options.credentials_file(file).await?;
        }
        if let Some(file) = settings.engine_ca.clone() {
            options = options.add_root_certificates(file);
        }
        let client = options.connect(urls).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(Duration::from_secs(1));
        let queue =
            context.get_or_create_stream(queue(settings.replicas)).await?;
        let missed = watch(client.clone());
        Ok(Self { client, context, queue, missed })
    }

    /// Where a worker takes shares from.
    pub async fn consumer(&self) -> Result<PullConsumer, Error> {
        let queue = self.make_queue().await?;
        let config = pull::Config {
            durable_name: Some("workers-1".into()),
            filter_subject: SHARES.into(),
            ack_wait: Duration::from_secs(1),
            max_ack_pending: 10_000,
            ..pull::Config::default()
        };
        Ok(queue.get_or_create_consumer("workers-1", config).await?)
    }

    /// Puts a share into the queue, and returns its number there. When the
    /// queue is full, those who are patient wait until they are `gone`.
    pub async fn publish(
        &self,
        share: &Bytes,
        patient: bool,
        gone: impl Fn() -> bool,
    ) -> Result<u64, Lost> {
        loop {
            let sent = self.context.publish(SHARES, share.clone());
            match async { sent.await?.await }.await {
                Ok(kept) => return Ok(kept.sequence),
                Err(it) if it.kind() == Other && !patient => {
                    return Err(Lost::Full);
                }
                // It may be there twice now: one answer counts.
                Err(_) if patient => drop(self.make_queue().await),
                Err(_) => self.check().await?,
            }
            if gone() {
                return Err(Lost::TooOld);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// An engine that was started again has no queue: its workers make one.
    async fn make_queue(&self) -> Result<Stream, Error> {
        let queue = self.queue.cached_info().config.clone();
        Ok(self.context.get_or_create_stream(queue).await?)
    }

    /// Waits until a share isn't in the queue any more: the engine was started
    /// again; or a worker, back before the server, found nobody who waits for
    /// the share, and took it off.
    pub async fn is_gone(&self, number: u64, share: &Bytes) {
        loop {
            sleep(Duration::from_secs(1)).await;
            match self.queue.get_raw_message(number).await {
                Ok(kept) if kept.payload == share => {}
                Err(it) if it.kind() == RawMessageErrorKind::Other => {}
                _ => return,
            }
        }
    }
}

/// In the engine's memory: a disk would take longer than most shares, and what
/// is lost with it is published again.
fn queue(num_replicas: usize) -> Config {
    Config {
        name: "SHARES".into(),
        subjects: vec!["shares.*".into()],
        storage: Memory,
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages: 10_000,
        max_bytes: 256 << 20,
        max_age: Duration::from_secs(600),
        num_replicas,
        ..Config::default()
    }
}

/// Connects, or ends the process with the cause and a remedy.
pub async fn connect(settings: &Settings) -> Engine {
    let engine = Engine::connect(settings).await;
    engine.unwrap_or_else(|error| settings.cannot_use_engine(error))
}
