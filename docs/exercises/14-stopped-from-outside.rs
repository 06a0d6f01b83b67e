//! Exercise 14: stopped from outside.

use harness::{Pending, Server, events};
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

fn begin(server: &Server, path: &str) -> Pending {
    let request = server.send(path);
    while figures(server)["running"][0]["busy"] != 2 {}
    request
}

#[test]
fn a_request_that_runs_can_be_stopped_by_its_name() {
    let server = server();
    let first = begin(&server, "/blocking?id=first");
    let second = server.send("/blocking?id=second");

    let stop = server.post("/stop?id=first", "text/plain", "");
    assert_eq!(stop.status(), 200, "Not yet: POST /stop");
    assert_eq!(stop.body(), "Told 1 to stop.");

    let answer = first.wait();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    while figures(&server)["running"][0]["id"] != "second" {}
    assert!(!second.is_answered(), "its neighbour goes on");
    assert_eq!(figures(&server)["cancelled"], 1);
}

#[test]
fn who_is_not_there_is_not_stopped() {
    let server = server();
    let request = begin(&server, "/blocking?id=it");
    let stop = server.post("/stop?id=another", "text/plain", "");
    assert_eq!(stop.body(), "Told 0 to stop.", "Not yet: POST /stop");
    assert!(!request.is_answered());
}
