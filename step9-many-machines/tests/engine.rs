//! What an engine is for: whoever dies, the answer is exact, or it is a 503.

#![cfg(unix)]

#[allow(dead_code)] // Some is for measurements.
mod nats;
#[path = "nats/network.rs"]
mod network;

use std::{
    fmt::Write as _, fs, io::Write, path::Path, process::Command, thread,
    time::Duration,
};

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use harness::{Browser, Server, StartError, events, skipped};
use nats::{Nats, Worker, free_port, nats, wait_for};
use network::Network;
use rustix::process::Signal;
use serde_json::Value;

/// Rounds that take a worker some tenths of a second.
const LONG: &str = "8_000_000_000";
const LONG_RESULT: &str = "Result is 8000000000";

/// More than any worker can count.
const ENDLESS: &str = "1_000_000_000_000_000";

const NO_WORKER: &str = "No worker is there. Start one, or try again later.";

/// The first share of the first event in which this worker is seen at work.
fn work_of(server: &Server, worker: &Worker) -> (String, Value) {
    let name = worker.name();
    let mut events = events(server.open("/progress"));
    let found = events.find_map(|event| {
        let shares = event["running"][0]["shares"].as_object()?.clone();
        shares.into_iter().find(|(_, share)| {
            share["worker"].as_str().unwrap().starts_with(&name)
                && share["done"].as_u64() > Some(0)
        })
    });
    found.expect("the events go on")
}

fn figure(server: &Server, name: &str) -> Value {
    let figures = server.get("/pool").into_body();
    serde_json::from_str::<Value>(&figures).unwrap()[name].take()
}

/// How a program ended that should not have started.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    match Server::start(command) {
        Ok(server) => panic!("it started: {}", server.line()),
        Err(StartError::Ended { status, stderr, .. }) => {
            (status.code(), stderr)
        }
        Err(error) => panic!("{error}"),
    }
}

/// A queue that holds less, or not as long, as the one that a server makes.
fn make_queue(nats: &Nats, max_messages: i64, max_age: Duration) {
    let config = Config {
        name: "SHARES".into(),
        subjects: vec!["shares.*".into()],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_messages,
        max_age,
        ..Config::default()
    };
    nats.with(async |context| {
        context.create_stream(config).await.unwrap();
    });
}

fn post(server: &Server, file: &str) -> (u16, String) {
    let response = server.post("/summary", "text/plain", file);
    (response.status().as_u16(), response.into_body())
}

#[test]
fn shares_go_to_workers_and_their_answers_come_back() {
    let Some(nats) = nats(&["-js"]) else { return };
    let workers = nats.workers();
    let server = nats.server("1_000_003", "7");
    assert_eq!(server.get("/blocking").body(), "Result is 1000003");
    assert_eq!(post(&server, "a;1.0\na;2.0").1, "{a=1.0/1.5/2.0}\n");
    let (status, said) = post(&server, "a;1.0\nb");
    assert_eq!((status, &said[..7]), (422, "Line 2:"), "{said}");
    let there = figure(&server, "workers");
    let there = there.as_array().unwrap();
    assert_eq!(there.len(), 2, "{there:?}");
    for worker in &workers {
        let is_it =
            |it: &Value| it.as_str().unwrap().starts_with(&worker.name());
        assert!(there.iter().any(is_it), "{there:?}");
    }
    wait_for("the queue is empty", || figure(&server, "shares") == 0);
}

#[test]
fn a_worker_is_killed_and_the_answer_is_exact() {
    let Some(nats) = nats(&["-js"]) else { return };
    let [dies, _lives] = nats.workers();
    let server = nats.server(LONG, "4");
    let request = server.send("/blocking");
    let (number, before) = work_of(&server, &dies);
    dies.kill();
    // Another one begins it anew.
    let mut events = events(server.open("/progress"));
    events.find(|event| {
        let share = &event["running"][0]["shares"][&number];
        share.is_object() && share["worker"] != before["worker"]
    });
    let answer = request.wait();
    assert!(answer.ends_with(LONG_RESULT), "{answer}");
}

