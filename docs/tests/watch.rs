//! A frozen thread is named while it is frozen, and no other thread ever is.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use docs::read;
use harness::{Server, skipped};
use tempfile::NamedTempFile;

const ACTIX: &str = "docs/examples/freezes-actix.rs";
const AXUM: &str = "docs/examples/freezes-axum.rs";

fn program(example: &str) -> PathBuf {
    harness::program(env!("CARGO_PKG_NAME"), Some(example)).unwrap()
}

/// A watched server, whose freezes last until they are released.
struct Watched {
    server: Server,
    /// Where a freeze waits until it is released.
    release: TcpListener,
}

impl Watched {
    fn start(program: impl AsRef<Path>, settings: &[(&str, &str)]) -> Self {
        let release = TcpListener::bind("127.0.0.1:0").unwrap();
        release.set_nonblocking(true).unwrap();
        let mut command = harness::command(program);
        let address = release.local_addr().unwrap().to_string();
        command.env("RELEASE", address).envs(settings.iter().copied());
        let watched =
            Self { server: Server::start(&mut command).unwrap(), release };
        assert_eq!(watched.server.get("/non-blocking").status(), 200);
        // Its line tables are read while it serves.
        watched.wait_until("its threads", |watched| {
            let tasks = format!("/proc/{}/task", watched.server.id());
            let names = fs::read_dir(tasks).unwrap().flatten().map(|task| {
                fs::read_to_string(task.path().join("comm")).unwrap_or_default()
            });
            let names: Vec<String> = names.collect();
            names.iter().any(|name| name == "watch\n")
                && names.iter().all(|name| name != "line tables\n")
        });
        watched
    }

