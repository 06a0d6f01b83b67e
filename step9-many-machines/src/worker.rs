// A worker: it takes shares from the engine, one at a time, and does them.

use std::{io, num::NonZeroUsize, process, sync::Arc, time::Duration};

use actix_web::rt::{spawn, time::sleep};
use async_nats::{
    Client, Request,
    RequestErrorKind::NoResponders,
    Subscriber,
    jetstream::{AckKind, Message, consumer::PullConsumer},
};
use common::{Settings, log, stop_signal};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::select;

use crate::{
    engine::{EVERYBODY, Engine, PRESENCE},
    pool::{Permit, Pool},
    progress::Progress,
    share::{Report, Share, Task},
};

/// The engine counts deliveries and not deaths: a worker that was stopped for a
/// while, or an engine that was started again, count too.
const MOST_DELIVERIES: i64 = 5;

/// How often a worker says how far it is.
const EACH: Duration = Duration::from_millis(200);

/// How long it waits for a word back.
const PATIENCE: Duration = Duration::from_millis(500);

struct Worker {
    name: String,
    client: Client,
    pool: Pool,
    permit: Permit,
}

/// Works until it is told to stop, and then ends what it has begun.
pub async fn work(settings: &Settings) -> io::Result<()> {
    let engine = Engine::connect(settings).await;
    let mut consumer = engine
        .consumer()
        .await
        .unwrap_or_else(|error| settings.cannot_use_engine(error));
    let client = engine.client.clone();
    let pool = Pool::start(NonZeroUsize::MIN, settings.priority, 1)?;
    let permit = pool.admit().expect("it is the first");
    let host = client.server_info().client_ip;
    let name = format!("process {} on {host}", process::id());
    let asked = client.queue_subscribe(PRESENCE, "workers".into()).await;
    let all = client.subscribe(EVERYBODY).await;
    let asked = asked.and_then(|it| Ok((it, all?)));
    let asked = asked.map_err(io::Error::other)?;
    spawn(answer(asked, client.clone(), name.clone()));
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

/// The next share; `None` when there is none for a second.
async fn take(
    from: &PullConsumer,
) -> Result<Option<Message>, async_nats::Error> {
    let one = from.batch().max_messages(1).expires(Duration::from_secs(1));
    one.messages().await?.try_next().await
}

/// Tells those who ask that this worker is there.
async fn answer(asked: (Subscriber, Subscriber), client: Client, name: String) {
    let mut asked = stream::select(asked.0, asked.1);
    while let Some(reply) = asked.next().await.map(|it| it.reply) {
        if let Some(reply) = reply {
            client.publish(reply, name.clone().into()).await.ok();
        }
    }
}

impl Worker {
    /// Does a share, and takes it off the queue. If this worker dies before
    /// that, the engine gives it to another.
    async fn handle(&self, message: Message) {
        let share = postcard::from_bytes::<Share>(&message.payload).ok();
        let inbox_is_one = |it: &Share| it.inbox.starts_with("_INBOX.");
        let Some(Share { inbox, task }) = share.filter(inbox_is_one) else {
            log("a share that can't be read was taken off the queue");
            message.ack().await.ok();
            return;
        };
        let progress = Arc::<Progress>::default();
        let report = match message.info() {
            Ok(info) if info.delivered <= MOST_DELIVERIES => select! {
                report = self.run(task, &progress) => Some(report),
                () = self.watch(&message, &inbox, &progress) => None,
            },
            _ => Some(Report::Failed),
        };
        progress.stop();
        if let Some(report) = report
            && !self.deliver(&message, &inbox, &report).await
        {
            return;
        }
        message.ack().await.ok();
    }

    async fn run(&self, task: Task, progress: &Arc<Progress>) -> Report {
        let progress = progress.clone();
        let work = move || task.run(&progress);
        let answer = self.pool.submit(&self.permit, work).await;
        answer.map_or(Report::Failed, Report::Done)
    }

    /// Says how far the share is, until nobody waits for it any more.
    async fn watch(&self, message: &Message, inbox: &str, it: &Progress) {
        loop {
            message.ack_with(AckKind::Progress).await.ok();
            let (done, worker) = (it.done(), self.name.clone());
            let report = Report::Progress { done, worker };
            if self.tell(inbox, &report).await == Some(false) {
                return;
            }
            sleep(EACH).await;
        }
    }

    /// First the answer, then the acknowledgement: in between, the share may
    /// be done twice, but never not at all. Returns false if nobody can be told.
    async fn deliver(
        &self,
        it: &Message,
        inbox: &str,
        report: &Report,
    ) -> bool {
        for _ in 0..20 {
            it.ack_with(AckKind::Progress).await.ok();
            if self.tell(inbox, report).await.is_some() {
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
