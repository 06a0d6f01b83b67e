//! What a broker is for: whichever process dies, the result is exact or the
//! response is 503. With real processes.

#![cfg(unix)]

#[allow(dead_code)] // Some of it is for measurements.
mod nats;

use std::{fs, io::Write};

use async_nats::jetstream::{self, stream::Config};
use harness::{Server, StartError, measurements, wait_for, wait_for_event};
use nats::{Nats, free_port, nats, worker};
use rustix::process::{Pid, Signal, kill_process};

/// Rounds that take a worker a few tenths of a second.
const LONG: &str = "2_000_000_000";
const LONG_RESULT: &str = "Result is 2000000000";

/// More than any worker can ever count.
const ENDLESS: &str = "1_000_000_000_000_000";

const NO_WORKERS: &str = "No workers are connected. Try again later.";
const NO_BROKER: &str = "The broker can't be used right now. Try again later.";
const FAILED: &str = "The worker failed; the server is still running.";

/// Waits until that many shares of the only request are in progress.
fn wait_until_busy(server: &Server, shares: u64) {
    wait_for_event(server, |event| event["running"][0]["busy"] == shares);
}

/// The body of a response that must be 503 with `Retry-After`.
fn unavailable(answer: &str) -> &str {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(head.contains("\r\nretry-after: 1"), "{answer}");
    body
}

fn post(server: &Server, file: &str) -> (u16, String) {
    let response = server.post("/summary", "text/plain", file);
    (response.status().as_u16(), response.into_body())
}

#[test]
fn shares_go_to_workers_and_their_results_come_back() {
    let Some(nats) = nats(&["-js"]) else { return };
    let workers = nats.workers();
    let server = nats.server("1_000_003", "7");
    assert_eq!(server.get("/blocking").body(), "Result is 1000003");
    assert_eq!(post(&server, "a;1.0\na;2.0").1, "{a=1.0/1.5/2.0}\n");
    let (status, body) = post(&server, "a;1.0\nb");
    assert_eq!((status, &body[..7]), (422, "Line 2:"), "{body}");
    let response = server.get("/failing");
    assert_eq!((response.status().as_u16(), &**response.body()), (500, FAILED));
    assert_eq!(server.get("/blocking").body(), "Result is 1000003");
    // One line per share.
    let lines = workers.map(|worker| worker.kill().stderr).concat();
    assert_eq!(lines.matches("a share of ").count(), 17, "{lines}");
    assert_eq!(lines.matches("panics on purpose").count(), 1, "{lines}");
    assert!(!server.kill().stderr.contains("panic"));
}

#[test]
fn another_worker_does_the_share_of_one_that_is_killed() {
    let Some(nats) = nats(&["-js"]) else { return };
    let dies = nats.worker();
    let server = nats.server(LONG, "1");
    let request = server.send("/blocking");
    wait_until_busy(&server, 1);
    dies.kill();
    // Only now: so it can't have had the share first.
    let lives = nats.worker();
    let answer = request.wait();
    assert!(answer.ends_with(LONG_RESULT), "{answer}");
    let lines = lives.kill().stderr;
    assert_eq!(lines.matches("a share of ").count(), 1, "{lines}");
}

#[test]
fn a_file_is_summarised_exactly_while_a_worker_dies() {
    let Some(nats) = nats(&["-js"]) else { return };
    let file = measurements(300_000);
    let mut table = common::Table::default();
    table.add(file.as_bytes()).unwrap();
    let expected = format!("{}\n", table.summary().unwrap());
    let server = nats.server("1000", "2");
    let (first, rest) = file.as_bytes().split_at(file.len() / 2);
    wait_for("a response that isn't 503", || {
        let dies = nats.worker();
        let mut upload = server.write(format!(
            "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n",
            file.len()
        ));
        upload.stream().write_all(first).unwrap();
        // It's the only worker, so these shares are its own.
        let has_one = || dies.stderr_so_far().contains("a share of ");
        wait_for("a share", has_one);
        dies.kill();
        let _lives = nats.worker();
        // On a busy machine that one may be too late.
        upload.stream().write_all(rest).ok();
        let answer = upload.wait();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let is_exact = body == expected;
        assert!(is_exact || head.starts_with("HTTP/1.1 503 "), "{answer}");
        is_exact
    });
}

#[test]
fn a_worker_that_is_asked_to_end_finishes_its_share() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let server = nats.server(LONG, "1");
    let request = server.send("/blocking");
    wait_until_busy(&server, 1);
    worker.terminate();
    let answer = request.wait();
    assert!(answer.ends_with(LONG_RESULT), "{answer}");
    let lines = worker.wait().stderr;
    assert_eq!(lines.matches("a share of ").count(), 1, "{lines}");
}

#[test]
fn nobody_works_for_a_client_that_left_or_a_server_that_died() {
    let Some(nats) = nats(&["-js"]) else { return };
    let _worker = nats.worker();
    // More shares than the worker has threads: some wait in the queue.
    let (first, second) = (nats.server(ENDLESS, "4"), nats.server("1000", "1"));
    let request = first.send("/blocking");
    wait_until_busy(&first, 1);
    drop(request);
    let is_free = || second.get("/blocking").body() == "Result is 1000";
    wait_for("a free worker", is_free);
    let _request = first.send("/blocking");
    wait_until_busy(&first, 1);
    first.kill();
    wait_for("a free worker", is_free);
}

