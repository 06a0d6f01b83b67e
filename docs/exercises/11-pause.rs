//! Exercise 11: a pause.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::{Server, events};
use serde_json::Value;

/// One with two threads that counts for ever.
fn server() -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step7-cancellation"));
    command.env("ITERATIONS", u64::MAX.to_string()).env("THREADS", "2");
    Server::start(&mut command).unwrap()
}

/// What is told of the requests now.
fn figures(server: &Server) -> Value {
    events(server.send("/progress")).next().unwrap()
}

/// How many rounds of the request that runs are done.
fn done(server: &Server) -> u64 {
    figures(server)["running"][0]["done"].as_u64().unwrap_or(0)
}

/// Waits until it is so.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn post(server: &Server, path: &str) {
    let status = server.post(path, "text/plain", "").status();
    assert_eq!(status, 200, "Not yet: POST {path}");
}

#[test]
fn a_paused_request_stands_still_until_it_is_resumed() {
    let server = server();
    let request = server.send("/blocking?id=it");
    wait_until("it counts", || done(&server) > 0);

    post(&server, "/pause?id=it");
    wait_until("it stands still", || {
        let before = done(&server);
        thread::sleep(Duration::from_millis(500));
        done(&server) == before
    });
    assert_eq!(
        figures(&server)["running"][0]["busy"],
        2,
        "it keeps its threads"
    );

    let before = done(&server);
    post(&server, "/resume?id=it");
    wait_until("it counts on", || done(&server) > before);
    assert!(!request.is_answered());
}

#[test]
fn a_paused_request_ends_when_its_client_goes_away() {
    let server = server();
    let request = server.send("/blocking?id=it");
    wait_until("it counts", || done(&server) > 0);
    post(&server, "/pause?id=it");
    drop(request);
    wait_until("it is gone", || figures(&server)["cancelled"] == 1);
    let _next = server.send("/blocking?id=next");
    wait_until("its threads are free", || done(&server) > 0);
}
