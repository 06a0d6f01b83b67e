//! The part "In your own server" says what its programs do.

#[path = "../examples/sizing/plan.rs"]
mod plan;

use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use docs::read;
use harness::{Pending, Server};
use plan::Load;
use serde_json::Value;

const CURES: [&str; 3] = ["cure-actix", "cure-axum", "cure-rayon"];

/// One test at a time has the cores, of those that compare how long the same
/// takes.
fn alone_here() -> MutexGuard<'static, ()> {
    static CORES: Mutex<()> = Mutex::new(());
    CORES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An example of this crate.
fn program(example: &str) -> PathBuf {
    harness::program(env!("CARGO_PKG_NAME"), Some(example)).unwrap()
}

fn start(example: &str, settings: &[(&str, &str)]) -> Server {
    let mut command = harness::command(program(example));
    Server::start(command.envs(settings.iter().copied())).unwrap()
}

#[test]
fn before_the_cure_it_freezes_and_after_it_doesnt() {
    for cure in CURES {
        let server = start(cure, &[("ITERATIONS", "1_000_000_000")]);
        let sent = Instant::now();
        let before = server.send("/before");
        assert_eq!(server.get("/non-blocking").status(), 200);
        let until_non_blocking = sent.elapsed();
        before.wait();
        // The two answers come one right after the other.
        assert!(sent.elapsed() < 2 * until_non_blocking, "{cure}");

        let server = start(cure, &[("ITERATIONS", "20_000_000_000")]);
        let after = server.send("/after");
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert!(!after.is_answered(), "{cure} is frozen after its cure too");
    }
}

#[test]
fn the_cure_refuses_who_has_no_place_and_gives_places_back() {
    for cure in CURES {
        let settings =
            [("ITERATIONS", "1_000_000_000"), ("THREADS", "1"), ("QUEUE", "2")];
        let server = start(cure, &settings);
        let (first, second) = (server.send("/after"), server.send("/after"));
        assert_eq!(server.get("/after").status(), 503, "{cure}");
        assert!(!first.is_answered(), "{cure}: it was refused at once");
        for waits in [first, second] {
            assert!(waits.wait().ends_with("Result is 1000000000"), "{cure}");
        }
        assert_eq!(server.get("/after").status(), 200, "the place is free");
    }
}

#[test]
fn a_client_that_leaves_while_it_waits_gives_its_slot_back() {
    for cure in ["cure-actix", "cure-axum"] {
        let settings = [
            ("ITERATIONS", "100_000_000_000"),
            ("THREADS", "1"),
            ("QUEUE", "2"),
        ];
        let server = start(cure, &settings);
        let (computes, waits) = (server.send("/after"), server.send("/after"));
        assert_eq!(server.get("/after").status(), 503, "{cure}");
        drop(waits);
        let start = Instant::now();
        while !{
            let next = server.send("/after");
            // Connections are taken up in order, so that one is by now.
            server.open("/non-blocking").wait();
            !next.is_answered()
        } {
            assert!(start.elapsed() < Duration::from_secs(60), "{cure}");
        }
        assert!(!computes.is_answered(), "{cure}: it can't tell");
    }
}

