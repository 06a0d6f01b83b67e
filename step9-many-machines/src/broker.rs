// Between servers and worker processes: a queue that is somebody else's, NATS
// JetStream. It hands each share to a worker, until one says that it's done.

use std::{io, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};

use actix_web::rt::{
    spawn,
    time::{Instant, interval, sleep, timeout},
};
use async_nats::connection::State;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Context, Message, stream};
use async_nats::{
    ConnectOptions, Error, Event, RequestErrorKind, ServerAddr, Subscriber,
};
use common::{BrokerSettings, log, stop_signal};
use futures::future::{Either, OptionFuture, join_all};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::{select, sync::broadcast, sync::oneshot};
use tokio_util::sync::CancellationToken;

use crate::pool::{Permit, Pool};
use crate::progress::{Progress, Request};
use crate::share::{Answer, Lost, Report, Task};

/// The queue. It has a version: a worker takes no shares of another.
const SHARES: &str = "shares-1";

/// When nothing is heard of a share for so long, another worker gets it.
const SILENCE: Duration = Duration::from_secs(1);

/// How often a share is handed out before it counts as failed.
const MOST_TRIES: i64 = 5;

/// The largest piece, or what it comes to, in bytes.
const LARGEST: usize = 600_000;

/// Where shares are done: by worker processes, or without a broker by the pool.
pub struct Workers(Option<Broker>);

#[derive(Clone)]
struct Broker {
    context: Context,
    // Of one share, by its number in the queue, or of all.
    lost: broadcast::Sender<(Option<u64>, Lost)>,
}

impl Workers {
    /// When no worker does anything for as long as `patience`, shares that wait
    /// are lost.
    pub async fn connect(
        settings: &BrokerSettings,
        patience: Duration,
    ) -> Self {
        let broker =
            settings.nats_url.is_some().then(|| Broker::connect(settings));
        let broker = OptionFuture::from(broker).await;
        if let Some(broker) = broker.clone() {
            spawn(broker.watch(patience));
        }
        Self(broker)
    }

    /// Hands out a share, which is under way from then on. To stop it, drop the
    /// future.
    pub fn submit(
        &self,
        pool: &Pool,
        permit: &Permit,
        request: &Request<'_>,
        task: Task,
    ) -> impl Future<Output = Result<Answer, Lost>> + use<> {
        let progress = request.progress.clone();
        let Some(broker) = self.0.clone() else {
            let receiver = pool.submit(permit, move || task.run(&progress));
            return Either::Left(receiver.map_err(|_| Lost::Failed));
        };
        let (mut sender, receiver) = oneshot::channel();
        spawn(async move {
            let id = broker.context.client().new_inbox();
            let answer = select! {
                answer = broker.carry(&id, &task, &progress) => answer,
                () = sender.closed() => Err(Lost::Failed),
            };
            let is_lost = answer.is_err();
            sender.send(answer).ok();
            if is_lost {
                let queue = broker.context.get_stream_no_info(SHARES).await;
                if let Ok(queue) = queue {
                    queue.purge().filter(format!("{SHARES}.{id}")).await.ok();
                }
            }
        });
        Either::Right(
            receiver.map(|answer| answer.unwrap_or(Err(Lost::Failed))),
        )
    }
}

impl Broker {
    /// Connects, or ends the process with the cause and a remedy.
    async fn connect(settings: &BrokerSettings) -> Self {
        let (lost, _) = broadcast::channel(1024);
        let lose = lost.clone();
        let options = ConnectOptions::new()
            .request_timeout(Some(SILENCE / 2))
            .ping_interval(SILENCE / 2)
            .reconnect_delay_callback(|_| SILENCE / 10)
            .event_callback(move |event| {
                if event == Event::Disconnected {
                    let cause = Lost::Broker("disconnected".into());
                    lose.send((None, cause)).ok();
                }
                async {}
            });
        let context = async {
            let url = settings.nats_url.as_ref().map_or("", |url| url.secret());
            let url: ServerAddr = url.parse()?;
            // In the URL they would be ignored.
            let decode = |it| percent_decode_str(it).decode_utf8_lossy().into();
            let user = url.username().map(decode).unwrap_or_default();
            let options = match url.password().map(decode) {
                Some(password) => options.user_and_password(user, password),
                None if user.is_empty() => options,
                None => options.token(user),
            };
            let client = options.connect(url).await?;
            let limit = client.max_payload();
            if limit < LARGEST {
                return Err(format!(
                    "its max_payload is {limit}, but shares have up to \
                     {LARGEST} bytes"
                )
                .into());
            }
            let mut context = jetstream::new(client);
            context.set_timeout(SILENCE / 2);
            queue(&context).await?;
            Ok::<_, Error>(context)
        };
        let context = context.await;
        let context =
            context.unwrap_or_else(|error| settings.cannot_use_broker(&*error));
        Self { context, lost }
    }

