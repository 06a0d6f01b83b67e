//! Exercise 14: stopped from outside.

use std::{thread, time::Duration};

use harness::{Pending, Server};
use serde_json::Value;

/// One with two threads that counts for ever.
fn server() -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step5-shared-memory"));
    command.env("ITERATIONS", u64::MAX.to_string()).env("THREADS", "2");
    Server::start(&mut command).unwrap()
}

fn figures(server: &Server) -> Value {
    serde_json::from_str(server.get("/pool").body()).unwrap()
}

fn begin(server: &Server, path: &str) -> Pending {
    let request = server.send(path);
    while figures(server)["busy"] != 2 {
        thread::sleep(Duration::from_millis(5));
    }
    request
}

#[test]
fn a_request_that_runs_can_be_stopped_by_its_query() {
    let server = server();
    let first = begin(&server, "/blocking?first");
    let second = server.send("/blocking?second");

    let stop = server.post("/stop?first", "text/plain", "");
    assert_eq!(stop.status(), 200, "Not yet: POST /stop");
    assert_eq!(stop.body(), "Told 1 to stop.");

    let answer = first.wait();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    while figures(&server)["running"][0]["query"] != "second" {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!second.is_answered(), "its neighbour goes on");
    assert_eq!(figures(&server)["cancelled"], 1);
}

#[test]
fn who_is_not_there_is_not_stopped() {
    let server = server();
    let request = begin(&server, "/blocking?it");
    let stop = server.post("/stop?another", "text/plain", "");
    assert_eq!(stop.body(), "Told 0 to stop.", "Not yet: POST /stop");
    assert!(!request.is_answered());
}
