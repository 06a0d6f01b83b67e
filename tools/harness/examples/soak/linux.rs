// The soak itself: it looks into /proc.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use harness::{Pending, STEPS, Server, command, program};
use serde_json::{Value, json};

use crate::{
    figures,
    nats::{Nats, nats},
};

/// The first step that has a pool, by its index.
const FIRST: usize = 3;

/// How far `/blocking` counts.
const ITERATIONS: u64 = 1_000_000;

/// How many requests come at once: four times as many as there are slots.
const BURST: usize = 64;

/// By how much the memory may grow between the second minute of ten and the
/// end.
const MOST_GROWTH: f64 = 1.1;

/// How long a server may take to release what it no longer needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file of temperatures.
const LINES: &str = "Oslo;-3.4\nAbha;18.0\n";

/// How many requests to a step were `sent`, and how many of them were
/// `answered`, `refused`, abandoned by their client (`left`) or `lost`.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<&'static str, u64>>);

/// Soaks all of them, and prints the results.
pub fn main() -> ExitCode {
    let minutes = env::var_os("SOAK_MINUTES").unwrap_or_else(|| "10".into());
    let minutes = minutes.to_string_lossy();
    let Ok(number @ 0.1..1_000.0) = minutes.parse::<f64>() else {
        eprintln!("SOAK_MINUTES={minutes}: expected a number from 0.1 to 999");
        return ExitCode::from(2);
    };
    let time = Duration::from_secs_f64(60.0 * number);
    let mut runs = Vec::new();
    for step in &STEPS[FIRST..] {
        let program = program(step).expect("cargo can build it");
        runs.push((format!("`{step}`"), program, None));
    }
    // The last one hands its shares out, too.
    let broker = nats(&["-js"]);
    let _workers = broker.as_ref().map(Nats::workers);
    if let Some(nats) = &broker {
        let name = "the same, with a broker and two workers";
        let many_machines = runs[runs.len() - 1].1.clone();
        runs.push((name.into(), many_machines, Some(nats.url())));
    }
    let soaked: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = runs
            .iter()
            .map(|(name, program, broker)| {
                let start = move || {
                    let mut command = command(program);
                    command.env("ITERATIONS", ITERATIONS.to_string());
                    command.env("THREADS", "2").env("QUEUE", "16");
                    command.envs(broker.iter().map(|url| ("NATS_URL", url)));
                    Server::start(&mut command).expect("it starts")
                };
                scope.spawn(move || soak(name, time, start))
            })
            .collect();
        all.into_iter().map(|soak| soak.join().expect("no panic")).collect()
    });
    let (rows, good): (Vec<Value>, Vec<bool>) = soaked.into_iter().unzip();
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
    ExitCode::from(u8::from(good.contains(&false)))
}

/// Soaks a step. Returns its row of the table, and whether all was well.
fn soak(
    name: &str,
    time: Duration,
    start: impl Fn() -> Server + Sync,
) -> (Value, bool) {
    let tally = Tally::default();
    let server = start();
    // Once, so that everything is there that comes with the first requests.
    round(&server, &tally);
    let first = settled(&server, None);
    let (begin, mut early) = (Instant::now(), None);
    let restarts = thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            let mut restarts = 0;
            while begin.elapsed() < time {
                restart(start(), &tally);
                restarts += 1;
                thread::sleep(Duration::from_secs(5));
            }
            restarts
        });
        while begin.elapsed() < time {
            round(&server, &tally);
            if early.is_none() && begin.elapsed() > time / 5 {
                early = Some(server.status("VmRSS:") as f64);
            }
        }
        restarts.join().expect("no panic")
    });
    let last = settled(&server, Some(first));
    let early = early.unwrap_or(1.0);
    let growth = server.status("VmRSS:") as f64 / early;
    let [sent, answered, refused, left, lost] =
        ["sent", "answered", "refused", "left", "lost"]
            .map(|what| tally.total(what));
    let good = lost == 0
        && sent == answered + refused + left
        && first == last
        && growth <= MOST_GROWTH;
    let row = json!([
        name,
        sent,
        answered,
        refused,
        left,
        lost,
        restarts,
        format!("{}, {}", first.0, last.0),
        format!("{}, {}", first.1, last.1),
        figures::three_digits(early / 1024.0),
        figures::three_digits(growth),
    ]);
    (row, good)
}

