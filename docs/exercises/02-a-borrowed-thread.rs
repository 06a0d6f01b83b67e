//! Exercise 2: a borrowed thread.

use harness::Server;

#[test]
fn non_blocking_is_answered_while_blocking_runs() {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    let server =
        Server::start(command.env("ITERATIONS", "500_000_000")).unwrap();

    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");
    let waited = blocking.is_answered();

    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(!waited, "Not yet: /non-blocking waited for /blocking");
    assert!(blocking.wait().ends_with("Result is 500000000"));
}
