//! Exercise 13: the time left.

use std::{thread, time::Duration};

use harness::Server;
use serde_json::Value;

fn figures(server: &Server) -> Value {
    serde_json::from_str(server.get("/pool").body()).unwrap()
}

#[test]
fn a_request_that_runs_says_how_much_longer_it_will_take() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step5-shared-memory"));
    let server =
        Server::start(command.env("ITERATIONS", "10_000_000_000")).unwrap();
    let _request = server.send("/blocking?it");
    let mut last_left = f64::INFINITY;
    let mut looks = 0;
    let ended = loop {
        let figures = figures(&server);
        let request = &figures["running"][0];
        let Some(done) = request["done"].as_f64() else {
            break figures;
        };
        if done > 0.0 {
            let number = |name: &str| request[name].as_f64();
            let left = number("left_ms").expect("Not yet: no left_ms");
            let elapsed = number("elapsed_ms").unwrap();
            let total = number("total").unwrap();
            // What is done took so long; what is left takes as long a round.
            let expected = elapsed * (total - done) / done;
            assert!(
                (left - expected).abs() <= 0.01 * expected + 1.0,
                "Not yet: {left} ms left, expected {expected}: {request}"
            );
            last_left = left;
            looks += 1;
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(looks > 2, "seen {looks} times while it ran");
    assert!(last_left < 10_000.0, "the last look said {last_left} ms");
    assert_eq!(ended["last"]["left_ms"], 0.0, "nothing is left: {ended}");
}
