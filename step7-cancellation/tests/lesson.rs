//! What step 5 teaches: work that is shared can be watched and stopped.

use std::{
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use harness::Server;
use serde_json::Value;

fn command() -> Command {
    harness::command(env!("CARGO_BIN_EXE_step5-shared-memory"))
}

fn counting_to(iterations: &str) -> Server {
    Server::start(command().env("ITERATIONS", iterations)).unwrap()
}

/// A server with two threads whose requests never end by themselves.
fn counting_for_ever() -> Server {
    let mut command = command();
    command.env("ITERATIONS", u64::MAX.to_string()).env("THREADS", "2");
    Server::start(&mut command).unwrap()
}

fn figures(server: &Server) -> Value {
    serde_json::from_str(server.get("/pool").body()).unwrap()
}

/// A figure of `GET /pool`.
fn figure(server: &Server, name: &str) -> u64 {
    figures(server)[name].as_u64().expect(name)
}

/// Waits until the figures of `GET /pool` are as expected.
fn wait_for(server: &Server, expected: &[(&str, u64)]) {
    let start = Instant::now();
    loop {
        let figures = figures(server);
        if expected.iter().all(|(name, value)| figures[name] == *value) {
            return;
        }
        let long = start.elapsed() > Duration::from_secs(60);
        assert!(!long, "never {expected:?}: {figures:#}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a GET and returns its connection; to drop it is to go away.
fn open(server: &Server, path: &str) -> TcpStream {
    let address = server.url().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    stream
}

/// All that still comes on a connection, as text.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        Ok(_) => answer,
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            panic!("nothing comes any more, after: {answer:?}")
        }
        Err(error) => panic!("the connection was dropped: {error}"),
    }
}

/// The lines of `GET /progress`.
fn lines(server: &Server) -> impl Iterator<Item = String> {
    let lines = BufReader::new(open(server, "/progress")).lines();
    lines.map(|line| line.expect("the stream goes on or ends"))
}

/// The events of `GET /progress`.
fn events(server: &Server) -> impl Iterator<Item = Value> {
    lines(server).filter_map(|line| {
        let data = line.strip_prefix("data: ")?;
        Some(serde_json::from_str(data).expect(data))
    })
}

/// What an event says of the request that was sent with `query`.
fn running<'a>(event: &'a Value, query: &str) -> Option<&'a Value> {
    let running = event["running"].as_array().expect("a list");
    running.iter().find(|request| request["query"] == query)
}

fn running_queries(event: &Value) -> Vec<&str> {
    let running = event["running"].as_array().expect("a list");
    running.iter().filter_map(|request| request["query"].as_str()).collect()
}

/// Waits until the request that was sent with `query` counts, and `more` of
/// its rounds are done.
fn wait_for_rounds(server: &Server, query: &str, more: u64) {
    let mut first = None;
    events(server).find(|event| {
        let done = running(event, query).map(|it| it["done"].as_u64());
        let done = done.flatten().unwrap_or(0);
        done > 0 && done >= *first.get_or_insert(done) + more
    });
}

#[test]
fn non_blocking_is_answered_while_blocking_runs() {
    let server = counting_to("2_000_000_000");
    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");
    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(!blocking.is_answered(), "the server's own thread is free");
    assert!(blocking.wait().ends_with("Result is 2000000000"));
}

#[test]
fn the_count_is_exact_for_any_number_of_threads() {
    for threads in ["1", "2", "3", "7", "64"] {
        let mut command = command();
        command.env("ITERATIONS", "1_000_003").env("THREADS", threads);
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000003");
        assert_eq!(figure(&server, "threads").to_string(), threads);
    }
}

#[test]
fn a_job_that_panics_is_a_500_and_the_pool_stays_whole() {
    let server =
        Server::start(command().env("ITERATIONS", "1000").env("THREADS", "2"))
            .unwrap();
    for _ in 0..10 {
        let response = server.get("/failing");
        assert_eq!(response.status(), 500);
        assert_eq!(response.body(), "The worker failed. The server goes on.");
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
    }
    assert_eq!(figure(&server, "failed"), 10);
    assert_eq!(figure(&server, "finished"), 10);
    assert_eq!(figure(&server, "threads"), 2);
    assert_eq!(figure(&server, "admitted"), 0);
    let stderr = server.kill().stderr;
    assert_eq!(stderr.matches("panics on purpose").count(), 10, "{stderr}");
}

