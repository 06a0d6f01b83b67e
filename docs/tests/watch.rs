//! A frozen thread is named while it is frozen, and no other thread ever is.

use std::process::Command;

use docs::read;
use harness::{Server, skipped, wait_for};
use tempfile::NamedTempFile;

use crate::example;

const ACTIX: &str = "docs/examples/freezes-actix.rs";
const AXUM: &str = "docs/examples/freezes-axum.rs";

fn start(name: &str) -> Server {
    // Finding out the lines of a panic's backtrace is a freeze too.
    Server::start(example(name).env("RUST_BACKTRACE", "0")).unwrap()
}

/// The report on this request's freeze, which never ends.
fn report(server: &Server, path: &str, who: &str) -> String {
    // It may be answered, and freeze its thread later.
    let _request = server.open(path);
    let (start, mut report) = (format!(" s: {who}"), None);
    wait_for(who, || {
        let said = server.stderr_so_far();
        report = said.lines().find(|it| it.contains(&start)).map(String::from);
        report.is_some()
    });
    report.unwrap()
}

fn reports(server: &Server) -> usize {
    let said = server.stderr_so_far();
    said.lines().filter(|line| line.starts_with("frozen for")).count()
}

/// The line of a source that contains this code, after that line, in the form
/// that reports use.
fn place(source: &str, after: &str, code: &str) -> String {
    let text = read(source).unwrap();
    let start = text.find(after).expect(after);
    let end = start + text[start..].find(code).expect(code);
    let line = 1 + text[..end].matches('\n').count();
    format!("{}:{line}", source.trim_start_matches("docs/"))
}

#[test]
fn step_1_names_its_line_and_what_calls_it_while_it_counts() {
    let mut command = example("watched");
    command.env("ITERATIONS", "1_000_000_000_000");
    let server = Server::start(&mut command).unwrap();
    let who = "GET /blocking on actix-rt|system:0|arbiter:0";
    let said = report(&server, "/blocking", who);
    // On a busy machine it may get less than half a core.
    assert!(said.contains(" computes (") || said.contains(" wants a core ("));
    let (_, at) = said.split_once(" at common/src/count.rs").expect(&said);
    let (line, caller) = at.split_once(", called from ").expect(&said);
    let kernel = read("common/src/count.rs").unwrap();
    let start = kernel[..kernel.find("fn count(").unwrap()].lines().count();
    // An optimised loop may have no line of its own; then it has a name.
    match line.strip_prefix(':').map(|line| line.parse::<usize>().unwrap()) {
        Some(line) => assert!((start..start + 7).contains(&line), "{said}"),
        None => assert!(line.contains("count"), "{said}"),
    }
    let call = place("docs/examples/watched.rs", "fn count_all", "count(state");
    assert_eq!(caller, call);
    let chapter = read("docs/chapters/find-the-freeze.md").unwrap();
    assert_eq!(chapter.matches(&call).count(), 2, "the report, the debugger");
}

#[test]
fn a_freeze_is_named_once_with_its_line_and_nobody_is_blamed_for_waiting() {
    let server = start("freezes-actix");
    assert_eq!(server.get("/timers").status(), 200);
    for (path, code) in [("recv", "receiver.recv()"), ("deadlock", "let _mine")]
    {
        let who = format!("GET /{path} on actix-rt|system:0|arbiter:");
        let said = report(&server, &format!("/{path}"), &who);
        let line = place(ACTIX, &format!("async fn {path}"), code);
        assert!(said.contains(" waits ("), "{said}");
        assert!(said.ends_with(&format!(" at {line}")), "{said}, not {line}");
    }
    // A panic took its request's name along.
    let said = report(&server, "/spawned", "a task without a name on actix-rt");
    let line = place(ACTIX, "async fn spawned", "thread::sleep");
    assert!(said.ends_with(&format!(" at {line}")), "{said}, not {line}");
    assert_eq!(reports(&server), 3);
}

#[test]
fn a_blocked_task_that_stops_a_runtime_of_many_threads_is_named() {
    let server = start("freezes-axum");
    let who = "refresh the cache on tokio-rt-worker waits (";
    let said = report(&server, "/task", who);
    let line = place(AXUM, "async fn task", "thread::sleep");
    assert!(said.ends_with(&format!(" at {line}")), "{said}, not {line}");
}

#[test]
fn a_thread_that_has_handed_its_work_over_may_block() {
    let server = start("freezes-axum");
    let _in_place = server.send("/in-place");
    let said = report(&server, "/blocks", "GET /blocks on tokio-rt-worker");
    let line = place(AXUM, "async fn blocks", "thread::sleep");
    assert!(said.ends_with(&format!(" at {line}")), "{said}, not {line}");
    assert_eq!(reports(&server), 1);
}

#[test]
fn ten_reports_a_minute_are_enough_and_their_lines_can_be_switched_off() {
    let mut command = example("freezes-actix");
    let server = Server::start(command.env("WATCH_LINES", "0")).unwrap();
    let short = || assert_eq!(server.get("/short").status(), 200);
    wait_for("nine reports", || {
        short();
        reports(&server) == 9
    });
    let said = report(&server, "/crowded", "GET /crowded");
    assert!(said.contains(" wants a core ("), "{said}");
    short();
    let said = server.stderr_so_far();
    assert_eq!(said.matches(" % of a core)\n").count(), 10, "{said}");
    assert_eq!(said.matches("no longer frozen").count(), 9, "{said}");
}

#[test]
fn without_line_tables_it_reports_what_is_missing() {
    let stripped = NamedTempFile::new().unwrap().into_temp_path();
    let mut strip = Command::new("strip");
    strip.arg(example("freezes-actix").get_program());
    strip.args(["--strip-debug", "-o"]);
    if !strip.arg(&stripped).status().is_ok_and(|ended| ended.success()) {
        return skipped("a build without line tables isn't: there's no strip");
    }
    let server = Server::start(&mut harness::command(&stripped)).unwrap();
    let said = report(&server, "/recv", "GET /recv");
    assert!(said.contains("debug = \"line-tables-only\""), "{said}");
}