#[test]
fn without_workers_the_response_is_503_and_nothing_stays_in_the_queue() {
    let Some(nats) = nats(&["-js"]) else { return };
    let server = nats.server(LONG, "2");
    let answer = server.send("/blocking").wait();
    assert_eq!(unavailable(&answer), NO_WORKERS);
    assert_eq!(post(&server, "a;1.0"), (503, NO_WORKERS.into()));
    let worker = nats.worker();
    assert_eq!(post(&server, "a;1.0"), (200, "{a=1.0/1.0/1.0}\n".into()));
    let lines = worker.kill().stderr;
    assert_eq!(lines.matches("a share of ").count(), 1, "{lines}");
}

#[test]
fn a_request_ends_with_its_broker_and_the_next_one_works() {
    let Some(mut nats) = nats(&["-js"]) else { return };
    let _workers = nats.workers();
    let server = nats.server(ENDLESS, "2");
    let request = server.send("/blocking");
    wait_until_busy(&server, 2);
    nats.kill();
    assert_eq!(unavailable(&request.wait()), NO_BROKER);
    // While the broker is away, requests that arrive are refused at once.
    assert_eq!(unavailable(&server.send("/blocking").wait()), NO_BROKER);
    nats.restart();
    wait_for("the next one works", || match post(&server, "a;1.0") {
        (503, _) => false,
        answer => answer == (200, "{a=1.0/1.0/1.0}\n".into()),
    });
    // Frozen: the connection stays, but nothing arrives.
    let request = server.send("/blocking");
    wait_until_busy(&server, 2);
    let broker = Pid::from_raw(nats.id().try_into().unwrap()).unwrap();
    kill_process(broker, Signal::STOP).unwrap();
    assert_eq!(unavailable(&request.wait()), NO_BROKER);
    kill_process(broker, Signal::CONT).unwrap();
    assert!(server.kill().stderr.contains("broker: disconnected"));
}

/// Checks that neither a server nor a worker starts with such a broker, and
/// what they print.
fn check_refused(nats: &Nats, url: &str, cause: &str) {
    for role in [None, Some("work")] {
        let mut command = nats.command();
        let started = Server::start(command.env("NATS_URL", url).args(role));
        let Err(StartError::Ended { status, stderr, .. }) = started else {
            panic!("{started:?}");
        };
        assert_eq!(status.code(), Some(1), "{stderr}");
        let stderr = stderr.to_lowercase();
        assert!(stderr.contains(cause), "{cause}: {stderr}");
        assert!(stderr.contains("nats-server -js"), "{stderr}");
        let address = url.rsplit(['@', '/']).next().unwrap();
        assert!(stderr.contains(address), "{stderr}");
        assert!(!stderr.contains("s3cret") && !stderr.contains("wr0ng"));
    }
}

#[actix_web::test]
async fn it_does_not_start_with_a_broker_it_cannot_use() {
    let Some(secret) = nats(&["-js", "--user", "me", "--pass", "s3cret"])
    else {
        return;
    };
    check_refused(&secret, &secret.url(), "authorization");
    let wrong = secret.url().replace("//", "//me:wr0ng@");
    check_refused(&secret, &wrong, "authorization");
    check_refused(&secret, "nats://me:s3cret@[::1", "ipv6");
    let nobody = format!("nats://me:s3cret@127.0.0.1:{}", free_port());
    check_refused(&secret, &nobody, "refused");
    let without = Nats::start(&[]);
    check_refused(&without, &without.url(), "jetstream");
    let config = concat!(env!("CARGO_TARGET_TMPDIR"), "/small.conf");
    fs::write(config, "max_payload: 500000").unwrap();
    let small = Nats::start(&["-js", "-c", config]);
    check_refused(&small, &small.url(), "max_payload is below 600000");
    // Someone else has a queue with that name.
    let taken = Nats::start(&["-js"]);
    let client = async_nats::connect(taken.url()).await.unwrap();
    let foreign = Config { name: "shares-1".into(), ..Config::default() };
    jetstream::new(client).create_stream(foreign).await.unwrap();
    check_refused(&taken, &taken.url(), "different configuration");
}

#[test]
fn it_logs_in_with_user_and_password_or_a_token_and_never_shows_them() {
    for (flags, secret) in [
        (vec!["-js", "--auth", "t0ken"], "t0ken"),
        // Characters with a special meaning in a URL are percent-encoded.
        (vec!["-js", "--user", "me", "--pass", "p@s/%"], "me:p%40s%2F%25"),
    ] {
        let Some(nats) = nats(&flags) else { return };
        let url = format!("nats://{secret}@127.0.0.1:{}", nats.port);
        let _worker = worker(nats.command().env("NATS_URL", &url));
        let mut command = nats.command();
        command.env("NATS_URL", &url).env("ITERATIONS", "1000");
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
        assert!(server.line().contains(&nats.url()), "{}", server.line());
        let (line, stderr) = (server.line().to_owned(), server.kill().stderr);
        assert!(!format!("{line}{stderr}").contains(secret));
        let help = nats.command().env("NATS_URL", &url).arg("--help").output();
        let help = String::from_utf8(help.unwrap().stdout).unwrap();
        assert!(help.contains("NATS_URL") && !help.contains(secret), "{help}");
    }
}
