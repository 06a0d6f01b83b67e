//! Ten minutes of everything at once, for each step from 4 on:
//!
//! ```sh
//! cargo run --release -p harness --example soak > docs/results/soak.json
//! ```
//!
//! Each step runs twice. One server goes through all of it and is measured, the
//! other is stopped and started again and again while it has requests.
//! `SOAK_MINUTES` sets the time. It fails if a request was lost or something has
//! grown. Only Linux shows what a server uses.

#[path = "../../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // Some of it is for measurements of time.
mod figures;
#[path = "../../../step9-many-machines/tests/nats/mod.rs"]
#[allow(dead_code)] // Some of it is for tests.
mod nats;

use std::{
    env, fs,
    io::{Read, Write},
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use harness::{Pending, STEPS, Server, command, program};
use serde_json::{Value, json};

/// What became of each request: `answered`, `refused`, `left` (by its client)
/// or `lost`.
type Outcomes = Sender<&'static str>;

fn main() {
    let minutes = env::var("SOAK_MINUTES").unwrap_or_else(|_| "10".into());
    let minutes: f64 = minutes.parse().expect("SOAK_MINUTES is a number");
    let time = Duration::from_secs_f64(60.0 * minutes);
    let broker = nats::nats(&["-js"]).expect("step 9 has a broker");
    let _workers = broker.workers();
    let with_broker = "the same, with a broker and two workers";
    let runs = STEPS[3..].iter().map(|step| (format!("`{step}`"), *step, None));
    let runs = runs.chain([(with_broker.into(), STEPS[8], Some(broker.url()))]);
    let rows: Vec<(Value, bool)> = thread::scope(|scope| {
        let soak = |(name, step, broker): (String, &str, Option<String>)| {
            let program = program(step).expect("cargo can build it");
            let start = move || {
                let mut command = command(&program);
                command.env("ITERATIONS", "1000000");
                command.env("THREADS", "2").env("QUEUE", "16");
                command.envs(broker.iter().map(|url| ("NATS_URL", url)));
                Server::start(&mut command).expect("it starts")
            };
            scope.spawn(move || soak(&name, time, start))
        };
        let all: Vec<_> = runs.map(soak).collect();
        all.into_iter().map(|soak| soak.join().expect("no panic")).collect()
    });
    let (rows, good): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let columns = [
        "step",
        "sent",
        "answered",
        "refused",
        "left",
        "lost",
        "restarts",
        "descriptors: first, last",
        "threads: first, last",
        "memory at a fifth of the time (MiB)",
        "at the end (times that)",
    ];
    figures::print("soak", &columns, rows);
    let is_good = good.iter().all(|it| *it);
    assert!(is_good, "a request was lost, or something has grown");
}

/// Soaks a step. Returns its row of the table, and whether all is well.
fn soak(
    name: &str,
    time: Duration,
    start: impl Fn() -> Server + Sync,
) -> (Value, bool) {
    let (server, (sender, receiver)) = (start(), channel());
    let holds = || {
        let open = fs::read_dir(format!("/proc/{}/fd", server.id()));
        (open.expect("Linux lists them").count(), server.threads())
    };
    let memory = || server.status("VmRSS:") as f64 / 1024.0;
    // What comes with the first requests is there before it is counted.
    round(&server, &sender);
    thread::sleep(Duration::from_secs(1));
    let (first, begin) = (holds(), Instant::now());
    let (restarts, early) = thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            let mut restarts = 0;
            while begin.elapsed() < time {
                restart(start(), &sender);
                restarts += 1;
                thread::sleep(Duration::from_secs(5));
            }
            restarts
        });
        let rounds_until = |end| {
            while begin.elapsed() < end {
                round(&server, &sender);
            }
        };
        rounds_until(time / 5);
        let early = memory();
        rounds_until(time);
        (restarts.join().expect("it stops well"), early)
    });
    let (end, mut last) = (Instant::now(), holds());
    while last != first && end.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(100));
        last = holds();
    }
    let growth = memory() / early;
    drop(sender);
    let outcomes: Vec<_> = receiver.iter().collect();
    let count = |what| outcomes.iter().filter(|it| **it == what).count();
    let row = json!([
        name,
        outcomes.len(),
        count("answered"),
        count("refused"),
        count("left"),
        count("lost"),
        restarts,
        format!("{}, {}", first.0, last.0),
        format!("{}, {}", first.1, last.1),
        figures::three_digits(early),
        figures::three_digits(growth),
    ]);
    (row, count("lost") == 0 && growth <= 1.1 && last == first)
}

/// A bit of everything, until all of it is answered.
fn round(server: &Server, outcomes: &Outcomes) {
    let step = server.line().as_bytes()[4];
    let take = |pending, expected| take(pending, expected, outcomes);
    let leave = |pending| leave(pending, outcomes);
    thread::scope(|scope| {
        // Four times as many at once as there are slots.
        scope.spawn(|| {
            let all = [(); 64].map(|()| server.open("/blocking"));
            all.into_iter().for_each(|pending| take(pending, "200"));
        });
        for _ in 0..5 {
            for (path, status) in [
                ("/blocking", "200"),
                ("/non-blocking", "200"),
                ("/failing", "500"),
                ("/nothing", "404"),
                ("/page.json", "200"),
                ("/blocking?id=soak", "200"),
            ] {
                take(server.open(path), status);
            }
            // One that goes away.
            leave(server.open("/blocking"));
            if step >= b'6' {
                let mut pending = server.open("/progress");
                pending.stream().read_exact(&mut [0; 64]).ok();
                leave(pending);
            }
            if step >= b'8' {
                let file = "Oslo;-3.4\nAbha;18.0\n".repeat(10_000);
                take(upload(server, file.len(), &file), "200");
                take(upload(server, 4, "Oslo"), "422");
                leave(upload(server, 1 << 30, &file));
            }
        }
    });
}

/// Sends the head of an upload of that length, and `body` as its beginning.
fn upload(server: &Server, length: usize, body: &str) -> Pending {
    let mut pending = server.write(format!(
        "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    ));
    // It may be refused before it is sent.
    pending.stream().write_all(body.as_bytes()).ok();
    pending
}

/// Stops a server that has requests, which are answered or refused.
fn restart(server: Server, outcomes: &Outcomes) {
    let paths = ["/waiting", "/blocking", "/non-blocking", "/blocking?id=end"];
    let all = paths.map(|path| server.send(path));
    #[cfg(unix)] // Elsewhere, this is only compiled.
    server.terminate();
    all.into_iter().for_each(|pending| take(pending, "200", outcomes));
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

/// Takes the answer, which should have that status.
fn take(mut pending: Pending, expected: &str, outcomes: &Outcomes) {
    let mut answer = Vec::new();
    // What came before the connection broke is an answer all the same.
    pending.stream().read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer);
    let is_whole =
        !answer.contains("Result") || answer.ends_with("Result is 1000000");
    let outcome = match answer.get(9..12) {
        Some(status) if status == expected && is_whole => "answered",
        Some("503") => "refused",
        _ => {
            eprintln!("lost: expected {expected}, not {answer:?}");
            "lost"
        }
    };
    outcomes.send(outcome).expect("they are counted at the end");
}

fn leave(pending: Pending, outcomes: &Outcomes) {
    drop(pending);
    outcomes.send("left").expect("they are counted at the end");
}
