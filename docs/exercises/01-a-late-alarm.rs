//! Exercise 1: a late alarm.

use std::time::{Duration, Instant};

use harness::{Pending, Server};

fn counting_to(iterations: u64) -> Server {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step1-blocking"));
    command.env("ITERATIONS", iterations.to_string());
    Server::start(&mut command).unwrap()
}

/// How many seconds the answer says.
fn seconds(request: Pending) -> f64 {
    let answer = request.wait();
    let words = answer.split_whitespace().rev();
    let numbers = words.filter_map(|word| word.parse().ok());
    numbers.into_iter().next().expect("Not yet: no number of seconds")
}

/// So many rounds that they take about six seconds here.
fn six_seconds() -> u64 {
    let rounds = 500_000_000;
    let server = counting_to(rounds);
    let time = || {
        let start = Instant::now();
        server.get("/blocking");
        start.elapsed()
    };
    let one = [time(), time(), time()].into_iter().min().unwrap();
    let times = Duration::from_secs(6).div_duration_f64(one);
    (rounds as f64 * times) as u64
}

#[test]
fn ten_who_wait_wait_at_the_same_time() {
    let server = counting_to(1);
    let start = Instant::now();
    let requests: Vec<_> = (0..10).map(|_| server.send("/waiting")).collect();
    for request in requests {
        assert!(seconds(request) >= 3.0);
    }
    let all = start.elapsed();
    assert!(all < 5 * Duration::from_secs(3), "one after the other: {all:?}");
}

#[test]
fn who_waits_while_the_thread_counts_has_waited_longer() {
    let server = counting_to(six_seconds());
    let start = Instant::now();
    let waiting = server.send("/waiting");
    let _blocking = server.send("/blocking");
    let said = seconds(waiting);
    let waited = start.elapsed().as_secs_f64();
    assert!(
        said > 0.8 * waited,
        "Not yet: it was {waited:.1} seconds, and /waiting says {said}"
    );
}