    fn wait_until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            let said = self.server.stderr_so_far();
            let late = start.elapsed() > Duration::from_secs(60);
            assert!(!late, "waited in vain for {what}, and it said: {said}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its report on that freeze, once there is one.
    fn line(&self, start: &str, who: &str) -> String {
        let line = |watched: &Self| {
            let said = watched.server.stderr_so_far();
            let mut lines = said.lines();
            lines
                .find(|line| line.starts_with(start) && line.contains(who))
                .map(str::to_owned)
        };
        self.wait_until(who, |watched| line(watched).is_some());
        line(self).unwrap()
    }

    /// The report during the freeze. The freeze is over when this returns.
    fn report(&self, path: &str, who: &str) -> String {
        let before = self.said("no longer frozen");
        let request = self.server.open(path);
        let report = self.line("frozen for ", who);
        assert_eq!(self.said("no longer frozen"), before, "{report}");
        self.wait_until("the end", |watched| {
            while watched.release.accept().is_ok() {}
            watched.said("no longer frozen") > before
        });
        request.wait();
        report
    }

    fn said(&self, what: &str) -> usize {
        self.server.stderr_so_far().matches(what).count()
    }
}

fn watched(example: &str) -> Watched {
    Watched::start(program(example), &[])
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
    let step1 = [("ITERATIONS", "1_000_000_000_000")];
    let watched = Watched::start(program("watched"), &step1);
    let request = watched.server.open("/blocking");
    let said = watched.line("frozen", "GET /blocking on actix-rt|system");
    assert!(!request.is_answered(), "{said}");
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
fn a_blocking_call_is_named_with_its_line_during_the_freeze_and_after() {
    let watched = watched("freezes-actix");
    for (path, code) in [("recv", "receiver.recv()"), ("mutex", "let _mine")] {
        let who = format!("GET /{path} on actix-rt|system:0|arbiter:0");
        let said = watched.report(&format!("/{path}"), &who);
        let line = place(ACTIX, &format!("async fn {path}"), code);
        assert!(said.contains(&format!("{who} waits (")), "{said}");
        assert!(said.ends_with(&format!(" at {line}")), "{said}, not {line}");
    }
    // One report per freeze.
    assert_eq!(watched.said("frozen for"), 2);
}

#[test]
fn a_freeze_that_never_ends_is_named_too() {
    for (path, code) in [
        ("deadlock", "let _second = SECOND.lock();\n    \"never"),
        ("sleep", "thread::sleep"),
    ] {
        let watched = watched("freezes-actix");
        let request = watched.server.open(&format!("/{path}"));
        let said = watched.line("frozen", &format!("GET /{path}"));
        let line = place(ACTIX, &format!("async fn {path}"), code);
        assert!(said.contains(" waits ("), "{said}");
        assert!(said.ends_with(&format!(" at {line}")), "{said}, not {line}");
        assert!(!request.is_answered());
    }
}

#[test]
fn nobody_is_blamed_for_waiting_even_for_a_thousand_timers() {
    let watched = watched("freezes-actix");
    assert_eq!(watched.server.get("/timers").status(), 200);
    watched.report("/recv", "GET /recv");
    assert_eq!(watched.said("/timers"), 0);
}

#[test]
fn a_task_without_a_name_has_a_line_and_no_other_gets_its_blame() {
    let watched = watched("freezes-actix");
    // It panics while it is named, and its connection breaks.
    drop(watched.server.send("/panics"));
    let said = watched.report("/spawned", "a task without a name on actix-rt");
    let line = place(ACTIX, "rt::spawn(async", "wait()");
    assert!(said.ends_with(&format!("called from {line}")), "{said}");
    assert_eq!(watched.said("GET /panics on"), 0);
}

#[test]
fn a_thread_with_a_small_share_of_a_core_wants_one() {
    let watched = watched("freezes-actix");
    let said = watched.report("/crowded", "GET /crowded");
    assert!(said.contains(" wants a core ("), "{said}");
}

#[test]
fn a_blocked_task_that_stops_a_runtime_of_many_threads_is_named() {
    let watched = watched("freezes-axum");
    let who = "refresh the cache on tokio-rt-worker";
    let said = watched.report("/task", who);
    let line = place(AXUM, "async fn task", "wait()");
    assert!(said.contains(&format!("{who} waits (")), "{said}");
    assert!(said.ends_with(&format!("called from {line}")), "{said}");

    let said = watched.report("/blocks/x", "GET /blocks/{name} on tokio-rt");
    let line = place(AXUM, "async fn blocks", "wait()");
    assert!(said.ends_with(&format!("called from {line}")), "{said}");
}

#[test]
fn a_thread_that_has_handed_its_work_over_may_block() {
    let watched = watched("freezes-axum");
    let in_place = watched.server.send("/in-place");
    thread::sleep(Duration::from_millis(500));
    assert!(!in_place.is_answered());
    assert_eq!(watched.said("frozen"), 0);
}

#[test]
fn ten_reports_a_minute_are_enough() {
    let no_lines = [("WATCH_LINES", "0")];
    let watched = Watched::start(program("freezes-actix"), &no_lines);
    let short = || assert_eq!(watched.server.get("/short").status(), 200);
    watched.wait_until("ten reports", |watched| {
        short();
        watched.said("frozen for") == 10
    });
    short();
    assert_eq!(watched.said("frozen for"), 10);
}

#[test]
fn lines_can_be_switched_off() {
    let no_lines = [("WATCH_LINES", "0")];
    let watched = Watched::start(program("freezes-actix"), &no_lines);
    let said = watched.report("/recv", "GET /recv");
    assert!(said.ends_with(" % of a core)"), "{said}");
}

#[test]
fn without_line_tables_it_reports_what_is_missing() {
    let stripped = NamedTempFile::new().unwrap().into_temp_path();
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg(program("freezes-actix")).arg("-o");
    if !strip.arg(&stripped).status().is_ok_and(|ended| ended.success()) {
        return skipped("a build without line tables isn't: there's no strip");
    }
    let watched = Watched::start(&stripped, &[]);
    let said = watched.report("/recv", "GET /recv");
    assert!(said.contains("debug = \"line-tables-only\""), "{said}");
}

#[test]
fn the_files_to_copy_are_short() {
    for (file, most) in [("watch", 150), ("actix", 30), ("axum", 30)] {
        let source = read(format!("docs/examples/watch/{file}.rs")).unwrap();
        let code = source.lines().map(str::trim);
        let code = code.filter(|it| !it.is_empty() && !it.starts_with("//"));
        let code = code.count();
        assert!(code <= most, "{file}.rs has {code} lines of code");
    }
}
