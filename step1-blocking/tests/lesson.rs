//! What step 1 teaches: a loop in a handler stops the whole server.

use harness::Server;

#[test]
fn non_blocking_waits_until_blocking_is_done() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", "2_000_000_000")).unwrap();

    let blocking = server.send("/blocking");
    assert!(!blocking.is_answered(), "it counts for longer than this");
    let response = server.get("/non-blocking");

    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(
        blocking.is_answered(),
        "/non-blocking was answered first: but the only thread of the \
         server was counting, who could have answered?"
    );
    assert!(blocking.wait().ends_with("Result is 2000000000"));
}

#[test]
fn two_blocking_requests_run_one_after_the_other() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", "1_000_000_000")).unwrap();

    let first = server.send("/blocking");
    let second = server.send("/blocking");
    second.wait();
    assert!(first.is_answered(), "with one thread, first come, first served");
}
