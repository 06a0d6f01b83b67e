//! Exercise 7: one after the other.

// It counts the threads of the process, for which it needs Linux.
#![cfg(target_os = "linux")]

use harness::Server;

fn counting_to(iterations: u64) -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
    command.env("ITERATIONS", iterations.to_string()).env("THREADS", "3");
    Server::start(&mut command).unwrap()
}

#[test]
fn while_the_first_thread_counts_no_other_is_started() {
    let server = counting_to(u64::MAX);
    // Once it has answered, all threads of the server itself have started.
    server.get("/non-blocking");
    let before = server.threads();
    let blocking = server.send("/blocking");
    assert_eq!(server.get("/non-blocking").status(), 200, "nothing freezes");
    let workers = server.threads() - before;
    assert_eq!(workers, 1, "Not yet: {workers} of 3 threads run at once");
    assert!(!blocking.is_answered());
}

#[test]
fn the_count_is_right_nevertheless() {
    let response = counting_to(1_000_003).get("/blocking");
    assert_eq!(response.body(), "Result is 1000003");
}
