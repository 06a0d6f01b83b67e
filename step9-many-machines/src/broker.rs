// Between servers and worker processes: a queue that is somebody else's, NATS
// JetStream. It hands a share to one worker after another until it's done.

use std::sync::{Arc, atomic::Ordering::Relaxed};
use std::{io, ops::RangeInclusive, time::Duration};

use actix_web::rt::time::{Instant, sleep, sleep_until, timeout};
use actix_web::{rt::spawn, web::Bytes};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Context, Message, stream};
use async_nats::{ConnectOptions, Error, Event, ServerAddr, Subscriber};
use async_nats::{RequestErrorKind::NoResponders, connection::State};
use common::{BrokerSettings, log, stop_signal};
use futures::{StreamExt, TryStreamExt, future::join_all};
use scopeguard::{ScopeGuard, guard};
use serde_json::Value;
use tokio::{select, sync::broadcast};

use crate::pool::{Permit, Pool};
use crate::progress::Progress;
use crate::share::{Answer, Lost, Task};

/// The queue. Its name has a version: a worker takes no shares of any other.
const SHARES: &str = "shares-1";
/// When nothing is heard of a share for this long, another worker gets it.
const SILENCE: Duration = Duration::from_secs(1);
/// A queue untouched for this many looks, eight a second, loses its shares.
const LOOKS: u32 = if cfg!(test) { 16 } else { 80 };
const ALL: RangeInclusive<u64> = 0..=u64::MAX;

#[derive(Clone)]
pub struct Broker {
    context: Context,
    // Says which shares are lost, by their numbers in the queue.
    lost: broadcast::Sender<(RangeInclusive<u64>, Lost)>,
}

impl Broker {
    /// Connects, or ends the process with the cause and a remedy.
    pub async fn connect(settings: &BrokerSettings) -> Option<Self> {
        let url = settings.nats_url.as_ref()?;
        let (lost, _) = broadcast::channel(1024);
        let lose = lost.clone();
        let options = ConnectOptions::new()
            .request_timeout(Some(SILENCE / 2))
            .ping_interval(SILENCE / 2)
            .reconnect_delay_callback(|_| SILENCE / 10)
            .event_callback(move |event| {
                if event == Event::Disconnected {
                    lose.send((ALL, Lost::Broker(event.to_string()))).ok();
                }
                async {}
            });
        let connected = async {
            // Credentials left in the URL would be ignored.
            let options = match url.login() {
                (Some(user), Some(password)) => {
                    options.user_and_password(user, password)
                }
                (Some(token), None) => options.token(token),
                _ => options,
            };
            let url: ServerAddr = url.address().parse()?;
            let client = options.connect(url).await?;
            // Large enough for a piece, or for its result.
            if client.max_payload() < 600_000 {
                return Err("its max_payload is below 600000".into());
            }
            let mut context = jetstream::new(client);
            context.set_timeout(SILENCE / 2);
            queue(&context).await?;
            Ok::<_, Error>(Self { context, lost })
        };
        let broker = connected.await;
        let broker =
            broker.unwrap_or_else(|error| settings.cannot_use_broker(error));
        if settings.role.is_none() {
            spawn(broker.clone().watch());
        }
        Some(broker)
    }

    /// Brings a share to a worker process, and its answer back.
    pub async fn submit(
        &self,
        task: Task,
        progress: &Progress,
    ) -> Result<Answer, Lost> {
        let mut lost = self.lost.subscribe();
        let published = self.publish(&task).await;
        let (number, mut reports) =
            published.map_err(|error| Lost::Broker(error.to_string()))?;
        // It leaves the queue when this future is dropped, unless it's done.
        let remove = self.clone().remove(number);
        let queued = guard(remove, |remove| drop(spawn(remove)));
        let mut before = None;
        loop {
            let report = select! {
                Some(report) = reports.next() => report,
                Ok((which, lost)) = lost.recv() => {
                    if which.contains(&number) { return Err(lost) }
                    continue
                }
            };
            // Once nobody is subscribed, the broker tells the worker so.
            if let Some(reply) = report.reply {
                self.context.client().publish(reply, "".into()).await.ok();
            }
            match postcard::from_bytes(&report.payload) {
                Ok(Some(Answer::SoFar(done))) => {
                    progress.note(&mut before, done.min(task.size()), false);
                }
                Ok(Some(answer)) if task.fits(&answer) => {
                    progress.note(&mut before, task.size(), true);
                    drop(ScopeGuard::into_inner(queued));
                    return Ok(answer);
                }
                _ => return Err(Lost::Failed),
            }
        }
    }

    /// Queues a share. Returns its number, and where reports on it arrive.
    async fn publish(&self, task: &Task) -> Result<(u64, Subscriber), Error> {
        let client = self.context.client();
        // Disconnected, async-nats would keep the share and send it later.
        if client.connection_state() != State::Connected {
            return Err("disconnected".into());
        }
        let unique = client.new_inbox();
        let reports = client.subscribe(format!("reports.{unique}")).await?;
        let subject = format!("{SHARES}.{unique}");
        let share = Bytes::from(postcard::to_stdvec(task)?);
        let publish = || self.context.publish(subject.clone(), share.clone());
        let mut sent = publish().await?.await;
        if sent.is_err() {
            // Perhaps it was started again, and has no queue.
            queue(&self.context).await?;
            sent = publish().await?.await;
        }
        Ok((sent?.sequence, reports))
    }

