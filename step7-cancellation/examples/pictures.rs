//! How many pictures a second the example `thumbnail` makes, with one thread a
//! picture and with two, and how long `/non-blocking` takes meanwhile; and, where
//! they are installed, how many sharp and Pillow make of the same picture:
//!
//! npm install --prefix target/peers sharp
//! pip install --target target/peers pillow

#[path = "../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // It measures single functions too.
mod figures;
#[path = "thumbnail/photo.rs"]
mod photo;

use std::{
    io::{Read, Write},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use figures::{print, three_digits};
use harness::{Server, workspace};
use photo::photo;
use serde_json::json;

/// How long a run is, in seconds.
const RUN: u64 = 3;

/// How often each is measured, in turn with the others.
const RUNS: usize = 3;

/// From one `/non-blocking` to the next.
const INTERVAL: Duration = Duration::from_millis(10);

const CLIENTS: [usize; 3] = [1, 2, 8];

/// What is added to a peer's query, and what is to be said of how it decodes.
type Decodings = &'static [(&'static str, &'static str)];

/// Programs that others may have.
const PEERS: [(&str, &str, Decodings); 2] = [
    (
        "node",
        "sharp.cjs",
        &[
            ("&decode=whole", "all of it decoded first"),
            ("", "as one uses it: decoded at 1/8"),
        ],
    ),
    (
        "python3",
        "pillow.py",
        &[
            ("&decode=whole", "all of it decoded first"),
            ("", "as one uses it: decoded at 1/4"),
            ("&decode=least", "decoded at 1/8"),
        ],
    ),
];

/// Who makes pictures, what to ask them, and what to call it.
type Way = (Rc<Server>, String, String);

fn main() {
    let jpeg = photo(4000, 3000);
    let ways: Vec<Way> = ours().into_iter().chain(peers()).collect();
    let mut measured: Vec<_> =
        ways.iter().map(|_| CLIENTS.map(|_| Vec::new())).collect();
    for _ in 0..RUNS {
        for ((server, query, _), measured) in ways.iter().zip(&mut measured) {
            for (clients, measured) in CLIENTS.iter().zip(measured) {
                measured.push(run(server, query, &jpeg, *clients));
            }
        }
    }
    let rows = ways.iter().zip(measured).map(|((.., name), measured)| {
        let [one, two, eight] = measured.map(median);
        json!([name, one.0, two.0, eight.0, eight.1])
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

fn ours() -> [Way; 2] {
    let program = harness::program(env!("CARGO_PKG_NAME"), Some("thumbnail"))
        .unwrap_or_else(|error| panic!("{error}"));
    [("1", "one job a picture"), ("2", "shrunk in two bands")].map(
        |(bands, name)| {
            let mut command = harness::command(&program);
            let server = Server::start(command.env("BANDS", bands));
            (Rc::new(server.expect("it starts")), String::new(), name.into())
        },
    )
}

fn peers() -> Vec<Way> {
    let installed = workspace().join("target/peers");
    let mut all = Vec::new();
    for (program, file, ways) in PEERS {
        let mut command = harness::command(program);
        command
            .arg(workspace().join("tools/peers/pictures").join(file))
            .env("NODE_PATH", installed.join("node_modules"))
            .env("PYTHONPATH", &installed);
        let Ok(server) = Server::start(&mut command) else {
            eprintln!("{file} doesn't run: it is left out");
            continue;
        };
        let server = Rc::new(server);
        let name = server.line().split(" listening").next().unwrap_or(file);
        for (query, way) in ways {
            let name = format!("{name}, {way}");
            all.push((server.clone(), (*query).into(), name));
        }
    }
    all
}

/// Each client sends the picture again as soon as it has an answer. Returns the
/// pictures a second, and in what time 99 of 100 others were answered, in
/// milliseconds.
fn run(
    server: &Server,
    query: &str,
    jpeg: &[u8],
    clients: usize,
) -> (f64, f64) {
    let start = Instant::now();
    let end = Duration::from_secs(RUN);
    thread::scope(|scope| {
        let client = || {
            let mut made = 0;
            while start.elapsed() < end {
                post(server, query, jpeg);
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

fn post(server: &Server, query: &str, jpeg: &[u8]) {
    let mut pending = server.write(format!(
        "POST /thumbnail?width=400{query} HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        jpeg.len()
    ));
    let mut answer = Vec::new();
    let stream = pending.stream();
    stream.write_all(jpeg).expect("it takes the picture");
    stream.read_to_end(&mut answer).expect("it answers");
    let status = answer.get(8..12);
    assert_eq!(status, Some(&b" 200"[..]), "it isn't a thumbnail");
}