#[test]
fn beyond_the_bound_a_request_is_refused_at_once() {
    let mut command = command();
    command.env("ITERATIONS", "2_000_000_000").env("QUEUE", "2");
    let server = Server::start(&mut command).unwrap();
    let admitted = [server.send("/blocking"), server.send("/blocking")];

    let refused = server.get("/blocking");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(
        refused.body(),
        "No room for this request now. Try again later."
    );
    assert_eq!(server.get("/failing").status(), 503, "it needs the pool too");
    assert_eq!(figure(&server, "refused"), 2);
    assert_eq!(figure(&server, "admitted"), 2);
    assert!(!admitted[0].is_answered(), "refused before the others are done");

    for pending in admitted {
        assert!(pending.wait().ends_with("Result is 2000000000"));
    }
    assert_eq!(server.get("/blocking").status(), 200);
    assert_eq!(figure(&server, "finished"), 3);
}

#[test]
fn progress_never_goes_back_and_ends_at_the_total() {
    let server = counting_to("3_000_000_000");
    let events = events(&server);
    let request = server.send("/blocking?watched");
    let (mut done, mut elapsed, mut looks) = (0, 0.0, 0);
    let mut see = |request: &Value| {
        let number = |name: &str| request[name].as_f64().expect(name);
        assert!(request["done"].as_u64() >= Some(done), "{done}: {request}");
        done = request["done"].as_u64().expect("rounds");
        assert_eq!(request["total"], 3_000_000_000_u64);
        let now = number("elapsed_ms");
        assert!(now == 0.0 || now > elapsed, "after {elapsed}: {request}");
        elapsed = now;
        let rate = done as f64 / (elapsed / 1_000.0).max(1e-9);
        let off = (number("rounds_per_second") - rate).abs();
        assert!(off <= 0.01 * rate + 1.0, "{rate}: {request}");
    };
    for event in events {
        if let Some(request) = running(&event, "watched") {
            see(request);
            assert_eq!(request["ending"], Value::Null);
            looks += 1;
        } else if event["finished"] == 1 {
            see(&event["last"]);
            assert_eq!(event["last"]["ending"], "finished");
            break;
        }
    }
    assert_eq!(done, 3_000_000_000);
    assert!(looks >= 2, "seen {looks} times while it ran");
    assert!(request.wait().ends_with("Result is 3000000000"));
}

