//! What a server does with the reports that arrive, from workers played by a test,
//! and with those that don't.

#![allow(dead_code)] // The step's own program uses the rest of its modules.

#[path = "../src/broker.rs"]
mod broker;
mod nats;
#[path = "../src/pool.rs"]
mod pool;
#[path = "../src/progress.rs"]
mod progress;
#[path = "../src/share.rs"]
mod share;

use std::{fs, pin::pin, process::Command, time::Duration};

use actix_web::rt::{spawn, task::JoinHandle, time::sleep};
use async_nats::{
    Client,
    jetstream::{
        self, AckKind, Message, consumer::PullConsumer, stream::Config,
    },
};
use broker::Broker;
use clap::Parser;
use common::{BadLine, BrokerSettings, Table};
use futures::{
    StreamExt, TryStreamExt,
    future::{Either, select},
};
use nats::{Nats, nats};
use progress::Requests;
use share::{Answer, Lost, Task};

/// A server that waits for a share, on its own task.
type Waiting = JoinHandle<(Result<Answer, Lost>, serde_json::Value)>;

async fn connect(nats: &Nats) -> Broker {
    let url = nats.url();
    let settings = BrokerSettings::parse_from(["x", "--nats-url", &url]);
    Broker::connect(&settings).await.unwrap()
}

fn submit(broker: &Broker, task: Task) -> Waiting {
    let broker = broker.clone();
    spawn(async move {
        let requests = Requests::default();
        let request = requests.begin("", 0);
        let answer = broker.submit(task, &request.progress).await;
        let status = requests.status().0.unwrap();
        (answer, serde_json::from_str(&status).unwrap())
    })
}

/// Plays a worker.
struct Worker {
    client: Client,
    consumer: PullConsumer,
}

impl Worker {
    async fn start(nats: &Nats) -> Self {
        let client = async_nats::connect(nats.url()).await.unwrap();
        let queue = jetstream::new(client.clone());
        let queue = queue.get_stream("shares-1").await.unwrap();
        let mut names = queue.consumer_names();
        let name = names.try_next().await.unwrap().unwrap();
        let consumer = queue.get_consumer(&name).await.unwrap();
        Self { client, consumer }
    }

    async fn take(&self) -> Message {
        loop {
            let one = self.consumer.batch().max_messages(1);
            let one = one.expires(Duration::from_secs(9)).messages();
            if let Some(share) = one.await.unwrap().next().await {
                return share.unwrap();
            }
        }
    }

    /// Reports on a share, and waits until the server has heard it.
    async fn report(&self, share: &Message, report: &[u8]) {
        let reports = share.subject.replace("shares-1", "reports");
        let sent = self.client.request(reports, report.to_vec().into());
        sent.await.unwrap();
    }
}

fn bytes(answer: Option<Answer>) -> Vec<u8> {
    postcard::to_stdvec(&answer).unwrap()
}

fn piece(lines: &str) -> Task {
    Task::Summary(lines.as_bytes().to_vec().into())
}

fn part(lines: &str) -> Result<(u64, Table), BadLine> {
    let mut table = Table::default();
    table.add(lines.as_bytes()).map(|lines| (lines, table))
}

#[test]
fn a_new_form_of_a_message_needs_a_new_version() {
    let form = |task| postcard::to_stdvec(&task).unwrap();
    let hint = "raise the version in broker.rs: SHARES";
    assert_eq!(form(Task::Count(300)), [0, 0xac, 2], "{hint}");
    assert_eq!(form(piece("a;1.0")), *b"\x01\x05a;1.0", "{hint}");
    assert_eq!(form(Task::Fail), [2], "{hint}");
    assert_eq!(bytes(None), [0], "{hint}");
    assert_eq!(bytes(Some(Answer::SoFar(300))), [1, 0, 0xac, 2], "{hint}");
    assert_eq!(bytes(Some(Answer::Count(300))), [1, 1, 0xac, 2], "{hint}");
    let table = bytes(Some(Answer::Summary(part("a;1.0"))));
    let expected = b"\x01\x02\x00\x01\x00\x01\x01a\x02\x14\x14\x14";
    assert_eq!(table, expected, "{hint}");
    let bad = bytes(Some(Answer::Summary(part("a"))));
    assert_eq!(bad, b"\x01\x02\x01\x01\x01a", "{hint}");
}

#[actix_web::test]
async fn a_result_is_used_only_if_it_covers_the_whole_share() {
    let Some(nats) = nats(&["-js"]) else { return };
    let broker = connect(&nats).await;
    let worker = Worker::start(&nats).await;
    let count = || Task::Count(1000);
    let two = || piece("a;1.0\nb;2.0\n");
    let answer = |answer| bytes(Some(answer));
    let summary = |lines| bytes(Some(Answer::Summary(part(lines))));
    for (task, report, is_good) in [
        (count(), answer(Answer::Count(1000)), true),
        (count(), answer(Answer::Count(999)), false),
        (count(), answer(Answer::Count(1001)), false),
        (count(), answer(Answer::Count(0)), false),
        (count(), summary("a;1.0"), false),
        (count(), bytes(None), false),
        (count(), b"garbage".to_vec(), false),
        (count(), Vec::new(), false),
        (two(), summary("a;1.0\nb;2.0"), true),
        (two(), summary("a;1.0\nc"), true),
        (two(), summary("a;1.0"), false),
        (two(), summary("a;1.0\nb;2.0\nc;3.0"), false),
        (two(), summary("a;1.0\nb;2.0\nc"), false),
        (two(), answer(Answer::Count(2)), false),
    ] {
        let waiting = submit(&broker, task);
        let share = worker.take().await;
        // However far it claims to be.
        worker.report(&share, &answer(Answer::SoFar(u64::MAX))).await;
        worker.report(&share, &answer(Answer::SoFar(7))).await;
        worker.report(&share, &report).await;
        share.ack().await.unwrap();
        let (answer, status) = waiting.await.unwrap();
        let got = answer.as_ref().err();
        assert_eq!(answer.is_ok(), is_good, "{report:?}: {got:?}");
        assert!(is_good || matches!(got, Some(Lost::Failed)), "{got:?}");
        if is_good {
            let request = &status["running"][0];
            let size = if report[1] == 1 { 1000 } else { 12 };
            assert_eq!(request["done"], size, "{request}");
            assert_eq!(request["busy"], 0, "{request}");
        }
    }
}