#[test]
fn a_worker_is_stopped_and_the_answer_is_exact() {
    let Some(nats) = nats(&["-js"]) else { return };
    let [stops, _goes_on] = nats.workers();
    let server = nats.server(LONG, "4");
    let request = server.send("/blocking");
    work_of(&server, &stops);
    stops.signal(Signal::STOP);
    let answer = request.wait();
    assert!(answer.ends_with(LONG_RESULT), "{answer}");
    // What it says when it goes on is about something that is over.
    stops.signal(Signal::CONT);
    assert_eq!(server.get("/blocking").body(), LONG_RESULT);
    wait_for("the queue is empty", || nats.queued() == 0);
}

#[test]
fn a_client_leaves_and_the_worker_is_idle() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let (endless, small) =
        (nats.server(ENDLESS, "4"), nats.server("1000", "1"));
    let request = endless.send("/blocking");
    work_of(&endless, &worker);
    drop(request);
    assert_eq!(small.get("/blocking").body(), "Result is 1000");
    wait_for("nothing of it is left", || nats.queued() == 0);
}

#[test]
fn a_server_is_killed_and_the_worker_is_idle() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let (endless, small) =
        (nats.server(ENDLESS, "4"), nats.server("1000", "1"));
    let _request = endless.send("/blocking");
    work_of(&endless, &worker);
    endless.kill();
    assert_eq!(small.get("/blocking").body(), "Result is 1000");
    wait_for("nothing of it is left", || nats.queued() == 0);
}

#[test]
fn the_engine_is_killed_and_started_again_and_the_answer_is_exact() {
    let Some(mut nats) = nats(&["-js"]) else { return };
    let workers = nats.workers();
    let server = nats.server(LONG, "4");
    let request = server.send("/blocking");
    work_of(&server, &workers[0]);
    nats.kill();
    // Those that come now are told at once.
    wait_for("it is seen", || server.get("/blocking").status() == 503);
    nats.restart();
    let answer = request.wait();
    assert!(answer.ends_with(LONG_RESULT), "{answer}");
    wait_for("it goes on", || server.get("/blocking").body() == LONG_RESULT);
    wait_for("the queue is empty", || nats.queued() == 0);
}

#[test]
fn a_share_that_is_not_in_the_queue_any_more_is_published_again() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let server = nats.server("1000", "2");
    worker.signal(Signal::STOP);
    let request = server.send("/blocking");
    wait_for("both wait", || nats.queued() == 2);
    // As a worker does that is back before the server is.
    nats.with(async |context| {
        let queue = context.get_stream("SHARES").await.unwrap();
        queue.purge().await.unwrap();
    });
    worker.kill();
    let _another = nats.worker();
    let answer = request.wait();
    assert!(answer.ends_with("Result is 1000"), "{answer}");
    wait_for("the queue is empty", || nats.queued() == 0);
}

#[test]
fn without_a_worker_or_an_engine_it_is_a_503_at_once() {
    let Some(mut nats) = nats(&["-js"]) else { return };
    let server = nats.server(ENDLESS, "2");
    let response = server.get("/blocking");
    assert_eq!(response.status(), 503);
    assert_eq!(response.body(), NO_WORKER);
    assert_eq!(post(&server, "a;1.0"), (503, NO_WORKER.into()));
    assert_eq!(nats.queued(), 0);

    let worker = nats.worker();
    let request = server.send("/blocking");
    work_of(&server, &worker);
    // The last worker dies.
    worker.kill();
    let answer = request.wait();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.ends_with(NO_WORKER), "{answer}");
    assert_eq!(nats.queued(), 0);

    nats.kill();
    wait_for("the engine is missed", || {
        let body = server.get("/blocking").into_body();
        body == "The engine can't be reached. Try again later."
    });
}

