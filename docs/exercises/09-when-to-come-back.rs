//! Exercise 9: when to come back.

use std::{
    thread,
    time::{Duration, Instant},
};

use harness::Server;

#[test]
fn a_refused_client_is_told_how_long_it_will_take() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step5-back-pressure"));
    command.env("ITERATIONS", "500_000_000").env("QUEUE", "60");
    let server = Server::start(&mut command).unwrap();
    let start = Instant::now();
    for _ in 0..2 {
        assert_eq!(server.get("/blocking").status(), 200);
    }
    let one = start.elapsed().as_secs_f64() / 2.0;

    // All at once: 60 are admitted, the others are refused.
    let mut requests: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..64).map(|_| scope.spawn(|| server.send("/blocking"))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let refused = loop {
        let answered = requests.iter().position(|it| it.is_answered());
        let Some(answered) = answered else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let answer = requests.swap_remove(answered).wait();
        if answer.starts_with("HTTP/1.1 503 ") {
            break answer;
        }
    };
    let told = refused.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_it = name.eq_ignore_ascii_case("Retry-After");
        is_it.then(|| value.parse::<f64>().expect("a number of seconds"))
    });
    let told = told.expect("a 503 says when to come back");

    let expected = 60.0 * one;
    assert!(
        told > expected / 3.0 && told < expected * 3.0,
        "Not yet: 60 requests of {one:.2} s each are in front, and the client \
         is told to come back after {told} s"
    );
}
