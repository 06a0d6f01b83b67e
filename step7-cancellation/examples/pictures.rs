//! How many pictures a second the example `thumbnail` makes, with one thread a
//! picture and with two, and how long `/non-blocking` takes meanwhile.

#[path = "../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // It measures single functions too.
mod figures;
#[path = "thumbnail/photo.rs"]
mod photo;

use std::{
    fs,
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use figures::{print, three_digits};
use harness::{Server, workspace};
use photo::photo;
use serde_json::json;

/// How long a run is, in seconds.
const RUN: u64 = 4;

/// How often each is measured, in turn with the others.
const RUNS: usize = 3;

/// From one `/non-blocking` to the next.
const INTERVAL: Duration = Duration::from_millis(10);

const WAYS: [(&str, &str); 2] =
    [("1", "one job a picture"), ("2", "shrunk in two bands")];

const CLIENTS: [usize; 3] = [1, 2, 8];

fn main() {
    let jpeg = photo(4000, 3000);
    // For other programs, to be measured with the same.
    let path = workspace().join("target/12-megapixels.jpg");
    fs::write(path, &jpeg).expect("target is there");

    let program = harness::program(env!("CARGO_PKG_NAME"), Some("thumbnail"))
        .unwrap_or_else(|error| panic!("{error}"));
    let servers = WAYS.map(|(bands, _)| {
        let mut command = harness::command(&program);
        Server::start(command.env("BANDS", bands)).expect("it starts")
    });
    let mut measured = WAYS.map(|_| CLIENTS.map(|_| Vec::new()));
    for _ in 0..RUNS {
        for (server, measured) in servers.iter().zip(&mut measured) {
            for (clients, measured) in CLIENTS.iter().zip(measured) {
                measured.push(run(server, &jpeg, *clients));
            }
        }
    }
    let rows = WAYS.iter().zip(measured).map(|((_, way), measured)| {
        let [one, two, eight] = measured.map(median);
        json!([way, one.0, two.0, eight.0, eight.1])
    });
    let columns = [
        "pictures a second",
        "1 client",
        "2 clients",
        "8 clients",
        "`/non-blocking` meanwhile: 99 of 100 in (ms)",
    ];
    print("pictures", &columns, rows.collect());
}

/// Each client sends the picture again as soon as it has an answer. Returns the
/// pictures a second, and in what time 99 of 100 others were answered, in
/// milliseconds.
fn run(server: &Server, jpeg: &[u8], clients: usize) -> (f64, f64) {
    let start = Instant::now();
    let end = Duration::from_secs(RUN);
    thread::scope(|scope| {
        let client = || {
            let mut made = 0;
            while start.elapsed() < end {
                post(server, jpeg);
                made += 1;
            }
            // The last one ends later, and counts for the part before.
            f64::from(made) / start.elapsed().as_secs_f64()
        };
        let clients: Vec<_> =
            (0..clients).map(|_| scope.spawn(client)).collect();
        // On a schedule: who asks late has waited since it was due.
        let mut times = Vec::new();
        while start.elapsed() < end {
            let due = start + times.len() as u32 * INTERVAL;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            assert_eq!(server.get("/non-blocking").status(), 200);
            times.push(due.elapsed());
        }
        times.sort();
        let late = times[times.len() * 99 / 100].as_secs_f64() * 1e3;
        let made = clients.into_iter().map(|it| it.join().expect("it asserts"));
        (made.sum(), late)
    })
}

fn median(mut measured: Vec<(f64, f64)>) -> (f64, f64) {
    let mut middle = |of: fn(&(f64, f64)) -> f64| {
        measured.sort_by(|a, b| of(a).total_cmp(&of(b)));
        three_digits(of(&measured[RUNS / 2]))
    };
    (middle(|it| it.0), middle(|it| it.1))
}

fn post(server: &Server, jpeg: &[u8]) {
    let mut pending = server.write(format!(
        "POST /thumbnail?width=400 HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        jpeg.len()
    ));
    let mut answer = Vec::new();
    let stream = pending.stream();
    stream.write_all(jpeg).expect("it takes the picture");
    stream.read_to_end(&mut answer).expect("it answers");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "it isn't a thumbnail");
}
