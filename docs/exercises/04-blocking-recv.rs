//! Exercise 4: the freeze is back.

use std::time::Instant;

use harness::Server;

#[test]
fn with_a_blocking_recv_everyone_waits_for_the_worker() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step2-single-worker"));
    let server =
        Server::start(command.env("ITERATIONS", "500_000_000")).unwrap();

    let start = Instant::now();
    let blocking = server.send("/blocking");
    server.get("/non-blocking");
    let until_non_blocking = start.elapsed();
    let answer = blocking.wait();
    let until_both = start.elapsed();

    assert!(answer.ends_with("Result is 500000000"), "{answer}");
    assert!(
        until_both < 2 * until_non_blocking,
        "Not yet: /non-blocking was answered while the worker counted"
    );
}
