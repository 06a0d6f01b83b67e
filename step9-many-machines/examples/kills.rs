//! How requests end when a worker process or the broker is killed at a random
//! moment.

#[path = "../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // It measures single functions too.
mod figures;
#[path = "../tests/nats/mod.rs"]
#[allow(dead_code)] // The tests use more of it.
mod nats;

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};

use figures::{print, three_digits};
use harness::Server;
use nats::{Nats, wait_for};
use serde_json::{Value, json};

/// How many worker processes are killed, and how many brokers.
const KILLS: [usize; 2] = [100, 20];

const ROUNDS: &str = "2_000_000_000";
const RESULT: &str = "Result is 2000000000";

fn main() {
    let mut nats = Nats::start(&["-js"]);
    let server = nats.server(ROUNDS, "4");
    let mut workers = Vec::from(nats.workers());
    let calm = (0..11).map(|_| seconds(&server)).collect();
    let calm = sorted(calm)[5];

    let mut killed = Vec::new();
    for _ in 0..KILLS[0] {
        let start = Instant::now();
        let request = server.send("/blocking");
        thread::sleep(some_of(calm));
        workers.remove(0).kill();
        let answer = request.wait();
        killed.push((answer, start.elapsed().as_secs_f64() - calm));
        workers.push(nats.worker());
    }

    let (mut ended, mut back) = (Vec::new(), Vec::new());
    for _ in 0..KILLS[1] {
        let request = server.send("/blocking");
        thread::sleep(some_of(calm));
        nats.kill();
        let start = Instant::now();
        let answer = request.wait();
        ended.push((answer, start.elapsed().as_secs_f64()));
        nats.restart();
        let start = Instant::now();
        wait_for("the next one works", || {
            server.get("/blocking").into_body() == RESULT
        });
        let next = (RESULT.into(), start.elapsed().as_secs_f64() - calm);
        back.push(next);
    }
    let columns = [
        "what",
        "exact",
        "503 and Retry-After",
        "otherwise",
        "median (s)",
        "at most (s)",
    ];
    let rows = vec![
        row("a worker killed: time beyond an undisturbed request", killed),
        row("the broker killed: time until the response", ended),
        row(
            "the broker back: time until an exact result, beyond its own",
            back,
        ),
    ];
    print("kills", &columns, rows);
}

/// How long a request takes. Checks its result.
fn seconds(server: &Server) -> f64 {
    let start = Instant::now();
    assert_eq!(server.get("/blocking").body(), RESULT);
    start.elapsed().as_secs_f64()
}

/// A random part of that time.
fn some_of(time: f64) -> Duration {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
    Duration::from_secs_f64(time * f64::from(now.subsec_nanos()) / 1e9)
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

fn row(what: &str, answers: Vec<(String, f64)>) -> Value {
    let exact = answers.iter().filter(|it| it.0.ends_with(RESULT)).count();
    let later = |it: &&(String, f64)| {
        it.0.starts_with("HTTP/1.1 503 ") && it.0.contains("retry-after: 1")
    };
    let later = answers.iter().filter(later).count();
    let others = answers.len() - exact - later;
    let times = sorted(answers.into_iter().map(|it| it.1).collect());
    let [median, most] =
        [times[times.len() / 2], times[times.len() - 1]].map(three_digits);
    json!([what, exact, later, others, median, most])
}