#[test]
fn rayon_starts_nothing_for_a_client_that_left_and_its_work_logs_in_its_span() {
    let settings = [("ITERATIONS", "1_000_000_000"), ("THREADS", "1")];
    let server = start("cure-rayon", &settings);
    let (first, leaves) = (server.send("/after"), server.send("/after"));
    assert!(!first.is_answered(), "it can't tell");
    drop(leaves);
    let third = server.send("/after");
    for waits in [first, third] {
        assert!(waits.wait().ends_with("Result is 1000000000"));
    }
    let said = server.kill().stderr;
    let lines = said.matches("counted to 1000000000").count();
    let in_span = said.matches(r#"request{route="/after"}"#).count();
    assert_eq!((lines, in_span), (2, 2), "{said}");
}

#[test]
fn work_that_panics_gets_500_and_gives_its_slot_back() {
    for cure in CURES {
        let settings =
            [("ITERATIONS", "1000"), ("THREADS", "1"), ("QUEUE", "2")];
        let server = start(cure, &settings);
        for _ in 0..3 {
            assert_eq!(server.get("/failing").status(), 500, "{cure}");
        }
        assert_eq!(server.get("/after").body(), "Result is 1000", "{cure}");
    }
}

#[cfg(unix)]
#[test]
fn at_ctrl_c_the_cures_finish_what_is_in_progress() {
    for cure in CURES {
        let server = start(cure, &[("ITERATIONS", "1_000_000_000")]);
        let after = server.send("/after");
        server.interrupt();
        assert!(after.wait().ends_with("Result is 1000000000"), "{cure}");
        assert_eq!(server.wait().status.code(), Some(0), "{cure}");
    }
}

#[test]
fn with_one_core_for_the_work_two_take_turns() {
    let _turn = alone_here();
    for cure in CURES {
        let settings = [("ITERATIONS", "1_000_000_000"), ("THREADS", "1")];
        let server = start(cure, &settings);
        let (first, second) = (server.send("/after"), server.send("/after"));
        let start = Instant::now();
        first.wait();
        let until_first = start.elapsed();
        assert!(!second.is_answered(), "{cure}: they ran at the same time");
        second.wait();
        assert!(start.elapsed() > until_first.mul_f64(1.3), "{cure}");
    }
}

/// Step 5 with the threads and places of a plan.
fn step5(load: &Load, iterations: &str) -> Server {
    let program = harness::program("step5-back-pressure", None).unwrap();
    let mut command = harness::command(program);
    command
        .env("ITERATIONS", iterations)
        .env("THREADS", load.cores.to_string())
        .env("QUEUE", load.slots().to_string());
    Server::start(&mut command).unwrap()
}

/// How long one request takes with all threads, in seconds.
fn alone(server: &Server) -> f64 {
    let answer = server.request("GET", "/blocking", "application/json");
    let answer: Value = serde_json::from_str(answer.body()).unwrap();
    answer["elapsed_ms"].as_f64().unwrap() / 1e3
}

fn load(cores: f64, iterations: &str, places: f64) -> Load {
    let any = Load { job: 1.0, cores, patience: 1.0 / cores, rate: 1.0 };
    let server = step5(&any, iterations);
    let job = (0..3).map(|_| alone(&server)).fold(f64::MAX, f64::min) * cores;
    let patience = (places + 0.5) * job / cores;
    Load { job, cores, patience, rate: 0.0 }
}

fn cores() -> f64 {
    thread::available_parallelism().map_or(1, |it| it.get()).min(2) as f64
}

#[test]
fn the_last_who_gets_a_place_is_done_within_a_clients_patience() {
    let _turn = alone_here();
    // Each long enough that none is done before the last has come.
    let iterations = "1_000_000_000";
    let load = load(cores(), iterations, 4.0);
    let server = step5(&load, iterations);
    let before = alone(&server);
    let start = Instant::now();
    let sent: Vec<Pending> =
        (0..7).map(|n| server.open(&format!("/blocking?{n}"))).collect();
    let answers: Vec<String> = sent.into_iter().map(Pending::wait).collect();
    let last = start.elapsed().as_secs_f64();
    let mut around = [load.job / load.cores, before, alone(&server)];
    around.sort_by(f64::total_cmp);
    let [quickest, _, slowest] = around;

    let served = answers.iter().filter(|it| it.contains(" 200 ")).count();
    // More than have a place only if one was done before the last came.
    assert!(served as f64 >= load.slots() && served < 7, "{served} served");
    let [least, most] =
        [0.6 * quickest, 1.6 * slowest].map(|it| it * load.slots());
    assert!(
        least < last && last < most,
        "the last took {last} s, alone: {around:?} s"
    );
}

#[test]
fn below_what_it_can_do_nobody_is_refused_and_beyond_it_places_dont_help() {
    let _turn = alone_here();
    let iterations = "100_000_000";
    let load = load(cores(), iterations, 20.0);
    let server = step5(&load, iterations);
    let refused = |busy: f64| {
        let requests = (4.0 * load.slots()) as usize;
        let pause = Duration::from_secs_f64(1.0 / (busy * load.most()));
        let refused = AtomicUsize::new(0);
        thread::scope(|scope| {
            for n in 0..requests {
                let (server, refused) = (&server, &refused);
                scope.spawn(move || {
                    let answer = server.get(&format!("/blocking?{n}"));
                    if answer.status() == 503 {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                });
                thread::sleep(pause);
            }
        });
        refused.into_inner()
    };
    assert_eq!(refused(0.4), 0, "it is busy for less than half of its time");
    assert!(refused(10.0) > 0, "more comes in than goes out");
}

#[test]
fn a_second_machine_is_due_before_the_first_is_full() {
    let at = |rate| Load { job: 0.4, cores: 2.0, patience: 4.0, rate };
    assert_eq!((at(3.0).most(), at(3.0).slots()), (5.0, 20.0));
    assert!((at(3.0).busy() - 0.6).abs() < 1e-9);
    let machines = [0.1, 3.0, 4.0, 5.0, 8.0].map(|rate| at(rate).machines());
    assert_eq!(machines, [1.0, 1.0, 2.0, 2.0, 3.0]);
}

#[test]
fn the_page_shows_what_the_calculation_prints() {
    let page = read("docs/chapters/how-many.md").unwrap();
    let command = "cargo run -p docs --example sizing -- ";
    let line = page.lines().find(|line| line.contains(command)).unwrap();
    let (_, numbers) = line.split_once(command).unwrap();
    let output = Command::new(program("sizing"))
        .args(numbers.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("machines"), "{said}");
    assert!(page.contains(&said), "docs/chapters/how-many.md lacks:\n{said}");
}

#[test]
fn what_a_share_costs_follows_from_the_figures() {
    let figures = read("docs/results/engine.json").unwrap();
    let figures: Value = serde_json::from_str(&figures).unwrap();
    let rows = figures["rows"].as_array().unwrap();
    let cell = |name: &str, column: usize| {
        let row = rows.iter().find(|row| row[0] == name).expect(name);
        row[column].as_f64().unwrap()
    };
    let small = "two small shares (ms)";
    let way = cell(small, 2) - cell(small, 1);
    let count = |n| cell(&format!("4 · 10⁹ rounds in {n} shares (s)"), 2);
    let longer = count(1024) - count(16);
    let each = longer * 1e3 / 504.0;
    let chapter = read("docs/chapters/beyond-one-broker.md").unwrap();
    for claim in [
        format!("{way:.1} ms. What follows"),
        format!("{longer:.2} s longer"),
        format!("`s` is {each:.1} ms"),
    ] {
        assert!(chapter.contains(&claim), "{claim}");
    }
}
