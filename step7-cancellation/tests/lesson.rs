//! What step 7 teaches: work that nobody is waiting for is stopped.

use std::{
    hash::{BuildHasher, RandomState},
    io::Write,
    net::Shutdown,
    process::Command,
    thread,
    time::Duration,
};

use harness::{Pending, Server, wait_for_event};
use serde_json::Value;

const FOREVER: &str = "18446744073709551615";

fn command(iterations: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_step7-cancellation");
    let mut command = harness::command(program);
    command.env("ITERATIONS", iterations).env("THREADS", "2");
    command
}

fn counting_to(iterations: &str) -> Server {
    Server::start(&mut command(iterations)).unwrap()
}

fn running<'a>(event: &'a Value, id: &str) -> Option<&'a Value> {
    let running = event["running"].as_array().expect("a list");
    running.iter().find(|request| request["id"] == id)
}

/// How many requests have ended, and how.
fn counts(event: &Value) -> [u64; 3] {
    ["done", "failed", "cancelled"].map(|end| event[end].as_u64().unwrap())
}

/// Waits until the request with that name is counting.
fn wait_for_rounds(server: &Server, id: &str) {
    wait_for_event(server, |event| {
        running(event, id).is_some_and(|it| it["done"].as_u64() > Some(0))
    });
}

/// Waits until that many are cancelled, and nothing runs or is queued.
fn wait_for_the_end(server: &Server, cancelled: u64) -> Value {
    let end = wait_for_event(server, |event| {
        event["cancelled"] == cancelled
            && event["running"].as_array().is_some_and(Vec::is_empty)
    });
    wait_for_pool(server, &[("admitted", 0), ("queued", 0)]);
    end
}

/// Waits until the numbers from `GET /pool` are as expected.
fn wait_for_pool(server: &Server, expected: &[(&str, u64)]) {
    harness::wait_for(&format!("{expected:?}"), || {
        let figures = server.get("/pool");
        let figures: Value = serde_json::from_str(figures.body()).unwrap();
        expected.iter().all(|(name, value)| figures[name] == *value)
    });
}