    /// Takes a share that nobody waits for any more out of the queue.
    async fn remove(self, number: u64) -> Result<(), Error> {
        // In a new queue, the number belongs to another share.
        if self.context.client().connection_state() == State::Connected {
            let queue = self.context.get_stream_no_info(SHARES).await?;
            queue.delete_message(number).await?;
        }
        Ok(())
    }

    /// A server watches the queue while it waits for shares: which are lost?
    async fn watch(self) -> Result<(), Error> {
        let client = self.context.client();
        let hear = |what| client.subscribe(format!("$JS.{what}.{SHARES}.>"));
        let mut acks = hear("ACK").await?;
        let mut dead = hear("EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES").await?;
        let (mut reached, mut quiet, mut next) = (true, 0, Instant::now());
        loop {
            select! {
                // Somebody is working for a server, and the queue is there.
                Some(_) = acks.next(), if reached => quiet = 0,
                Some(event) = dead.next() => {
                    let event = serde_json::from_slice(&event.payload);
                    let event: Value = event.unwrap_or_default();
                    let number = event["stream_seq"].as_u64().unwrap_or(0);
                    self.lost.send((number..=number, Lost::Failed)).ok();
                }
                () = sleep_until(next) => {
                    next = Instant::now() + SILENCE / 8;
                    if self.lost.receiver_count() == 0 {
                        quiet = 0;
                        continue;
                    }
                    let queue = queue(&self.context).await;
                    reached = queue.is_ok();
                    let lost = match queue {
                        Ok(consumer) => {
                            let info = consumer.cached_info();
                            // All up to here are acknowledged: no reply comes.
                            let done = 0..=info.ack_floor.stream_sequence;
                            let gone = Lost::Broker("a share is gone".into());
                            self.lost.send((done, gone)).ok();
                            // Workers that wait for a share, or have one. If
                            // there are none, four looks are enough.
                            let hands = info.num_waiting + info.num_ack_pending;
                            quiet += if hands > 0 { 1 } else { LOOKS / 4 };
                            Lost::NoWorkers
                        }
                        Err(error) => {
                            quiet += LOOKS / 4;
                            Lost::Broker(error.to_string())
                        }
                    };
                    if quiet >= LOOKS {
                        self.lost.send((ALL, lost)).ok();
                        quiet = 0;
                    }
                }
            }
        }
    }

    /// Replies, then acknowledges: a share may be done twice but is never lost.
    async fn run(&self, share: Message, pool: &Pool, permit: &Permit) {
        let reports = share.subject.replacen(SHARES, "reports", 1);
        let report = async |answer: Option<Answer>| {
            let report = postcard::to_stdvec(&answer).unwrap_or_default();
            let client = self.context.client();
            let sent = client.request(reports.clone(), report.into());
            sent.await.map_err(|error| error.kind())
        };
        let task = postcard::from_bytes::<Task>(&share.payload).ok();
        let size = task.as_ref().map_or(0, Task::size);
        log(format!("a share of {size} rounds or bytes"));
        let progress = Arc::<Progress>::default();
        let shared = progress.clone();
        let answer = pool.submit(permit, move || Some(task?.run(&shared)));
        let done = async { report(answer.await.ok().flatten()).await.is_ok() };
        let unwanted = async {
            let so_far = || Answer::SoFar(progress.done.load(Relaxed));
            while report(Some(so_far())).await.err() != Some(NoResponders) {
                share.ack_with(AckKind::Progress).await.ok();
                sleep(SILENCE / 5).await;
            }
        };
        let is_over = select! { it = done => it, () = unwanted => true };
        progress.stopped.store(true, Relaxed);
        if is_over {
            share.ack().await.ok();
        }
    }
}

/// Returns the queue's consumer. Makes both if they aren't there.
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
    // A new queue counts from 1 again: late acknowledgements must not hit it.
    let created = queue.cached_info().created.unix_timestamp_nanos();
    let workers = pull::Config {
        durable_name: Some(format!("workers-{created}")),
        ack_wait: SILENCE,
        // After these, it counts as failed.
        max_deliver: 5,
        ..Default::default()
    };
    Ok(queue.create_consumer(workers).await?)
}

/// A worker process: does shares until it's told to stop.
pub async fn work(settings: &BrokerSettings) -> io::Result<()> {
    let broker = Broker::connect(settings).await.ok_or(io::ErrorKind::Other)?;
    let pool = Pool::start(settings.threads, 1)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let permit = pool.admit().ok_or(io::ErrorKind::ResourceBusy)?;
    let stop = stop_signal();
    settings.announce_worker();
    join_all((0..settings.threads.get()).map(async |_| {
        let mut lost = broker.lost.subscribe();
        while !stop.is_cancelled() {
            // A broker that was started again has no queue.
            let queue = queue(&broker.context).await;
            while let Ok(consumer) = &queue {
                // Only one: a share that waits here could run elsewhere.
                let one = consumer.batch().max_messages(1).expires(SILENCE);
                let share = async { one.messages().await?.try_next().await };
                match select! {
                    () = stop.cancelled() => return,
                    _ = lost.recv() => break,
                    // A consumer that is gone doesn't answer.
                    share = timeout(2 * SILENCE, share) => share,
                } {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(it))) => broker.run(it, &pool, &permit).await,
                    _ => break,
                }
            }
            sleep(SILENCE / 10).await;
        }
    }))
    .await;
    Ok(())
}
