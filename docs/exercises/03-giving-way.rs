//! Exercise 3: giving way.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::Server;

fn server() -> Server {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    Server::start(command.env("ITERATIONS", "500_000_000")).unwrap()
}

#[test]
fn non_blocking_is_answered_while_blocking_runs() {
    let server = server();
    let blocking = server.send("/blocking");
    server.get("/non-blocking");
    let waited = blocking.is_answered();
    assert!(!waited, "Not yet: /non-blocking waited for /blocking");
    assert!(blocking.wait().ends_with("Result is 500000000"));
}

#[test]
fn two_heavy_requests_take_turns_and_both_take_twice_as_long() {
    let server = server();
    let start = Instant::now();
    let heavy = [server.send("/blocking"), server.send("/blocking")];
    while !heavy.iter().any(|request| request.is_answered()) {
        thread::sleep(Duration::from_millis(5));
    }
    let one = start.elapsed();
    for answer in heavy.map(|request| request.wait()) {
        assert!(answer.ends_with("Result is 500000000"), "{answer}");
    }
    let both = start.elapsed();
    assert!(
        one > both * 3 / 4,
        "Not yet: one was answered after {one:?}, both only after {both:?}: \
         so one waited for the other"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_is_started_for_it() {
    let server = server();
    server.get("/non-blocking");
    let threads = server.threads();
    let _blocking = server.send("/blocking");
    server.get("/non-blocking");
    assert_eq!(server.threads(), threads, "the server's own thread counts");
}
