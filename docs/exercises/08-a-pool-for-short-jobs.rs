//! Exercise 8: a pool for short jobs.

use std::{thread, time::Duration};

use harness::Server;

#[test]
fn a_short_job_does_not_wait_behind_the_long_ones() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step4-worker-pool"));
    command.env("ITERATIONS", "1_000_000_000").env("THREADS", "2");
    let server = Server::start(&mut command).unwrap();
    let long = [server.send("/blocking"), server.send("/blocking")];
    let short = server.send("/failing");
    while !short.is_answered() {
        thread::sleep(Duration::from_millis(5));
    }
    let waited = long.iter().any(|request| request.is_answered());
    assert!(!waited, "Not yet: /failing waited for /blocking");
    let answer = short.wait();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
}

#[cfg(unix)]
#[test]
fn the_server_still_ends_in_order() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step4-worker-pool"));
    command.env("ITERATIONS", "500_000_000");
    let server = Server::start(&mut command).unwrap();
    let requests = [server.send("/blocking"), server.send("/failing")];
    // By then both have begun: what hasn't is dropped at a stop.
    server.get("/non-blocking");
    server.terminate();
    let answers = requests.map(|request| request.wait());
    assert!(answers[0].ends_with("Result is 500000000"), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 500 "), "{answers:?}");
    assert_eq!(server.wait().status.code(), Some(0));
}