#[cfg(target_os = "linux")]
#[test]
fn when_the_client_goes_away_its_threads_stop() {
    // Ticks of ten milliseconds, for all the process's threads.
    let ticks = |server: &Server| -> u64 {
        let path = format!("/proc/{}/stat", server.id());
        let stat = std::fs::read_to_string(path).unwrap();
        let (_, rest) = stat.split_once(") ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        fields[11..13].iter().map(|it| it.parse::<u64>().unwrap()).sum()
    };
    let server = counting_to(FOREVER);
    let client = server.open("/blocking?id=it");
    wait_for_event(&server, |event| {
        running(event, "it").is_some_and(|it| it["busy"] == 2)
    });
    drop(client);
    wait_for_the_end(&server, 1);

    let before = ticks(&server);
    thread::sleep(Duration::from_millis(300));
    let used = ticks(&server) - before;
    assert!(used <= 5, "{used} ticks of CPU time while idle for 300 ms");
}

#[test]
fn a_client_that_left_is_noticed_whatever_it_sent_before() {
    let server = counting_to(FOREVER);
    let mut half_closed = server.open("/blocking?id=half-closed");
    wait_for_rounds(&server, "half-closed");
    half_closed.stream().shutdown(Shutdown::Write).unwrap();
    wait_for_the_end(&server, 1);

    // A second request waits behind the first, and never starts.
    let mut pipelined = server.open("/blocking?id=first");
    let second = b"GET /blocking?id=second HTTP/1.1\r\nHost: x\r\n\r\n";
    pipelined.stream().write_all(second).unwrap();
    wait_for_rounds(&server, "first");
    drop(pipelined);
    wait_for_the_end(&server, 2);
}

#[test]
fn a_body_that_would_hide_the_clients_end_is_refused() {
    let server = counting_to(FOREVER);
    for body in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let head = format!("GET /blocking HTTP/1.1\r\nHost: x\r\n{body}\r\n");
        let mut pending = server.write(format!("{head}\r\n"));
        // It may be refused before all of it is sent.
        pending.stream().write_all(&[b'x'; 1_000]).ok();
        let mut answer = [0; 12];
        std::io::Read::read_exact(pending.stream(), &mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413", "{body}");
    }
    let event = wait_for_event(&server, |_| true);
    assert_eq!(event["running"], Value::Array(Vec::new()));

    let none = "GET /blocking?id=it HTTP/1.1\r\nHost: x\r\n\
                Content-Length: 0\r\n\r\n";
    let pending = server.write(none);
    wait_for_rounds(&server, "it");
    drop(pending);
    wait_for_the_end(&server, 1);
}

#[test]
fn cancelling_one_request_leaves_its_neighbours_alone() {
    // The first one runs, the others are queued behind it.
    for cancelled in [0, 2] {
        harness::wait_for("a client that leaves before its response", || {
            let mut command = command("500_000_000");
            let server = Server::start(command.env("THREADS", "1")).unwrap();
            let mut requests: Vec<Pending> =
                (0..3).map(|_| server.open("/blocking")).collect();
            requests.push(server.send("/blocking"));
            drop(requests.remove(cancelled));
            for request in requests {
                let answer = request.wait();
                assert!(answer.ends_with("Result is 500000000"), "{answer}");
            }
            let end = wait_for_event(&server, |it| {
                counts(it).iter().sum::<u64>() == 4
            });
            wait_for_the_end(&server, counts(&end)[2]);
            // On a busy machine its work may have been done before.
            counts(&end) == [3, 0, 1]
        });
    }
}

#[test]
fn a_queued_request_frees_its_slot_as_soon_as_its_client_leaves() {
    let mut command = command(FOREVER);
    command.env("QUEUE", "2").env("THREADS", "1");
    let server = Server::start(&mut command).unwrap();
    let running = server.open("/blocking?id=running");
    wait_for_rounds(&server, "running");
    for cancelled in 1..=5 {
        let queued = server.open("/blocking?id=queued");
        wait_for_pool(&server, &[("admitted", 2)]);
        assert_eq!(server.get("/blocking").status(), 503);
        drop(queued);
        let event = wait_for_event(&server, |it| it["cancelled"] == cancelled);
        assert!(self::running(&event, "queued").is_none());
        wait_for_pool(&server, &[("admitted", 1)]);
    }
    drop(running);
    wait_for_the_end(&server, 6);
}

#[test]
fn a_failed_share_does_not_count_as_cancelled() {
    let server = counting_to(FOREVER);
    let neighbour = server.open("/blocking?id=neighbour");
    wait_for_rounds(&server, "neighbour");
    let failing = server.open("/failing");
    // It was queued behind its neighbour. Now a thread is free for it.
    drop(neighbour);
    let answer = failing.wait();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    let end = wait_for_the_end(&server, 1);
    assert_eq!((&end["failed"], &end["done"]), (&1.into(), &0.into()));
}

/// A random number below `n`.
fn random(n: u64) -> u64 {
    RandomState::new().hash_one(0) % n
}

#[test]
fn requests_opened_and_dropped_at_random_leave_nothing_behind() {
    let mut command = command("200_000_000");
    let server = Server::start(command.env("QUEUE", "256")).unwrap();
    let (mut waited_for, mut failing) = (Vec::new(), Vec::new());
    let mut dropped: Vec<Pending> = Vec::new();
    for _ in 0..200 {
        match random(20) {
            0 => waited_for.push(server.open("/blocking")),
            1 => failing.push(server.open("/failing")),
            _ => dropped.push(server.open("/blocking")),
        }
        while dropped.len() > 8 || (!dropped.is_empty() && random(2) == 0) {
            dropped.swap_remove(random(dropped.len() as u64) as usize);
        }
        thread::sleep(Duration::from_millis(random(4)));
    }
    drop(dropped);
    let (done, failed) = (waited_for.len() as u64, failing.len() as u64);
    for answer in waited_for.into_iter().map(Pending::wait) {
        assert!(answer.ends_with("Result is 200000000"), "{answer}");
    }
    for answer in failing.into_iter().map(Pending::wait) {
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    }
    // Each is counted once. A client may have left only after its response.
    let end =
        wait_for_event(&server, |it| counts(it).iter().sum::<u64>() == 200);
    let [all_done, all_failed, cancelled] = counts(&end);
    assert!(all_done >= done && cancelled > 0, "{end}");
    assert_eq!((all_failed, &end["refused"]), (failed, &0.into()));
    wait_for_the_end(&server, cancelled);
    assert_eq!(server.get("/blocking").body(), "Result is 200000000");
}

#[test]
fn past_its_time_limit_a_request_gets_504_and_its_work_stops() {
    let mut command = command(FOREVER);
    let server = Server::start(command.env("TIMEOUT", "1")).unwrap();
    assert!(server.line().contains("timeout 1 s"), "{}", server.line());
    // The second is still queued behind the first when its time is up.
    let requests = [server.open("/blocking"), server.open("/blocking")];
    for answer in requests.map(Pending::wait) {
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert!(
            answer.ends_with("The request timed out and its work was stopped.")
        );
    }
    wait_for_the_end(&server, 2);
}

#[test]
fn a_bad_queue_or_time_is_named() {
    for (name, flag, value, accepted) in [
        ("TIMEOUT", "--timeout", "0", "1 to 86400"),
        ("TIMEOUT", "--timeout", "never", "1 to 86400, or off"),
        ("QUEUE", "--queue", "0", "1 to 10000"),
        ("QUEUE", "--queue", "many", "1 to 10000"),
        ("SHUTDOWN_TIMEOUT", "--shutdown-timeout", "-1", "0 to 86400"),
    ] {
        let mut command = command("1000");
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

#[cfg(unix)]
#[test]
fn a_shutdown_under_load_finishes_admitted_requests() {
    let mut command = command("500_000_000");
    let server = Server::start(command.env("QUEUE", "4")).unwrap();
    let pending: Vec<Pending> =
        (0..8).map(|_| server.send("/blocking")).collect();
    let waiting = server.send("/waiting");
    server.terminate();
    let answers: Vec<String> = pending.into_iter().map(Pending::wait).collect();
    let count = |start: &str| {
        answers.iter().filter(|answer| answer.starts_with(start)).count()
    };
    assert!(count("HTTP/1.1 200 ") >= 4, "{answers:#?}");
    let all = count("HTTP/1.1 200 ") + count("HTTP/1.1 503 ");
    assert_eq!(all, 8, "{answers:#?}");
    assert!(waiting.wait().starts_with("HTTP/1.1 200 "));
    assert_eq!(server.wait().status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn requests_that_outlast_the_shutdown_get_503_whatever_they_wait_for() {
    let mut command = command(FOREVER);
    command.env("SHUTDOWN_TIMEOUT", "0");
    let mut stopped = |paths: &[&str]| -> Vec<String> {
        let server = Server::start(&mut command).unwrap();
        let pending: Vec<Pending> =
            paths.iter().map(|path| server.send(path)).collect();
        server.interrupt();
        let answers = pending.into_iter().map(Pending::wait).collect();
        assert_eq!(server.wait().status.code(), Some(0));
        answers
    };
    for answer in stopped(&["/blocking", "/blocking", "/failing"]) {
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    // On a busy machine its three seconds may be over first.
    harness::wait_for("503 for /waiting", || {
        stopped(&["/waiting"])[0].starts_with("HTTP/1.1 503 ")
    });
}

#[cfg(unix)]
#[test]
fn neither_work_nor_clients_that_do_not_read_hold_up_the_shutdown() {
    let mut command = command(FOREVER);
    let server = Server::start(command.env("SHUTDOWN_TIMEOUT", "1")).unwrap();
    let _stalled = server.open("/progress");
    let running = server.send("/blocking");
    // The responses are far more than the system keeps for a connection.
    let question = "GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n";
    let _deaf = server.write(question.repeat(2_000));
    assert_eq!(server.get("/non-blocking").status(), 200);
    server.terminate();
    // Its connection is closed only after that.
    let answer = running.wait();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(server.wait().status.code(), Some(0));
}
