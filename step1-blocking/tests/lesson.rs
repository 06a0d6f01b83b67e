//! What step 1 teaches: a loop in a handler stops the whole server.

use std::{io::Read, time::Instant};

use harness::Server;

#[test]
fn non_blocking_waits_until_blocking_is_done() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", "5_000_000_000")).unwrap();

    let start = Instant::now();
    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");
    let until_non_blocking = start.elapsed();
    let answer = blocking.wait();
    let until_both = start.elapsed();

    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(answer.ends_with("Result is 5000000000"), "{answer}");
    // The two responses arrive together.
    assert!(
        until_both < 2 * until_non_blocking,
        "/non-blocking was answered long before /blocking: but the only \
         server thread was counting, so who could have responded?"
    );
}

#[test]
fn two_blocking_requests_run_one_at_a_time() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", "1_000_000_000")).unwrap();

    let first = server.send("/blocking");
    let second = server.open("/blocking");
    second.wait();
    assert!(first.is_answered(), "with one thread, first come, first served");
}

#[test]
fn a_request_that_waits_through_a_long_freeze_is_answered_after_it() {
    // By default actix-web gives a client five seconds, and a freeze counts.
    let rounds = 500_000_000;
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", rounds.to_string())).unwrap();
    let start = Instant::now();
    server.get("/blocking");
    let eight_seconds = 8.0 / start.elapsed().as_secs_f64() * rounds as f64;
    command.env("ITERATIONS", (eight_seconds as u64).to_string());
    let server = Server::start(&mut command).unwrap();
    server.get("/non-blocking");

    let _blocking = server.send("/blocking");
    let waits = server.open("/non-blocking");
    let on_the_connection_of_before = server.get("/non-blocking");
    assert_eq!(on_the_connection_of_before.status(), 200);
    let answer = waits.wait();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_requests_in_progress_and_drops_untaken_connections() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", "8_000_000_000")).unwrap();
    let blocking = server.send("/blocking");
    let mut waiting: Vec<_> =
        (0..5).map(|_| server.open("/non-blocking")).collect();

    server.terminate();
    let answer = blocking.wait();
    assert!(answer.ends_with("Result is 8000000000"), "{answer}");
    for connection in &mut waiting {
        let mut answer = Vec::new();
        connection.stream().read_to_end(&mut answer).ok();
        assert_eq!(answer, b"", "the server thread had not taken it");
    }
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("requests in progress"), "{}", ended.stderr);
}