#[test]
fn a_worker_that_is_stopped_is_as_none() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let server = nats.server(ENDLESS, "2");
    let request = server.send("/blocking");
    work_of(&server, &worker);
    worker.signal(Signal::STOP);
    let answer = request.wait();
    assert!(answer.ends_with(NO_WORKER), "{answer}");
    assert_eq!(server.get("/blocking").body(), NO_WORKER);
    assert_eq!(nats.queued(), 0);
    // It goes on, and finds nobody who waits.
    worker.signal(Signal::CONT);
    wait_for("it is there", || figure(&server, "workers")[0].is_string());
    let small = nats.server("1000", "2");
    assert_eq!(small.get("/blocking").body(), "Result is 1000");
}

#[test]
fn there_are_sixteen_shares_unless_it_is_told_otherwise() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let mut command = nats.command();
    let server = Server::start(command.env("ITERATIONS", "1000")).unwrap();
    worker.signal(Signal::STOP);
    let request = server.send("/blocking");
    wait_for("all are queued", || nats.queued() == 16);
    worker.signal(Signal::CONT);
    let answer = request.wait();
    assert!(answer.ends_with("Result is 1000"), "{answer}");
}

#[test]
fn a_client_leaves_in_its_file_and_the_next_one_has_its_places() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let server = nats.server("1000", "1");
    worker.signal(Signal::STOP);
    let mut leaves = server.write(
        "POST /summary HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n",
    );
    let part = "Oslo;1.0\n".repeat(150_000);
    leaves.stream().write_all(part.as_bytes()).unwrap();
    wait_for("it has both places", || nats.queued() == 2);
    drop(leaves);
    wait_for("its pieces are off the queue", || nats.queued() == 0);
    worker.signal(Signal::CONT);
    assert_eq!(post(&server, &part), (200, "{Oslo=1.0/1.0/1.0}\n".into()));
}

#[test]
fn it_does_not_start_with_an_engine_that_it_cannot_use() {
    let Some(nats) = nats(&["--user", "me", "--pass", "s3cret"]) else {
        return;
    };
    let nobody = format!("nats://127.0.0.1:{}", free_port());
    let wrong = format!("nats://me:wr0ng@127.0.0.1:{}", nats.port);
    // The right password, but no JetStream.
    let without = wrong.replace("wr0ng", "s3cret");
    for (url, cause) in [
        (nobody, "refused"),
        (wrong, "authorization"),
        (nats.url(), "authorization"),
        (without, "jetstream"),
    ] {
        for role in [None, Some("work")] {
            let mut command = nats.command();
            let (status, said) =
                refused(command.env("NATS_URL", &url).args(role));
            assert_eq!(status, Some(1), "{said}");
            let said = said.to_lowercase();
            assert!(said.contains(cause), "{cause}: {said}");
            assert!(said.contains("nats-server -js"), "{said}");
            let port = nats.port.to_string();
            assert!(said.contains(&port) || cause == "refused", "{said}");
            assert!(!said.contains("s3cret") && !said.contains("wr0ng"));
        }
    }
}

#[test]
fn a_secret_lets_it_in_and_is_not_shown() {
    for (flags, secret) in [
        (vec!["-js", "--user", "me", "--pass", "s3cret"], "me:s3cret"),
        (vec!["-js", "--auth", "t0ken"], "t0ken"),
        // What stands for something else in a URL is written as its number.
        (vec!["-js", "--user", "me", "--pass", "p@s/%"], "me:p%40s%2F%25"),
    ] {
        let Some(nats) = nats(&flags) else { return };
        let url = format!("nats://{secret}@127.0.0.1:{}", nats.port);
        let _worker = Worker::start(nats.command().env("NATS_URL", &url));
        let mut command = nats.command();
        command.env("NATS_URL", &url).env("ITERATIONS", "1000");
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
        assert!(server.line().contains(&nats.url()), "{}", server.line());
        let (line, said) = (server.line().to_owned(), server.kill().stderr);
        assert!(!format!("{line}{said}").contains(secret));

        let mut command = nats.command();
        let (status, said) = refused(command.args(["--engine", &url]));
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("NATS_URL") && !said.contains(secret), "{said}");
        let help = nats.command().env("NATS_URL", &url).arg("--help").output();
        let help = String::from_utf8(help.unwrap().stdout).unwrap();
        assert!(help.contains("NATS_URL") && !help.contains(secret), "{help}");
    }
}

