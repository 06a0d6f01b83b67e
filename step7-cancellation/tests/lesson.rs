//! What step 7 teaches: work that nobody is waiting for is stopped.

use std::{io::Write, net::Shutdown, thread, time::Duration};

use harness::{Pending, Server, running, wait_for_event, wait_for_pool};
use serde_json::Value;

const FOREVER: &str = "18446744073709551615";

fn start(settings: &[(&str, &str)]) -> Server {
    let program = env!("CARGO_BIN_EXE_step7-cancellation");
    let mut command = harness::command(program);
    command.env("THREADS", "2").envs(settings.iter().copied());
    Server::start(&mut command).unwrap()
}

fn counting_to(iterations: &str) -> Server {
    start(&[("ITERATIONS", iterations)])
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
            let settings = [("ITERATIONS", "500_000_000"), ("THREADS", "1")];
            let server = start(&settings);
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
fn two_hundred_requests_that_end_in_any_way_leave_nothing_behind() {
    let server = start(&[("ITERATIONS", "200_000_000"), ("QUEUE", "256")]);
    let (mut waited_for, mut failing) = (Vec::new(), Vec::new());
    let mut dropped = Vec::new();
    for number in 0..200 {
        match number % 20 {
            0 => waited_for.push(server.open("/blocking")),
            1 => failing.push(server.open("/failing")),
            _ => dropped.push(server.open("/blocking")),
        }
        // Some leave at once, others while they are queued or counted.
        dropped.truncate(number % 9);
    }
    drop(dropped);
    let [done, failed] = [&waited_for, &failing].map(|it| it.len() as u64);
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
    let server = start(&[("ITERATIONS", FOREVER), ("TIMEOUT", "1")]);
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

#[cfg(unix)]
#[test]
fn requests_that_outlast_the_shutdown_get_503_whatever_they_wait_for() {
    let stopped = |paths: &[&str]| -> Vec<String> {
        let settings = [("ITERATIONS", FOREVER), ("SHUTDOWN_TIMEOUT", "0")];
        let server = start(&settings);
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
    let server = start(&[("ITERATIONS", FOREVER), ("SHUTDOWN_TIMEOUT", "1")]);
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

#[cfg(unix)]
#[test]
fn a_shutdown_under_load_finishes_what_runs_and_what_is_queued() {
    let server = start(&[("ITERATIONS", "200_000_000"), ("QUEUE", "4")]);
    let pending: Vec<Pending> =
        (0..8).map(|_| server.send("/blocking")).collect();
    server.terminate();
    let answers: Vec<String> = pending.into_iter().map(Pending::wait).collect();
    let count = |status| {
        let is_it = |it: &&String| it.starts_with(status);
        answers.iter().filter(is_it).count()
    };
    let done = count("HTTP/1.1 200 ");
    assert!(done >= 4, "{answers:#?}");
    assert_eq!(done + count("HTTP/1.1 503 "), 8, "{answers:#?}");
    assert_eq!(server.wait().status.code(), Some(0));
}