    /// Brings a share to a worker, and its answer back. The worker stops when
    /// nobody waits for its reports any more.
    async fn carry(
        &self,
        id: &str,
        task: &Task,
        progress: &Progress,
    ) -> Result<Answer, Lost> {
        let mut lost = self.lost.subscribe();
        let (mut reports, number) = self.publish(id, task).await?;
        let mut before = None;
        loop {
            let report = select! {
                report = reports.next() => report,
                lost = lost.recv() => match lost {
                    Ok((Some(other), _)) if other != number => continue,
                    Ok((_, lost)) => return Err(lost),
                    Err(error) => return Err(Lost::Broker(error.to_string())),
                },
            };
            let report = report.ok_or(Lost::Broker("closed".into()))?;
            if let Some(reply) = report.reply {
                self.context.client().publish(reply, "".into()).await.ok();
            }
            let (done, answer) = match postcard::from_bytes(&report.payload) {
                Ok(Report::SoFar(done)) => (done.min(task.size()), None),
                Ok(Report::Done(answer)) if task.fits(&answer) => {
                    (task.size(), Some(answer))
                }
                _ => return Err(Lost::Failed),
            };
            // Modulo 2^64: it is less when another worker has begun again.
            let more = done.wrapping_sub(before.unwrap_or(0));
            progress.done.fetch_add(more, Relaxed);
            progress.busy.fetch_add(before.is_none().into(), Relaxed);
            before = Some(done);
            if let Some(answer) = answer {
                progress.busy.fetch_sub(1, Relaxed);
                return Ok(answer);
            }
        }
    }

    /// Puts a share into the queue. Returns its reports, and its number there.
    async fn publish(
        &self,
        id: &str,
        task: &Task,
    ) -> Result<(Subscriber, u64), Error> {
        let client = self.context.client();
        // The client would keep it, and send it later.
        if client.connection_state() != State::Connected {
            return Err("disconnected".into());
        }
        let reports = client.subscribe(format!("reports.{id}")).await?;
        let share = postcard::to_stdvec(task)?;
        let publish = async || {
            let sent = self
                .context
                .publish(format!("{SHARES}.{id}"), share.clone().into());
            sent.await?.await
        };
        let place = match publish().await {
            Ok(place) => place,
            Err(_) => {
                // A broker that was started again has no queue.
                queue(&self.context).await?;
                publish().await?
            }
        };
        Ok((reports, place.sequence))
    }

    /// Watches the queue while shares are waited for, and says which are lost.
    async fn watch(self, patience: Duration) -> Result<(), Error> {
        let client = self.context.client();
        let acks = format!("$JS.ACK.{SHARES}.>");
        let mut acks = client.subscribe(acks).await?;
        let dead = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES";
        let mut dead = client.subscribe(format!("{dead}.{SHARES}.>")).await?;
        let mut consumer = queue(&self.context).await?;
        let mut looks = interval(SILENCE / 8);
        let [mut reached, mut manned, mut heard] = [Instant::now(); 3];
        loop {
            select! {
                // Of a share that is done, or in progress.
                Some(_) = acks.next() => heard = Instant::now(),
                Some(advisory) = dead.next() => {
                    let advisory: Value =
                        serde_json::from_slice(&advisory.payload)?;
                    let number = advisory["stream_seq"].as_u64();
                    self.lost.send((number, Lost::Failed)).ok();
                }
                _ = looks.tick() => {
                    let now = Instant::now();
                    if self.lost.receiver_count() == 0 {
                        [reached, manned, heard] = [now; 3];
                        continue;
                    }
                    let info = consumer.get_info().await;
                    if let Ok(info) = &info {
                        reached = now;
                        if info.num_waiting > 0 || info.num_ack_pending > 0 {
                            manned = now;
                        }
                    } else if let Ok(again) = queue(&self.context).await {
                        consumer = again;
                    }
                    let lost = match info {
                        Err(error) if reached.elapsed() > 2 * SILENCE => {
                            Lost::Broker(error.to_string())
                        }
                        Ok(_)
                            if manned.elapsed() > SILENCE / 2
                                || heard.elapsed() > patience =>
                        {
                            Lost::NoWorkers
                        }
                        _ => continue,
                    };
                    self.lost.send((None, lost)).ok();
                }
            }
        }
    }