/// Checks that the engine is used by a server and a worker that know these
/// settings, and not by one that doesn't.
fn let_in_by(nats: &Nats, url: &str, settings: &[(&str, &Path)]) {
    let command = || {
        let mut command = nats.command();
        command.env("NATS_URL", url).env("ITERATIONS", "1000");
        command
    };
    let (status, said) = refused(&mut command());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("can't use the engine"), "{said}");
    for (name, value) in settings {
        let mut command = command();
        let nothing = nats.folder.join("nothing");
        let (status, said) = refused(command.env(name, &nothing));
        assert_eq!(status, Some(1), "{said}");
        let nothing = nothing.display().to_string();
        assert!(said.contains(&nothing), "{}: {said}", value.display());
    }
    let settings = || settings.iter().copied();
    let _worker = Worker::start(command().envs(settings()));
    let server = Server::start(command().envs(settings())).unwrap();
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
}

#[test]
fn a_file_with_credentials_lets_it_in() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nats");
    let config = here.join("accounts.conf").display().to_string();
    let Some(nats) = nats(&["-js", "-c", &config]) else { return };
    let file = here.join("user.creds");
    let_in_by(&nats, &nats.url(), &[("NATS_CREDS", &file)]);
}

#[test]
fn an_engine_with_a_certificate_is_used_by_who_knows_its_signer() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls");
    fs::create_dir_all(&folder).unwrap();
    let [key, cert] = ["key.pem", "cert.pem"].map(|it| folder.join(it));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-batch"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]);
    let made = openssl.arg("-keyout").arg(&key).arg("-out").arg(&cert);
    if !made.output().is_ok_and(|it| it.status.success()) {
        return skipped("TLS isn't tested: there is no openssl here");
    }
    let [key, crt] = [&key, &cert].map(|it| it.to_str().unwrap());
    let flags = ["-js", "--tls", "--tlskey", key, "--tlscert", crt];
    let Some(nats) = nats(&flags) else { return };
    let url = nats.url().replace("nats:", "tls:");
    let_in_by(&nats, &url, &[("NATS_CA", &cert)]);
}

#[test]
fn a_full_queue_is_a_503_and_nothing_of_the_request_stays_in_it() {
    let Some(nats) = nats(&["-js"]) else { return };
    make_queue(&nats, 3, Duration::from_secs(60));
    let worker = nats.worker();
    let server = nats.server(ENDLESS, "4");
    let response = server.get("/blocking");
    assert_eq!(response.status(), 503);
    assert_eq!(response.body(), "The queue is full. Try again later.");
    wait_for("nothing stays", || nats.queued() == 0);

    // A body is held back instead, and goes on when there is room.
    let two = nats.server(ENDLESS, "2");
    let long = two.send("/blocking");
    work_of(&two, &worker);
    let file = "Oslo;1.0\n".repeat(200_000);
    let mut upload = server.write(format!(
        "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{file}",
        file.len()
    ));
    upload.stream().flush().unwrap();
    wait_for("it is full", || nats.queued() == 3);
    assert!(!upload.is_answered());
    drop(long);
    let answer = upload.wait();
    assert!(answer.ends_with("{Oslo=1.0/1.0/1.0}\n"), "{answer}");
}

#[test]
fn a_share_that_waits_too_long_is_a_503() {
    let Some(nats) = nats(&["-js"]) else { return };
    make_queue(&nats, 100, Duration::from_secs(2));
    let worker = nats.worker();
    let server = nats.server("1000", "1");
    // It is there, but does nothing.
    worker.signal(Signal::STOP);
    let response = server.get("/blocking");
    assert_eq!(response.status(), 503);
    let said = "It has waited too long for a worker. Try again later.";
    assert_eq!(response.body(), said);
}

