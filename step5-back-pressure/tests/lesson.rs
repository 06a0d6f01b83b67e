//! What step 5 teaches: a request that doesn't fit is refused at once.

use harness::{Pending, Server, wait_for_pool};
use serde_json::Value;

fn start(iterations: &str, queue: &str) -> Server {
    let program = env!("CARGO_BIN_EXE_step5-back-pressure");
    let mut command = harness::command(program);
    command.env("ITERATIONS", iterations).env("QUEUE", queue);
    Server::start(command.env("THREADS", "2")).unwrap()
}

#[test]
fn beyond_the_bound_a_request_is_refused_at_once() {
    let server = start("20_000_000_000", "2");
    let admitted = [server.send("/blocking"), server.send("/blocking")];

    let refused = server.get("/blocking");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    let content_type = &refused.headers()["content-type"];
    assert_eq!(content_type, "text/plain; charset=utf-8");
    assert_eq!(refused.body(), "The server is busy. Try again later.");
    assert_eq!(server.get("/failing").status(), 503, "it needs the pool too");
    assert!(!admitted[0].is_answered(), "refused before the others are done");
}

#[test]
fn the_pool_reports_how_full_it_is() {
    let server = start("20_000_000_000", "5");
    let figures = server.get("/pool");
    assert_eq!(figures.headers()["content-type"], "application/json");
    assert_eq!(
        serde_json::from_str::<Value>(figures.body()).unwrap(),
        serde_json::json!({
            "threads": 2, "queued": 0, "slots": 5, "admitted": 0,
        })
    );
    let _running = [(); 3].map(|()| server.send("/blocking"));
    wait_for_pool(&server, &[("admitted", 3), ("queued", 4)]);
}

#[test]
fn a_client_that_leaves_keeps_its_slot_until_its_work_ends() {
    let server = start("2_000_000_000", "1");
    drop(server.send("/blocking"));
    assert_eq!(server.get("/blocking").status(), 503);
    wait_for_pool(&server, &[("admitted", 0)]);
    let answer = server.get("/blocking");
    assert_eq!(answer.body(), "Result is 2000000000", "a slot is free again");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_connections_at_once_are_all_answered_and_cost_little_memory() {
    let server = start("20_000_000", "8");
    server.get("/blocking");
    let (threads, memory) = (server.threads(), server.status("VmRSS:"));

    let pending: Vec<Pending> =
        (0..1_000).map(|_| server.open("/blocking")).collect();
    let (mut answered, mut refused) = (0, 0);
    for answer in pending.into_iter().map(Pending::wait) {
        match answer {
            _ if answer.ends_with("Result is 20000000") => answered += 1,
            _ if answer.starts_with("HTTP/1.1 503 ") => refused += 1,
            _ => panic!("neither 200 nor 503: {answer:?}"),
        }
    }
    assert!(answered >= 8 && refused > 0, "{answered}, {refused}");
    assert_eq!(server.threads(), threads, "no more and no fewer");
    let grown = server.status("VmHWM:").saturating_sub(memory);
    assert!(grown <= 16 * 1024, "{grown} KiB more");
    wait_for_pool(&server, &[("admitted", 0)]);
}

#[cfg(unix)]
#[test]
fn a_shutdown_under_load_finishes_admitted_requests() {
    let server = start("200_000_000", "4");
    let pending: Vec<Pending> =
        (0..8).map(|_| server.send("/blocking")).collect();
    server.terminate();
    let answers: Vec<String> = pending.into_iter().map(Pending::wait).collect();
    let count = |start: &str| {
        answers.iter().filter(|answer| answer.starts_with(start)).count()
    };
    assert!(count("HTTP/1.1 200 ") >= 4, "{answers:#?}");
    let all = count("HTTP/1.1 200 ") + count("HTTP/1.1 503 ");
    assert_eq!(all, 8, "{answers:#?}");
    assert_eq!(server.wait().status.code(), Some(0));
}
