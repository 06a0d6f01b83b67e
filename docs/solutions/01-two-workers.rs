//! Exercise 1: two workers.

use std::{thread, time::Duration};

use harness::{Pending, Server};

fn counting_to(iterations: u64) -> Server {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    command.env("ITERATIONS", iterations.to_string());
    Server::start(&mut command).unwrap()
}

fn answered(requests: &[Pending]) -> usize {
    requests.iter().filter(|request| request.is_answered()).count()
}

#[test]
fn one_heavy_request_freezes_one_worker_of_two() {
    let server = counting_to(5_000_000_000);
    let blocking = server.send("/blocking");
    let others: Vec<_> = (0..4).map(|_| server.send("/non-blocking")).collect();
    let mut answers = answered(&others);
    while answers < 2 && !blocking.is_answered() {
        thread::sleep(Duration::from_millis(5));
        answers = answered(&others);
    }
    assert!(
        !blocking.is_answered(),
        "Not yet: all four /non-blocking waited for the one /blocking"
    );
    assert_eq!(answers, 2, "of four connections, each worker has two");
}

#[test]
fn two_heavy_requests_freeze_both() {
    let server = counting_to(u64::MAX);
    let heavy = [server.send("/blocking"), server.send("/blocking")];
    let others: Vec<_> = (0..4).map(|_| server.send("/non-blocking")).collect();
    assert_eq!(answered(&others), 0, "nobody is answered");
    drop(heavy);
}