#[test]
fn a_share_that_panics_is_a_500_and_harms_nobody() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let server = nats.server("1000", "1");
    for _ in 0..3 {
        let response = server.get("/failing");
        assert_eq!(response.status(), 500);
        assert_eq!(response.body(), "The worker failed. The server goes on.");
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
    }
    let said = worker.kill();
    assert_eq!(said.matches("panics on purpose").count(), 3, "{said}");
}

#[test]
fn a_share_that_kills_each_worker_is_a_500() {
    let Some(nats) = nats(&["-js"]) else { return };
    let server = nats.server(ENDLESS, "1");
    let mut worker = nats.worker();
    let request = server.send("/blocking");
    for _ in 0..5 {
        work_of(&server, &worker);
        let next = nats.worker();
        worker.kill();
        worker = next;
    }
    let answer = request.wait();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    wait_for("it is off the queue", || nats.queued() == 0);
}

#[test]
fn two_servers_on_one_engine_get_each_its_own_answers() {
    let Some(nats) = nats(&["-js"]) else { return };
    let _workers = nats.workers();
    let servers = [nats.server("1_000_001", "5"), nats.server("999", "3")];
    thread::scope(|scope| {
        for (server, result) in servers.iter().zip(["1000001", "999"]) {
            scope.spawn(move || {
                for _ in 0..20 {
                    let body = server.get("/blocking").into_body();
                    assert_eq!(body, format!("Result is {result}"));
                }
            });
        }
    });
}

#[test]
fn what_cannot_be_read_is_taken_off_and_another_version_is_left_to_others() {
    let Some(nats) = nats(&["-js"]) else { return };
    let worker = nats.worker();
    let server = nats.server("1000", "2");
    nats.with(async |context| {
        // No share; one that would have the worker write to the queue; one of
        // another version.
        let to_queue = b"\x08shares.1\x00\x01";
        for (subject, payload) in [
            ("shares.1", &b"garbage"[..]),
            ("shares.1", to_queue),
            ("shares.2", b"another"),
        ] {
            let sent = context.publish(subject, payload.into()).await;
            sent.unwrap().await.unwrap();
        }
    });
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
    wait_for("the others are off", || nats.queued() == 1);
    let said = worker.kill();
    let lines = said.matches("a share that can't be read was taken off");
    assert_eq!(lines.count(), 2, "{said}");
}

#[test]
fn a_file_is_summarised_exactly_while_a_worker_dies() {
    let Some(nats) = nats(&["-js"]) else { return };
    let [dies, _lives] = nats.workers();
    let mut file = String::new();
    for row in 0..300_000_u64 {
        let x = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        writeln!(file, "Städtchen {};{}.{}", x % 317, x % 99, x % 10).unwrap();
    }
    let mut table = common::Table::default();
    table.add(file.as_bytes()).unwrap();
    let expected = format!("{}\n", table.summary().unwrap());
    let server = nats.server("1000", "2");
    let (head, rest) = file.as_bytes().split_at(file.len() / 2);
    let mut upload = server.write(format!(
        "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        file.len()
    ));
    upload.stream().write_all(head).unwrap();
    dies.kill();
    upload.stream().write_all(rest).unwrap();
    let answer = upload.wait();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, expected);
    wait_for("the queue is empty", || nats.queued() == 0);
}

