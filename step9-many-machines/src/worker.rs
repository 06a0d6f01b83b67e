// A worker: it takes shares from the engine, one at a time, and does them.

use std::{
    io,
    num::NonZeroUsize,
    process,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use actix_web::rt::time::{sleep, timeout};
use async_nats::{
    Client, Error, Request,
    RequestErrorKind::NoResponders,
    jetstream::{AckKind, Message, consumer::PullConsumer},
};
use common::{Settings, log, stop_signal};
use futures::TryStreamExt;
use tokio::select;

use crate::{
    engine::connect,
    pool::{Permit, Pool},
    presence::be_there,
    progress::Progress,
    share::{Report, Share},
};

/// The engine counts deliveries and not deaths: a worker that was stopped for a
/// while counts too.
const MOST_DELIVERIES: i64 = 5;

/// How long it waits for a share, or for a word back.
pub const PATIENCE: Duration = Duration::from_millis(500);

struct Worker {
    name: String,
    client: Client,
    pool: Pool,
    permit: Permit,
}

/// Works until it is told to stop, and then ends what it has begun.
pub async fn work(settings: &Settings) -> io::Result<()> {
    let engine = connect(settings).await;
    let mut consumer = engine.consumer().await.map_err(io::Error::other)?;
    let client = engine.client.clone();
    let pool = Pool::start(NonZeroUsize::MIN, settings.priority, 1)?;
    let permit = pool.admit().expect("it is the first");
    let host = client.server_info().client_ip;
    let name = format!("process {} on {host}", process::id());
    be_there(&client, &name).await.map_err(io::Error::other)?;
    settings.announce_worker(&name);
    let worker = Worker { name, client, pool, permit };
    let stop = stop_signal()?;
    loop {
        let message = select! {
            () = stop.clone() => return Ok(()),
            message = take(&consumer) => message,
        };
        match message {
            Ok(Some(message)) => worker.handle(message).await,
            Ok(None) => {}
            Err(error) => {
                log(format!("no share can be taken: {error}"));
                sleep(PATIENCE).await;
                if let Ok(again) = engine.consumer().await {
                    consumer = again;
                }
            }
        }
    }
}

/// The next share; `None` when there is none for a while.
async fn take(from: &PullConsumer) -> Result<Option<Message>, Error> {
    let one = from.batch().max_messages(1).expires(PATIENCE).messages();
    let mut one = one.await?;
    // An engine that was started again doesn't know of the question.
    timeout(2 * PATIENCE, one.try_next()).await?
}

impl Worker {
    /// Does a share, and takes it off the queue. If this worker dies before
    /// that, the engine gives it to another.
    async fn handle(&self, message: Message) {
        let share = postcard::from_bytes(&message.payload).ok();
        let share = share.filter(|it: &Share| it.inbox.starts_with("_INBOX."));
        let Some(Share { inbox, task }) = share else {
            log("a share that can't be read was taken off the queue");
            message.ack().await.ok();
            return;
        };
        let progress = Arc::<Progress>::default();
        let shared = progress.clone();
        let work = move || task.run(&shared);
        let is_over = match message.info() {
            Ok(info) if info.delivered <= MOST_DELIVERIES => select! {
                answer = self.pool.submit(&self.permit, work) => {
                    let report = answer.map_or(Report::Failed, Report::Done);
                    self.deliver(&message, &inbox, &report).await
                }
                () = self.watch(&message, &inbox, &progress) => true,
            },
            _ => self.deliver(&message, &inbox, &Report::Failed).await,
        };
        progress.stopped.store(true, Relaxed);
        if is_over {
            message.ack().await.ok();
        }
    }

    /// Says how far the share is, until nobody waits for it any more.
    async fn watch(&self, message: &Message, inbox: &str, it: &Progress) {
        loop {
            message.ack_with(AckKind::Progress).await.ok();
            let (done, worker) = (it.done.load(Relaxed), self.name.clone());
            let report = Report::Progress { done, worker };
            if self.tell(inbox, &report).await == Some(false) {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// First the answer, then the acknowledgement: a share may be done twice,
    /// but never not at all. Returns false if it can't be known to be over.
    async fn deliver(&self, it: &Message, to: &str, report: &Report) -> bool {
        for _ in 0..20 {
            it.ack_with(AckKind::Progress).await.ok();
            if self.tell(to, report).await.is_some() {
                return true;
            }
        }
        false
    }

    /// Whether somebody waits for it; `None` if that can't be known now.
    async fn tell(&self, inbox: &str, report: &Report) -> Option<bool> {
        let payload = postcard::to_stdvec(report).ok()?.into();
        let request = Request::new().payload(payload).timeout(Some(PATIENCE));
        match self.client.send_request(inbox.to_owned(), request).await {
            Ok(_) => Some(true),
            Err(error) if error.kind() == NoResponders => Some(false),
            Err(_) => None,
        }
    }
}
