//! The programs in the part "In your own server" do what it claims.

use std::{thread, time::Duration};

use docs::read;
use harness::{Pending, Server, wait_for};
use serde_json::Value;

use crate::example;

fn start(cure: &str, settings: &[(&str, &str)]) -> Server {
    Server::start(example(cure).envs(settings.iter().copied())).unwrap()
}

#[test]
fn before_the_cure_it_freezes_and_after_it_a_request_without_a_slot_is_refused()
{
    for cure in ["cure-actix", "cure-axum", "cure-rayon"] {
        let settings =
            [("ITERATIONS", "1_000_000_000"), ("THREADS", "1"), ("QUEUE", "1")];
        let server = start(cure, &settings);
        let before = server.send("/before");
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert!(before.is_answered(), "{cure}: which thread has answered?");

        for _ in 0..2 {
            assert_eq!(server.get("/failing").status(), 500, "{cure}");
        }
        let after = server.send("/after");
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert_eq!(server.get("/after").status(), 503, "{cure}");
        assert!(!after.is_answered(), "{cure}: nobody waited for it");
        #[cfg(unix)]
        server.interrupt();
        assert!(after.wait().ends_with("Result is 1000000000"), "{cure}");
        #[cfg(unix)]
        assert_eq!(server.wait().status.code(), Some(0), "{cure}");
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
        wait_for("a free slot", || {
            let next = server.send("/after");
            // Connections are taken up in order, so that one is by now.
            server.open("/non-blocking").wait();
            !next.is_answered()
        });
        assert!(!computes.is_answered(), "{cure}: it can't tell");
    }
}

#[test]
fn rayon_starts_nothing_for_a_client_that_left_and_its_work_logs_in_its_span() {
    let settings = [("ITERATIONS", "2_000_000_000"), ("THREADS", "1")];
    let server = start("cure-rayon", &settings);
    let (first, leaves) = (server.send("/after"), server.send("/after"));
    assert!(!first.is_answered(), "it can't tell");
    drop(leaves);
    let third = server.send("/after");
    for waits in [first, third] {
        assert!(waits.wait().ends_with("Result is 2000000000"));
    }
    let said = server.kill().stderr;
    let lines = said.matches("counted to 2000000000").count();
    let in_span = said.matches(r#"request{route="/after"}"#).count();
    assert_eq!((lines, in_span), (2, 2), "{said}");
}

/// What the calculation prints for these four numbers.
fn sizing<'a>(numbers: impl IntoIterator<Item = &'a str>) -> String {
    let output = example("sizing").args(numbers).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn below_capacity_nobody_is_refused_and_beyond_it_more_slots_dont_help() {
    let cores = thread::available_parallelism().map_or(1, |it| it.get()).min(2);
    let step5 = |queue: &str| {
        let program = harness::program("step5-back-pressure").unwrap();
        let mut command = harness::command(program);
        command.env("ITERATIONS", "100_000_000").env("QUEUE", queue);
        Server::start(command.env("THREADS", cores.to_string())).unwrap()
    };
    let server = step5("1");
    let cores = cores as f64;
    let job = (0..3).map(|_| {
        let report = server.request("GET", "/blocking", "application/json");
        let report: Value = serde_json::from_str(report.body()).unwrap();
        report["elapsed_ms"].as_f64().unwrap() / 1e3 * cores
    });
    let job = job.fold(0.0, f64::max);
    let most = cores / job;
    let load = [job, cores, 10.5 / most, 0.25 * most].map(|it| it.to_string());
    let plan = sizing(load.iter().map(String::as_str));
    assert!(plan.contains("slots     10\n"), "{plan}");
    assert!(plan.contains("busy      25 %"), "{plan}");

    let two_and_a_half = sizing(["0.5", "2", "4", "7"]);
    assert!(two_and_a_half.contains("machines  3\n"), "{two_and_a_half}");

    let server = step5("10");
    let refused = |requests, pause: f64| {
        let send = |_| {
            thread::sleep(Duration::from_secs_f64(pause));
            server.open("/blocking")
        };
        let all: Vec<Pending> = (0..requests).map(send).collect();
        let all = all.into_iter().map(Pending::wait);
        all.filter(|it| it.starts_with("HTTP/1.1 503 ")).count()
    };
    assert_eq!(refused(12, 1.0 / (0.25 * most)), 0);
    let refused = refused(24, 0.0);
    assert!((1..=14).contains(&refused), "{refused} of 24, for 10 slots");
}

#[test]
fn the_page_shows_what_the_calculation_prints() {
    let page = read("docs/chapters/how-many.md").unwrap();
    let command = "cargo run -p docs --example sizing -- ";
    let line = page.lines().find(|line| line.contains(command)).unwrap();
    let (_, numbers) = line.split_once(command).unwrap();
    let printed = sizing(numbers.split(' '));
    assert!(printed.contains("machines"), "{printed}");
    assert!(page.contains(&printed), "how-many.md lacks:\n{printed}");
}

#[test]
fn the_cost_of_a_share_follows_from_the_measurements() {
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