#[test]
fn the_page_shows_which_worker_has_a_share_and_that_it_moves() {
    let Some(nats) = nats(&["-js"]) else { return };
    let [first, second] = nats.workers();
    let server = nats.server("20_000_000_000", "1");
    let Some(mut browser) = Browser::start() else { return };
    browser.look(1280, 800, "light");
    browser.open(server.url());
    let shown = "(document.querySelector('#log .shares')?.textContent ?? '')";
    let pool = "document.getElementById('queued').textContent";
    browser.wait_for(&format!("{pool}.includes('workers there: 2')"));
    browser.evaluate(
        "document.querySelector('[data-path=\"/blocking\"]').click()",
    );
    browser.wait_for(&format!("{shown}.includes('process ')"));
    let text = browser.evaluate(shown);
    let at_first = text.as_str().unwrap().contains(&first.name());
    let (dies, takes) =
        if at_first { (first, second) } else { (second, first) };
    dies.kill();
    browser.wait_for(&format!("{shown}.includes('{}')", takes.name()));
    browser.wait_for(&format!("{pool}.includes('workers there: 1')"));
    browser
        .screenshot(harness::workspace().join("target/page/step9-moved.png"));
    assert!(browser.console_errors().is_empty());
}

#[test]
fn a_worker_behind_a_bad_network_is_parted_and_the_answer_is_exact() {
    const RESULT: &str = "Result is 4000000000";
    let Some(network) = Network::new() else {
        return skipped(
            "a bad network isn't tested: only root can make one, with ip",
        );
    };
    let Some(nats) = nats(&["-js", "-a", "0.0.0.0"]) else { return };
    let mut command = nats.command();
    command.env("NATS_URL", format!("nats://{}:{}", network.here, nats.port));
    let far = Worker::start(&mut network.there(&command));
    let server = nats.server("4_000_000_000", "4");
    if !network.is_bad() {
        skipped("loss isn't tested: there is neither netem nor nft here");
    }
    assert_eq!(server.get("/blocking").body(), RESULT);
    // It heals, and the worker has gone on meanwhile.
    let request = server.send("/blocking");
    work_of(&server, &far);
    network.part();
    thread::sleep(Duration::from_millis(300));
    network.heal();
    let answer = request.wait();
    assert!(answer.ends_with(RESULT), "{answer}");
    // It doesn't, and another worker takes over.
    let request = server.send("/blocking");
    work_of(&server, &far);
    network.part();
    let near = nats.worker();
    let answer = request.wait();
    assert!(answer.ends_with(RESULT), "{answer}");
    near.kill();
    network.heal();
    wait_for("it is seen again", || {
        figure(&server, "workers").to_string().contains(&far.name())
    });
    let request = server.send("/blocking");
    work_of(&server, &far);
    assert!(request.wait().ends_with(RESULT));
}

#[test]
fn one_of_three_engines_dies_and_the_answer_is_exact() {
    let (ports, routes) =
        ([(); 3].map(|()| free_port()), [(); 3].map(|()| free_port()));
    if nats(&[]).is_none() {
        return;
    }
    let list = routes.map(|it| format!("nats://127.0.0.1:{it}")).join(",");
    let [mut dies, second, third] = [0, 1, 2].map(|it| {
        let (name, cluster) =
            (format!("n{it}"), format!("nats://127.0.0.1:{}", routes[it]));
        Nats::start(
            ports[it],
            &[
                "-js",
                "--server_name",
                &name,
                "--cluster_name",
                "three",
                "--cluster",
                &cluster,
                "--routes",
                &list,
            ],
        )
    });
    let urls = [&dies, &second, &third].map(Nats::url).join(",");
    let command = || {
        let mut command = dies.command();
        command.env("NATS_URL", &urls).env("REPLICAS", "3");
        command.env("ITERATIONS", LONG).env("THREADS", "4");
        command
    };
    // The three agree on one that leads within seconds.
    let mut server = None;
    wait_for("they lead", || {
        server = Server::start(&mut command()).ok();
        server.is_some()
    });
    let server = server.unwrap();
    let workers = [(); 2].map(|()| Worker::start(&mut command()));
    let request = server.send("/blocking");
    work_of(&server, &workers[0]);
    dies.kill();
    let answer = request.wait();
    assert!(answer.ends_with(LONG_RESULT), "{answer}");
}
