//! Exercise 10: the time left.

use harness::{Server, events};

#[test]
fn a_request_that_runs_says_how_much_longer_it_will_take() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step6-shared-memory"));
    let server =
        Server::start(command.env("ITERATIONS", "4_000_000_000")).unwrap();
    let mut events = events(server.send("/progress"));
    let _request = server.send("/blocking");
    let mut looks = 0;
    loop {
        let figures = events.next().expect("the stream goes on");
        if figures["done"] == 1 {
            break;
        }
        let request = &figures["running"][0];
        let number = |name: &str| request[name].as_f64();
        let (Some(done), Some(total)) = (number("done"), number("total"))
        else {
            continue;
        };
        // Before, one chunk more or less makes a great difference.
        if done > total / 10.0 {
            let left = number("left_ms").expect("Not yet: no left_ms");
            let elapsed = number("elapsed_ms").expect("Not yet: no elapsed_ms");
            // What is done took so long; what is left takes as long a round.
            let expected = elapsed * (total - done) / done;
            assert!(
                (left - expected).abs() <= 0.1 * elapsed,
                "Not yet: {left} ms left, expected {expected}: {request}"
            );
            looks += 1;
        }
    }
    assert!(looks > 2, "seen {looks} times while it ran");
}