    /// Does shares, one at a time, until it's told to stop.
    async fn work(
        &self,
        pool: &Pool,
        permit: &Permit,
        stop: &CancellationToken,
    ) {
        let mut lost = self.lost.subscribe();
        let mut consumer = queue(&self.context).await;
        loop {
            let share = async {
                // One for each thread: one that waits here could be with
                // another worker.
                let one = consumer.as_ref().map_err(ToString::to_string)?;
                let one = one.batch().max_messages(1).expires(SILENCE);
                let share = async { one.messages().await?.try_next().await };
                // A consumer that is gone doesn't answer.
                timeout(2 * SILENCE, share).await?
            };
            let share = select! {
                () = stop.cancelled() => return,
                _ = lost.recv() => Err("disconnected".into()),
                share = share => share,
            };
            match share {
                Ok(Some(share)) => self.do_share(share, pool, permit).await,
                Ok(None) => {}
                // A broker that was started again has no queue.
                Err(_) => {
                    sleep(SILENCE / 10).await;
                    consumer = queue(&self.context).await;
                }
            }
        }
    }

    /// Replies before it acknowledges: a share may be done twice, but is never
    /// lost.
    async fn do_share(&self, share: Message, pool: &Pool, permit: &Permit) {
        let mut lost = self.lost.subscribe();
        let reports = share.subject.replacen(SHARES, "reports", 1);
        let task = postcard::from_bytes::<Task>(&share.payload).ok();
        let size = task.as_ref().map_or(0, Task::size);
        log(format!("a share of {size} rounds or bytes"));
        let progress = Arc::<Progress>::default();
        let shared = progress.clone();
        let answer = pool.submit(permit, move || Some(task?.run(&shared)));
        let done = async {
            let answer = answer.await.ok().flatten();
            let report = answer.map_or(Report::Failed, Report::Done);
            self.tell(&reports, &report).await.is_some()
        };
        let unwanted = async {
            loop {
                share.ack_with(AckKind::Progress).await.ok();
                let report = Report::SoFar(progress.done.load(Relaxed));
                if self.tell(&reports, &report).await == Some(false) {
                    return true;
                }
                sleep(SILENCE / 5).await;
            }
        };
        let is_over = select! {
            is_over = done => is_over,
            is_over = unwanted => is_over,
            _ = lost.recv() => false,
        };
        progress.stopped.store(true, Relaxed);
        if is_over {
            share.ack().await.ok();
        }
    }

    /// Sends a report. Returns whether anyone waits for it, if that is known.
    async fn tell(&self, reports: &str, report: &Report) -> Option<bool> {
        let report = postcard::to_stdvec(report).ok()?.into();
        let client = self.context.client();
        match client.request(reports.to_owned(), report).await {
            Ok(_) => Some(true),
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {
                Some(false)
            }
            Err(_) => None,
        }
    }
}

/// The queue's consumer. Both are made if they aren't there.
async fn queue(context: &Context) -> Result<PullConsumer, Error> {
    let queue = stream::Config {
        name: SHARES.into(),
        subjects: vec![format!("{SHARES}.>")],
        storage: stream::StorageType::Memory,
        retention: stream::RetentionPolicy::WorkQueue,
        discard: stream::DiscardPolicy::New,
        max_bytes: 256 << 20,
        ..Default::default()
    };
    let queue = context.create_stream(queue).await?;
    // In memory: a new queue numbers its shares from 1 again, and a late
    // acknowledgement must not hit another's.
    let created = queue.cached_info().created.unix_timestamp_nanos();
    let workers = pull::Config {
        durable_name: Some(format!("workers-{created}")),
        ack_wait: SILENCE,
        max_deliver: MOST_TRIES,
        ..Default::default()
    };
    Ok(queue.create_consumer(workers).await?)
}

/// A worker process: does shares until it's told to stop.
pub async fn work(settings: &BrokerSettings) -> io::Result<()> {
    let broker = Broker::connect(settings).await;
    let pool = Pool::start(settings.threads, 1)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let permit = pool.admit().ok_or(io::ErrorKind::ResourceBusy)?;
    let stop = stop_signal();
    settings.announce_worker();
    let threads = 0..settings.threads.get();
    join_all(threads.map(|_| broker.work(&pool, &permit, &stop))).await;
    Ok(())
}