#[test]
fn events_come_ten_times_a_second_at_most_and_only_a_comment_when_idle() {
    let server = counting_for_ever();
    let idle: Vec<String> = lines(&server)
        .filter(|line| line.starts_with(':') || line.starts_with("data: "))
        .take(2)
        .collect();
    assert!(idle[0].starts_with("data: "), "at first how things stand");
    assert!(idle[1].starts_with(": "), "then a comment: {}", idle[1]);

    let _running = open(&server, "/blocking?it");
    let times: Vec<f64> = events(&server)
        .filter_map(|event| running(&event, "it")?["elapsed_ms"].as_f64())
        .take(5)
        .collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= 99.0, "{times:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn when_the_client_goes_away_its_workers_stop() {
    // Ticks of ten milliseconds, of all threads of the process.
    let ticks = |server: &Server| -> u64 {
        let path = format!("/proc/{}/stat", server.id());
        let stat = std::fs::read_to_string(path).unwrap();
        let (_, rest) = stat.split_once(") ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        fields[11..13].iter().map(|it| it.parse::<u64>().unwrap()).sum()
    };
    let server = counting_for_ever();
    let client = open(&server, "/blocking?it");
    while ticks(&server) < 40 {
        thread::sleep(Duration::from_millis(20));
    }
    wait_for(&server, &[("busy", 2), ("admitted", 1)]);
    drop(client);
    wait_for(&server, &[("busy", 0), ("admitted", 0), ("cancelled", 1)]);

    let before = ticks(&server);
    thread::sleep(Duration::from_millis(300));
    let used = ticks(&server) - before;
    assert!(used <= 5, "{used} ticks of processor time in 300 ms of idling");
    let event = events(&server).next().expect("how things stand");
    assert_eq!(event["running"].as_array().map(Vec::len), Some(0));
    assert_eq!(event["last"]["query"], "it");
    assert_eq!(event["last"]["ending"], "cancelled");
}

#[test]
fn a_client_has_gone_away_whatever_it_sent_before() {
    let server = counting_for_ever();
    let half_closed = open(&server, "/blocking?half-closed");
    wait_for(&server, &[("admitted", 1)]);
    half_closed.shutdown(Shutdown::Write).unwrap();
    wait_for(&server, &[("admitted", 0), ("busy", 0), ("cancelled", 1)]);

    // A second request waits behind the first, and never starts.
    let mut pipelined = open(&server, "/blocking?first");
    pipelined
        .write_all(b"GET /blocking?second HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    wait_for_rounds(&server, "first", 0);
    drop(pipelined);
    wait_for(&server, &[("admitted", 0), ("busy", 0), ("cancelled", 2)]);
}

#[test]
fn cancelling_one_request_leaves_its_neighbours_untouched() {
    // The first one runs, the others are queued behind it.
    for cancelled in 0..4 {
        let mut command = command();
        command.env("ITERATIONS", "2_000_000_000").env("THREADS", "2");
        let server = Server::start(&mut command).unwrap();
        let mut requests: Vec<TcpStream> = (1..=4)
            .map(|admitted| {
                let request = open(&server, "/blocking");
                wait_for(&server, &[("admitted", admitted)]);
                request
            })
            .collect();
        assert_eq!(figure(&server, "finished"), 0, "they take longer");
        drop(requests.remove(cancelled));
        wait_for(&server, &[("cancelled", 1), ("admitted", 3)]);
        for request in requests {
            let answer = rest(request);
            assert!(answer.ends_with("Result is 2000000000"), "{answer}");
        }
        wait_for(&server, &[("finished", 3), ("cancelled", 1), ("busy", 0)]);
    }
}

#[test]
fn a_queued_request_gives_its_place_back_as_soon_as_its_client_leaves() {
    let mut command = command();
    command.env("ITERATIONS", u64::MAX.to_string()).env("QUEUE", "2");
    let server = Server::start(&mut command).unwrap();
    let running = open(&server, "/blocking?running");
    for cancelled in 1..=20 {
        wait_for(&server, &[("admitted", 1)]);
        let queued = open(&server, "/blocking?queued");
        wait_for(&server, &[("admitted", 2)]);
        assert_eq!(server.get("/blocking").status(), 503);
        drop(queued);
        wait_for(&server, &[("cancelled", cancelled)]);
    }
    wait_for_rounds(&server, "running", 10_000_000);
    let event = events(&server).next().expect("how things stand");
    assert_eq!(running_queries(&event), ["running"], "the others never began");

    drop(running);
    let end = [("admitted", 0), ("busy", 0), ("queued", 0), ("cancelled", 21)];
    wait_for(&server, &end);
}

#[test]
fn when_one_share_fails_the_others_stop_too() {
    let server = counting_for_ever();
    let response = server.get("/failing?it");
    assert_eq!(response.status(), 500);
    assert_eq!(response.body(), "The worker failed. The server goes on.");
    wait_for(&server, &[("busy", 0), ("queued", 0), ("admitted", 0)]);
    let figures = figures(&server);
    assert_eq!(figures["failed"], 1);
    assert_eq!(figures["cancelled"], 0, "each request has one ending");
    assert_eq!(figures["last"]["query"], "it");
    assert_eq!(figures["last"]["ending"], "failed");

    // And no one else's: this one goes on counting.
    let _neighbour = open(&server, "/blocking?neighbour");
    wait_for_rounds(&server, "neighbour", 0);
}

/// A number below `n`, another one in each run.
fn random(n: u64) -> u64 {
    RandomState::new().hash_one(0) % n
}

#[test]
fn requests_opened_and_dropped_at_random_leave_nothing_behind() {
    let mut command = command();
    command.env("ITERATIONS", "1_000_000_000").env("QUEUE", "256");
    let server = Server::start(&mut command).unwrap();
    let (mut waited_for, mut failing) = (Vec::new(), Vec::new());
    let mut dropped: Vec<TcpStream> = Vec::new();
    for _ in 0..200 {
        match random(20) {
            0 => waited_for.push(open(&server, "/blocking")),
            1 => failing.push(open(&server, "/failing")),
            _ => dropped.push(open(&server, "/blocking")),
        }
        // None is left long enough to be answered.
        while dropped.len() > 8 || (!dropped.is_empty() && random(2) == 0) {
            dropped.swap_remove(random(dropped.len() as u64) as usize);
        }
        thread::sleep(Duration::from_millis(random(4)));
    }
    drop(dropped);
    let (finished, failed) = (waited_for.len(), failing.len());
    for request in waited_for {
        let answer = rest(request);
        assert!(answer.ends_with("Result is 1000000000"), "{answer}");
    }
    for request in failing {
        let answer = rest(request);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    wait_for(
        &server,
        &[
            ("admitted", 0),
            ("busy", 0),
            ("queued", 0),
            ("refused", 0),
            ("finished", finished as u64),
            ("failed", failed as u64),
            ("cancelled", 200 - finished as u64 - failed as u64),
        ],
    );
    assert_eq!(figures(&server)["running"].as_array().map(Vec::len), Some(0));
    assert_eq!(server.get("/blocking").body(), "Result is 1000000000");
}

#[test]
fn past_its_time_limit_a_request_gets_504_and_its_work_stops() {
    let mut command = command();
    command.env("ITERATIONS", u64::MAX.to_string()).env("TIMEOUT", "1");
    let server = Server::start(&mut command).unwrap();
    assert!(server.line().contains("timeout 1 s"), "{}", server.line());
    // The second is queued behind the first when its time is over.
    let requests = [server.send("/blocking"), server.send("/blocking")];
    for request in requests {
        let answer = request.wait();
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert!(
            answer.ends_with("longer than 1s, and was stopped."),
            "{answer}"
        );
    }
    let end = [("admitted", 0), ("busy", 0), ("queued", 0), ("cancelled", 2)];
    wait_for(&server, &end);
}

#[test]
fn a_wrong_queue_priority_or_time_out_is_named() {
    for (name, flag, value, accepted) in [
        ("TIMEOUT", "--timeout", "0", "1 to 86400"),
        ("TIMEOUT", "--timeout", "off", "1 to 86400"),
        ("QUEUE", "--queue", "0", "1 to 10000"),
        ("QUEUE", "--queue", "many", "1 to 10000"),
        ("SHUTDOWN_TIMEOUT", "--shutdown-timeout", "-1", "0 to 86400"),
        ("PRIORITY", "--priority", "high", "low, normal"),
    ] {
        let mut command = command();
        let error = Server::start(command.env(name, value)).unwrap_err();
        let harness::StartError::Ended { status, stderr, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(status.code(), Some(2));
        for part in [flag, name, &format!("'{value}'"), accepted] {
            assert!(stderr.contains(part), "no {part} in: {stderr}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_threads_of_the_pool_step_back_behind_the_servers_own() {
    for priority in ["low", "normal"] {
        let mut command = command();
        let server = Server::start(
            command.env("PRIORITY", priority).env("THREADS", "3"),
        )
        .unwrap();
        let said = format!("priority {priority}");
        assert!(server.line().contains(&said), "{}", server.line());
        server.get("/blocking?warm-up");

        let folder = format!("/proc/{}/task", server.id());
        let (mut pool, mut servers_own) = (Vec::new(), String::new());
        for task in std::fs::read_dir(folder).unwrap() {
            let path = task.unwrap().path().join("stat");
            let stat = std::fs::read_to_string(path).unwrap();
            // The name may hold spaces; 17 fields after it comes the niceness.
            let (name, rest) = stat.split_once(") ").unwrap();
            let nice = rest.split(' ').nth(16).unwrap().to_owned();
            if name.contains("(pool ") {
                pool.push(nice);
            } else {
                servers_own = nice;
            }
        }
        let expected = if priority == "low" { "19" } else { &servers_own };
        assert_eq!(pool, [expected; 3]);
    }
}

/// What a thousand clients got that all came at once.
fn a_thousand_at_once(server: &Server) -> (usize, usize) {
    let streams: Vec<_> =
        (0..1_000).map(|_| open(server, "/blocking")).collect();
    let (mut answered, mut refused) = (0, 0);
    for answer in streams.into_iter().map(rest) {
        match answer {
            _ if answer.contains("Result is ") => answered += 1,
            _ if answer.starts_with("HTTP/1.1 503 ") => refused += 1,
            _ => panic!("neither 200 nor 503: {answer:?}"),
        }
    }
    (answered, refused)
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_connections_at_once_are_all_answered() {
    let mut command = command();
    command.env("ITERATIONS", "20_000_000").env("QUEUE", "8");
    let server = Server::start(&mut command).unwrap();
    server.get("/blocking");
    let threads = server.threads();

    let (answered, refused) = a_thousand_at_once(&server);
    assert_eq!(answered + refused, 1_000);
    assert!(answered >= 8, "{answered} answered, {refused} refused");
    assert!(refused > 0, "{answered} answered, {refused} refused");
    assert_eq!(server.threads(), threads, "not one more, not one less");

    assert_eq!(server.get("/blocking").body(), "Result is 20000000");
    assert_eq!(figure(&server, "admitted"), 0);
    assert_eq!(figure(&server, "refused"), refused as u64);
    assert_eq!(figure(&server, "finished"), answered as u64 + 2);
}

#[cfg(unix)]
#[test]
fn sigterm_under_load_finishes_what_was_admitted() {
    let mut command = command();
    command.env("ITERATIONS", "500_000_000").env("QUEUE", "4");
    let server = Server::start(&mut command).unwrap();
    let mut pending: Vec<_> =
        (0..8).map(|_| server.send("/blocking")).collect();
    server.terminate();
    let answers: Vec<String> = pending.drain(..).map(|p| p.wait()).collect();
    let count = |start: &str| {
        answers.iter().filter(|answer| answer.starts_with(start)).count()
    };
    assert!(count("HTTP/1.1 200 ") >= 4, "{answers:#?}");
    assert_eq!(
        count("HTTP/1.1 200 ") + count("HTTP/1.1 503 "),
        8,
        "{answers:#?}"
    );
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!ended.stderr.contains("not finished"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn past_the_time_out_the_unfinished_get_503_and_their_number_is_said() {
    let mut command = command();
    command.env("ITERATIONS", "1_000_000_000_000").env("QUEUE", "3");
    let server = Server::start(command.env("SHUTDOWN_TIMEOUT", "1")).unwrap();
    let pending: Vec<_> = (0..3).map(|_| server.send("/blocking")).collect();
    server.interrupt();
    for pending in pending {
        let answer = pending.wait();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0));
    let said = "3 requests are not finished after 1s";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_stop_ends_the_progress_once_nothing_runs_any_more() {
    let server = counting_to("1_000_000_000");
    let idle = open(&server, "/progress");
    let watched = events(&server);
    let request = server.send("/blocking?it");
    server.terminate();
    let last = watched.last().expect("the stream isn't cut at once");
    assert_eq!(last["finished"], 1);
    assert!(rest(idle).ends_with("\r\n0\r\n\r\n"), "a proper end");
    assert!(request.wait().ends_with("Result is 1000000000"));
    assert_eq!(server.wait().status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_stalled_does_not_hold_up_the_stop() {
    let server = counting_to("1000");
    let mut stalled = open(&server, "/progress");
    let address = stalled.peer_addr().unwrap();
    let mut deaf = TcpStream::connect(address).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let question = "GET /pool HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    // Asks on until the server can't send its answers any more.
    while deaf.write_all(question.as_bytes()).is_ok() {}
    assert_eq!(server.get("/non-blocking").status(), 200);
    server.terminate();
    assert_eq!(server.wait().status.code(), Some(0));
    stalled.read_exact(&mut [0]).expect("there was something to read");
}
