//! What step 1 teaches: a loop in a handler stops the whole server.

use std::{io::Read, time::Duration};

use harness::Server;

fn counting_to(iterations: &str) -> Server {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    Server::start(command.env("ITERATIONS", iterations)).unwrap()
}

#[test]
fn non_blocking_waits_until_blocking_is_done() {
    let server = counting_to("2_000_000_000");

    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");

    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(
        blocking.is_answered(),
        "/non-blocking was answered before /blocking: but the only server \
         thread was counting, so who could have responded?"
    );
    let answer = blocking.wait();
    assert!(answer.ends_with("Result is 2000000000"), "{answer}");
}

#[test]
fn two_blocking_requests_run_one_at_a_time() {
    let server = counting_to("500_000_000");

    let first = server.send("/blocking");
    let second = server.open("/blocking");
    second.wait();
    assert!(first.is_answered(), "with one thread, first come, first served");
}

#[cfg(unix)]
#[test]
fn a_request_that_waits_through_a_long_freeze_is_answered_after_it() {
    let server = counting_to("1_000_000_000");
    server.get("/non-blocking");

    let _blocking = server.send("/blocking");
    let waits = server.open("/non-blocking");
    // By default actix-web gives a client five seconds, and a freeze counts.
    server.pause(Duration::from_secs(6));
    let on_the_connection_of_before = server.get("/non-blocking");
    assert_eq!(on_the_connection_of_before.status(), 200);
    let answer = waits.wait();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_requests_in_progress_and_drops_untaken_connections() {
    let server = counting_to("2_000_000_000");
    let blocking = server.send("/blocking");
    let mut waiting: Vec<_> =
        (0..5).map(|_| server.open("/non-blocking")).collect();

    server.terminate();
    let answer = blocking.wait();
    assert!(answer.ends_with("Result is 2000000000"), "{answer}");
    for connection in &mut waiting {
        let mut answer = Vec::new();
        connection.stream().read_to_end(&mut answer).ok();
        assert_eq!(answer, b"", "the server thread had not taken it");
    }
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("requests in progress"), "{}", ended.stderr);
}
