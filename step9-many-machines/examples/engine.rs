//! What the detour through a broker costs, compared with the step's own threads:
//! small requests, a large file, and one count in more and more shares.

#[path = "../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // It measures single functions too.
mod figures;
#[path = "../tests/nats/mod.rs"]
#[allow(dead_code)] // The tests use more of it.
mod nats;

use std::{fmt::Write, fs, time::Instant};

use figures::{print, three_digits};
use harness::Server;
use nats::Nats;
use serde_json::{Value, json};

/// Requests one at a time, of two shares of some hundred rounds.
const REQUESTS: usize = 1_000;

/// How often everything else is measured.
const RUNS: usize = 5;

const ROUNDS: &str = "4_000_000_000";

/// As many bytes as step 8 reads in half a second.
const FILE: usize = 447_000_000;

/// The memory is watched during this many requests.
const MANY: usize = 10_000;

fn main() {
    let nats = Nats::start(&["-js"]);
    let workers = nats.workers();
    let mut rows = small(&nats);
    rows.extend(file(&nats, &workers));
    rows.extend(["2", "16", "128", "1024"].map(|it| shares(&nats, it)));
    rows.extend(memory(&nats, &workers));
    let columns = ["what", "own threads", "over the broker", "ratio"];
    print("engine", &columns, rows);
}

/// A server with two threads of its own, and one that hands out `shares` shares.
fn servers(nats: &Nats, rounds: &str, shares: &str) -> [Server; 2] {
    let mut own = nats.command();
    own.env_remove("NATS_URL").env("THREADS", "2").env("ITERATIONS", rounds);
    let own = Server::start(&mut own).expect("it starts");
    [own, nats.server(rounds, shares)]
}

/// How many seconds a request takes. Checks its result.
fn seconds(server: &Server, expected: &str, file: Option<&str>) -> f64 {
    let start = Instant::now();
    let response = match file {
        Some(file) => server.post("/summary", "text/plain", file),
        None => server.get("/blocking"),
    };
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(response.body().trim_end(), expected);
    seconds
}

/// The sorted times of both, which take turns.
fn times(
    servers: &[Server; 2],
    runs: usize,
    expected: &str,
    file: Option<&str>,
) -> [Vec<f64>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for (server, times) in servers.iter().zip(&mut times) {
            times.push(seconds(server, expected, file));
        }
    }
    times.map(sorted)
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

fn row(what: &str, [own, broker]: [f64; 2]) -> Value {
    let ratio = three_digits(broker / own);
    json!([what, three_digits(own), three_digits(broker), ratio])
}

fn small(nats: &Nats) -> Vec<Value> {
    let servers = servers(nats, "1000", "2");
    times(&servers, 50, "Result is 1000", None);
    let times = times(&servers, REQUESTS, "Result is 1000", None);
    let at = |place: usize| times.each_ref().map(|it| it[place] * 1e3);
    vec![
        row("two small shares (ms)", at(REQUESTS / 2)),
        row("99 % done within (ms)", at(REQUESTS * 99 / 100 - 1)),
        row("worst (ms)", at(REQUESTS - 1)),
    ]
}

fn file(nats: &Nats, workers: &[Server; 2]) -> Vec<Value> {
    let mut file = String::with_capacity(FILE + 100);
    let mut row_number = 0_u64;
    while file.len() < FILE {
        row_number += 1;
        let x = row_number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let line = writeln!(file, "Place {};{}.{}", x % 413, x % 99, x % 10);
        line.expect("a string takes all");
    }
    let mut table = common::Table::default();
    table.add(file.as_bytes()).expect("they are lines");
    let expected = table.summary().expect("they are few").to_string();

    let servers = servers(nats, "1000", "2");
    let parties = [
        vec![servers[1].id()],
        workers.iter().map(Server::id).collect(),
        vec![nats.id()],
        vec![servers[0].id()],
    ];
    let used = || parties.each_ref().map(|ids| processor(ids));
    let before = used();
    let times = times(&servers, RUNS, &expected, Some(&file));
    let after = used();
    let [server, workers, broker, own] = [0, 1, 2, 3]
        .map(|it| three_digits((after[it] - before[it]) / RUNS as f64));
    let name = format!("a file of {} MB (s)", FILE / 1_000_000);
    let spread = times
        .each_ref()
        .map(|it| format!("{:.2} to {:.2}", it[0], it[RUNS - 1]));
    vec![
        row(&name, times.each_ref().map(|it| it[RUNS / 2])),
        json!(["least to greatest (s)", spread[0], spread[1], ""]),
        json!([
            "CPU time: server + workers + broker (s)",
            format!("{own}"),
            format!("{server} + {workers} + {broker}"),
            three_digits((server + workers + broker) / own),
        ]),
    ]
}

/// The CPU time that processes have used, in seconds.
fn processor(ids: &[u32]) -> f64 {
    // In user mode and in the kernel, in hundredths of a second.
    let one = |id: &u32| number(*id, "stat", 13) + number(*id, "stat", 14);
    ids.iter().map(one).sum::<f64>() / 100.0
}

/// A number from a file in `/proc`, after so many words. See proc(5).
fn number(id: u32, file: &str, words: usize) -> f64 {
    let file = format!("/proc/{id}/{file}");
    let text = fs::read_to_string(file).expect("Linux has that file");
    let word = text.split_whitespace().nth(words).expect("it has more words");
    word.parse().expect("it is a number")
}

fn shares(nats: &Nats, shares: &str) -> Value {
    let servers = servers(nats, ROUNDS, shares);
    let expected = format!("Result is {}", ROUNDS.replace('_', ""));
    let times = times(&servers, RUNS, &expected, None);
    let name = format!("4 · 10⁹ rounds in {shares} shares (s)");
    row(&name, times.map(|it| it[RUNS / 2]))
}

/// In MiB, after a tenth of the requests and after all of them.
fn memory(nats: &Nats, workers: &[Server; 2]) -> Vec<Value> {
    let server = nats.server("1000", "2");
    let request = || seconds(&server, "Result is 1000", None);
    let ids = [server.id(), workers[0].id(), workers[1].id(), nats.id()];
    let used =
        || ids.map(|id| three_digits(number(id, "smaps_rollup", 7) / 1024.0));
    for _ in 0..MANY / 10 {
        request();
    }
    let before = used();
    for _ in MANY / 10..MANY {
        request();
    }
    let after = used();
    let who = ["server", "a worker", "the other", "broker"];
    (0..4)
        .map(|it| {
            let what = format!(
                "memory of the {} after {} requests, then {MANY} (MiB)",
                who[it],
                MANY / 10
            );
            let what = what.replace("the a ", "a ").replace("the the", "the");
            let ratio = three_digits(after[it] / before[it]);
            json!([what, "", format!("{}, {}", before[it], after[it]), ratio])
        })
        .collect()
}