/// A bit of everything, until all of it is answered.
fn round(server: &Server, tally: &Tally) {
    let number = server.line()[4..].split('-').next();
    let number = number.and_then(|number| number.parse::<u32>().ok());
    let number = number.expect("the line begins with the step's name");
    thread::scope(|scope| {
        // More at once than there are slots.
        scope.spawn(|| {
            let all = [(); BURST].map(|()| tally.send(server, "/blocking"));
            all.into_iter().for_each(|pending| tally.take(pending, "200"));
        });
        // One that reads slowly.
        scope.spawn(|| {
            let mut pending = tally.send(server, "/page.js");
            let mut answer = Vec::new();
            let mut part = [0; 1024];
            while let Ok(read @ 1..) = pending.stream().read(&mut part) {
                answer.extend(&part[..read]);
                thread::sleep(Duration::from_millis(10));
            }
            tally.note(&answer, "200");
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
                tally.take(tally.send(server, path), status);
            }
            // One that goes away.
            tally.leave(tally.send(server, "/blocking"));
            if number >= 6 {
                let mut pending = tally.send(server, "/progress");
                pending.stream().read_exact(&mut [0; 64]).ok();
                tally.leave(pending);
            }
            if number >= 8 {
                let file = LINES.repeat(10_000);
                tally.take(tally.upload(server, file.len(), &file), "200");
                tally.take(tally.upload(server, 4, "Oslo"), "422");
                tally.leave(tally.upload(server, 1 << 30, &file));
            }
        }
    });
}

/// Stops a server that has requests, which are answered or refused.
fn restart(server: Server, tally: &Tally) {
    let paths = ["/waiting", "/blocking", "/non-blocking", "/blocking?id=end"];
    let all = paths.map(|path| {
        tally.count("sent");
        server.send(path)
    });
    server.terminate();
    all.into_iter().for_each(|pending| tally.take(pending, "200"));
    let ended = server.wait();
    if ended.status.code() != Some(0) {
        eprintln!("a stop: {}: {}", ended.status, ended.stderr);
        tally.count("lost");
    }
}

impl Tally {
    fn count(&self, what: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what).or_default() += 1;
    }

    fn total(&self, what: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).copied().unwrap_or(0)
    }

    fn send(&self, server: &Server, path: &str) -> Pending {
        self.count("sent");
        server.open(path)
    }

    /// Sends the head of an upload of that length, and `body` as its beginning.
    fn upload(&self, server: &Server, length: usize, body: &str) -> Pending {
        self.count("sent");
        let mut pending = server.write(format!(
            "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n"
        ));
        // It may be refused before it is sent.
        pending.stream().write_all(body.as_bytes()).ok();
        pending
    }

    /// Takes the answer, which should have that status.
    fn take(&self, mut pending: Pending, status: &str) {
        let mut answer = Vec::new();
        // What came before the connection broke is an answer all the same.
        pending.stream().read_to_end(&mut answer).ok();
        self.note(&answer, status);
    }

    fn note(&self, answer: &[u8], expected: &str) {
        let answer = String::from_utf8_lossy(answer);
        let status = answer.get(9..12).unwrap_or_default();
        let is_whole = !answer.contains("Result is ")
            || answer.ends_with(&format!("Result is {ITERATIONS}"));
        if status == expected && is_whole {
            self.count("answered");
        } else if status == "503" {
            self.count("refused");
        } else {
            eprintln!("lost: expected {expected}, not {answer:?}");
            self.count("lost");
        }
    }

    fn leave(&self, pending: Pending) {
        drop(pending);
        self.count("left");
    }
}

/// The descriptors and threads of a server that has nothing to do: as many as
/// before, if it gets there.
fn settled(server: &Server, before: Option<(usize, u64)>) -> (usize, u64) {
    let begin = Instant::now();
    let mut last = before;
    loop {
        let path = format!("/proc/{}/fd", server.id());
        let descriptors = fs::read_dir(path).map_or(0, Iterator::count);
        let holds = (descriptors, server.threads());
        if last == Some(holds) || begin.elapsed() > PATIENCE {
            return holds;
        }
        last = before.or(Some(holds));
        thread::sleep(Duration::from_secs(1));
    }
}