#[actix_web::test]
async fn a_share_that_no_worker_survives_fails() {
    let Some(nats) = nats(&["-js"]) else { return };
    let broker = connect(&nats).await;
    let worker = Worker::start(&nats).await;
    let waiting = submit(&broker, Task::Count(1));
    for _ in 0..5 {
        let share = worker.take().await;
        // Like its death, but at once.
        share.ack_with(AckKind::Nak(None)).await.unwrap();
    }
    let other = submit(&broker, Task::Count(2));
    let share = worker.take().await;
    assert_eq!(
        *share.payload,
        [0, 2],
        "the first share isn't handed out again"
    );
    worker.report(&share, &bytes(Some(Answer::Count(2)))).await;
    share.ack().await.unwrap();
    assert!(other.await.unwrap().0.is_ok());
    // The broker gives up on it when someone asks for the next one.
    let idle = pin!(worker.take());
    let Either::Left((ended, _)) = select(waiting, idle).await else {
        panic!("the first share is handed out again");
    };
    let got = ended.unwrap().0.err();
    assert!(matches!(got, Some(Lost::Failed)), "{got:?}");
}

#[actix_web::test]
async fn a_share_that_nobody_takes_is_lost_but_one_that_waits_its_turn_is_not()
{
    let Some(nats) = nats(&["-js"]) else { return };
    let (broker, other) = (connect(&nats).await, connect(&nats).await);
    let worker = Worker::start(&nats).await;
    let long = submit(&other, Task::Count(1));
    let share = worker.take().await;
    let waiting = submit(&broker, Task::Count(2));
    // For longer than a share may go without an acknowledgement.
    for _ in 0..12 {
        share.ack_with(AckKind::Progress).await.unwrap();
        sleep(Duration::from_millis(200)).await;
    }
    assert!(!waiting.is_finished(), "the worker is busy with the other share");
    // From here on, the worker acts as if suspended.
    for waiting in [waiting, long] {
        let (answer, _) = waiting.await.unwrap();
        let got = answer.err();
        assert!(matches!(got, Some(Lost::NoWorkers)), "{got:?}");
    }
}

#[actix_web::test]
async fn a_share_that_is_acknowledged_without_a_result_is_lost() {
    let Some(nats) = nats(&["-js"]) else { return };
    let broker = connect(&nats).await;
    let worker = Worker::start(&nats).await;
    let waiting = submit(&broker, Task::Count(1));
    worker.take().await.ack().await.unwrap();
    // A worker is active, so it isn't a lack of workers that ends it.
    let other = submit(&broker, Task::Count(2));
    let share = worker.take().await;
    let got = waiting.await.unwrap().0.err();
    assert!(matches!(got, Some(Lost::Broker(_))), "{got:?}");
    worker.report(&share, &bytes(Some(Answer::Count(2)))).await;
    assert!(other.await.unwrap().0.is_ok());
}

#[actix_web::test]
async fn a_broker_that_stops_replying_is_named_and_the_share_is_lost() {
    let config = concat!(env!("CARGO_TARGET_TMPDIR"), "/jetstream.conf");
    fs::write(config, "jetstream: enabled").unwrap();
    let Some(nats) = nats(&["-c", config]) else { return };
    let broker = connect(&nats).await;
    let worker = Worker::start(&nats).await;
    let waiting = submit(&broker, Task::Count(1));
    worker.take().await;
    // As when the queue's node in a cluster has died: the connection stays,
    // and what is sent arrives, but nobody replies.
    let _api = worker.client.subscribe("$JS.API.>").await.unwrap();
    let _shares = worker.client.subscribe("shares-1.>").await.unwrap();
    fs::write(config, "jetstream: disabled").unwrap();
    let reload = format!("reload={}", nats.id());
    let mut command = Command::new("nats-server");
    assert!(command.args(["--signal", &reload]).status().unwrap().success());
    for waiting in [waiting, submit(&broker, Task::Count(2))] {
        let (answer, _) = waiting.await.unwrap();
        let error = answer.err();
        assert!(matches!(error, Some(Lost::Broker(_))), "{error:?}");
    }
}

#[actix_web::test]
async fn a_broker_that_refuses_a_share_is_named_and_the_share_is_lost() {
    let Some(nats) = nats(&["-js"]) else { return };
    let broker = connect(&nats).await;
    let waiting = submit(&broker, Task::Count(1));
    let client = async_nats::connect(nats.url()).await.unwrap();
    let jetstream = jetstream::new(client);
    // Someone deletes the queue, and creates another with that name.
    jetstream.delete_stream("shares-1").await.unwrap();
    let name = "shares-1".into();
    let foreign = Config { name, max_messages: 1, ..Default::default() };
    jetstream.create_stream(foreign).await.unwrap();
    let new = submit(&broker, Task::Count(2));
    for waiting in [waiting, new] {
        let (answer, _) = waiting.await.unwrap();
        let Err(Lost::Broker(cause)) = answer else { panic!("no error") };
        assert!(!cause.is_empty());
    }
}
