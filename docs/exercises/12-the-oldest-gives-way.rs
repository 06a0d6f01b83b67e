//! Exercise 12: the oldest gives way.

use std::{thread, time::Duration};

use harness::{Pending, Server};
use serde_json::Value;

/// One that counts for ever, with three places.
fn server(threads: &str) -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step5-back-pressure"));
    command.env("ITERATIONS", u64::MAX.to_string());
    command.env("THREADS", threads).env("QUEUE", "3");
    Server::start(&mut command).unwrap()
}

fn figures(server: &Server) -> Value {
    serde_json::from_str(server.get("/pool").body()).unwrap()
}

/// Sends a request that counts for ever, and waits until it has begun.
fn begin(server: &Server) -> Pending {
    let request = server.send("/blocking");
    while figures(server)["admitted"] != 1 || figures(server)["queued"] != 0 {
        thread::sleep(Duration::from_millis(5));
    }
    request
}

/// Which of the requests are answered, once any is.
fn answered(requests: &[Pending]) -> Vec<usize> {
    loop {
        let answered: Vec<usize> = (0..requests.len())
            .filter(|number| requests[*number].is_answered())
            .collect();
        if !answered.is_empty() {
            return answered;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn when_the_pool_is_full_the_one_that_has_waited_longest_is_refused() {
    for threads in [1_u64, 2, 3] {
        let server = server(&threads.to_string());
        let mut requests = vec![begin(&server)];
        requests.push(server.send("/blocking"));
        requests.push(server.send("/blocking"));
        for _fourth_and_fifth in 0..2 {
            requests.push(server.send("/blocking"));
            let refused = answered(&requests);
            assert_ne!(
                refused,
                [requests.len() - 1],
                "Not yet: the newest was refused, with {threads} threads"
            );
            // The first runs already, the second has waited longest.
            assert_eq!(refused, [1], "of {} requests", requests.len());
            let answer = requests.remove(1).wait();
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        }
        let figures = figures(&server);
        assert_eq!(figures["admitted"], 3, "{figures}");
        let waiting = figures["queued"].as_u64();
        assert_eq!(waiting, Some(2 * threads), "their jobs have gone too");
    }
}

#[test]
fn who_runs_already_is_not_dropped() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step5-back-pressure"));
    command.env("ITERATIONS", u64::MAX.to_string());
    command.env("THREADS", "1").env("QUEUE", "1");
    let server = Server::start(&mut command).unwrap();
    let running = begin(&server);
    assert_eq!(server.get("/blocking").status(), 503);
    assert!(!running.is_answered(), "only one that waits can give way");
}

#[test]
fn a_job_that_panics_is_still_a_500() {
    let program = env!("CARGO_BIN_EXE_step5-back-pressure");
    let server = Server::start(&mut harness::command(program)).unwrap();
    assert_eq!(server.get("/failing").status(), 500);
}
