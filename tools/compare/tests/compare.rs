//! The real binary with the real steps, and with servers that misbehave.

mod node;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use compare::{
    options::NODE,
    results::{Probe, Results, Server},
};

/// How far a good peer counts.
const COUNT: &str = "200000000";

const ONE_RUN: [&str; 3] =
    ["--runs=1", "--concurrency=2", "--iterations=500_000_000"];

/// `compare` with its own report.
struct Compare {
    command: Command,
    report: PathBuf,
}

/// What it printed, its exit status, and the measurements.
struct Outcome {
    stdout: String,
    stderr: String,
    status: Option<i32>,
    results: Option<Results>,
}

impl Compare {
    fn new(test: &str, arguments: &[&str]) -> Self {
        let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        fs::remove_dir_all(&report).ok();
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command
            .args(arguments)
            .arg("--report")
            .arg(&report)
            .env_remove("ITERATIONS")
            .env_remove("THREADS");
        Self { command, report }
    }

    fn run(&mut self) -> Outcome {
        let Output { stdout, stderr, status } = self.command.output().unwrap();
        let [stdout, stderr] = [stdout, stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let results = fs::read_to_string(self.report.join("results.json")).ok();
        let results = results.map(|text| serde_json::from_str(&text).unwrap());
        Outcome { stdout, stderr, status: status.code(), results }
    }
}

fn server<'a>(results: &'a Results, name: &str) -> &'a Server {
    results.servers.iter().find(|server| server.name == name).unwrap()
}

/// The first of these servers froze, and the others didn't. On a busy machine
/// even these may be slow, but they respond before /blocking is done.
fn assert_first_froze(results: &Results, names: &[&str], stdout: &str) {
    assert!(stdout.contains(&format!("{} froze", names[0])), "{stdout}");
    for name in &names[1..] {
        let run = &server(results, name).runs[0];
        let is_answered = |it: &Probe| {
            it.latency_ms.is_some_and(|ms| it.at_ms + ms < run.until_ms)
        };
        assert!(run.during().any(is_answered), "{name}: {stdout}");
    }
}

#[test]
fn step_1_answers_nobody_in_time_and_the_others_do() {
    let mut compare = Compare::new("steps", &ONE_RUN);
    compare.command.arg("--scaling=2");
    let Outcome { stdout, stderr, status, results } = compare.run();
    assert_eq!(status, Some(0), "{stdout}\n{stderr}");
    let results = results.unwrap();

    let servers = results.servers.iter();
    assert!(servers.clone().all(|it| it.runs[0].blocking.len() == 2));
    let names: Vec<&str> = servers.map(|it| it.name.as_str()).collect();
    let numbers: String = names.iter().map(|name| &name[..5]).collect();
    assert_eq!(numbers, "step1step2step3step7");
    assert_first_froze(&results, &names, &stdout);
    assert!(stderr.contains("step7-cancellation, run 1: "), "{stderr}");
    assert!(stderr.contains("threads: 2, run 1: "), "{stderr}");

    let page = PathBuf::from(stdout.lines().last().unwrap());
    assert!(fs::read_to_string(&page).unwrap().contains("<svg"), "{page:?}");
}

#[test]
fn the_first_program_of_node_answers_nobody_in_time_either() {
    if !harness::has_node() {
        return;
    }
    let mut compare = Compare::new("node", &ONE_RUN);
    compare.command.args(["--node", "--only=step1-blocking"]);
    let Outcome { stdout, results, .. } = compare.run();
    assert_first_froze(&results.unwrap(), &NODE, &stdout);
}

/// A server on a free port, until the test is over. Returns its URL. It
/// responds to one connection at a time, or to each on its own thread. If it
/// has no response, it ends.
fn peer(is_live: bool, response: fn(&str) -> Option<String>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let respond = move |mut stream: TcpStream| {
        let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
        // A connection without a request is only a trial.
        let Some(first) = head.next() else { return true };
        head.take_while(|line| !line.is_empty()).count();
        let response = response(first.split(' ').nth(1).unwrap_or(""));
        let is_there = response.is_some();
        // A client that has gone doesn't want it.
        stream.write_all(response.unwrap_or_default().as_bytes()).ok();
        is_there
    };
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if is_live {
                thread::spawn(move || respond(stream));
            } else if !respond(stream) {
                break;
            }
        }
    });
    url
}

const FINE: &str = "HTTP/1.1 200 OK\r\n\r\nThis page is non-blocking";

/// A good server's response, after a while if it has to count.
fn good(path: &str) -> Option<String> {
    if path == "/non-blocking" {
        return Some(FINE.into());
    }
    thread::sleep(Duration::from_millis(300));
    Some(format!("HTTP/1.1 200 OK\r\n\r\nresult is {COUNT}"))
}

/// The response of a server that doesn't survive having to count.
fn dies(path: &str) -> Option<String> {
    (path == "/non-blocking").then(|| FINE.into())
}

#[test]
fn peers_that_misbehave_are_named_and_the_others_are_still_measured() {
    // A window title and its bell, a cleared screen, a C1 sequence.
    let hostile = peer(true, |_| {
        let body = "\x1b]0;owned\x07\x1b[2J\u{9b}31m";
        Some(format!("HTTP/1.1 404 None\r\n\r\n{body}"))
    });
    let peers = [
        ("frozen", peer(false, good), ""),
        ("live", peer(true, good) + "/", ""),
        ("dies", peer(false, dies), "no answer to /blocking"),
        ("hostile", hostile, "answered 404 Not Found \u{fffd}]0;owned"),
        ("mute", peer(true, |_| None), "connection closed"),
        ("other", peer(true, |_| Some(FINE.replace("non-", ""))), "answered `"),
        ("nobody", "http://127.0.0.1:1".into(), "127.0.0.1:1: Connection refu"),
    ];
    let mut compare =
        Compare::new("peers", &["--runs=1", "--only=step2-single-worker"]);
    compare.command.args(["--iterations", COUNT]);
    let page = compare.report.join("report.html");
    for (name, url, _) in &peers {
        compare.command.arg(format!("--url={name}={url}"));
    }
    let Outcome { stdout, stderr, status, results } = compare.run();
    assert_eq!(status, Some(1), "{stdout}");
    let results = results.unwrap();
    let page = fs::read_to_string(page).unwrap();
    for shown in [&stdout, &stderr, &page] {
        let is_command = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(is_command), "a terminal obeys {shown:?}");
    }
    for (name, _, reason) in &peers {
        let error = server(&results, name).error.as_deref();
        assert_eq!(error.is_none(), reason.is_empty(), "{name}: {error:?}");
        assert!(error.unwrap_or("").contains(reason), "{name}: {error:?}");
        let row = stdout.contains(&format!("{name} failed in run 1"));
        assert_eq!(row, error.is_some(), "{name}: {stdout}");
    }
    assert_first_froze(&results, &["frozen", "live"], &stdout);
}

#[test]
fn a_difference_is_shown_instead() {
    let mut compare = Command::new(env!("CARGO_BIN_EXE_compare"));
    let Output { status, stdout, .. } =
        compare.arg("--diff=3").output().unwrap();
    let shown = String::from_utf8_lossy(&stdout);
    assert!(status.success());
    let title = "── main.rs: step2-single-worker → step3-multi-worker";
    assert!(shown.contains(title), "{shown}");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path};

    use harness::wait_for;
    use rustix::process::{Pid, Signal, kill_process};
    use serde_json::json;

    use super::*;

    /// Step 1 as `compare` finds it: a shell that runs these lines. So is cargo,
    /// which only prints where step 1 is if it has no lines of its own.
    fn replace_step(compare: &mut Compare, step: &str, cargo: Option<&str>) {
        fs::create_dir_all(&compare.report).unwrap();
        let script = |name: &str, lines: &str| {
            let path = compare.report.join(name);
            fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path
        };
        let built = json!({
            "target": {"name": "step1-blocking"},
            "executable": script("step", step),
        });
        let builds = format!("echo '{built}'");
        let cargo = script("cargo", cargo.unwrap_or(&builds));
        compare.command.env("CARGO", cargo);
    }

    #[test]
    fn last_words_of_a_step_are_shown_even_if_the_report_cannot_be_written() {
        let mut compare = Compare::new("dies", &["--only=step1-blocking"]);
        let url = peer(false, dies);
        let step = format!(
            "echo >&2 no memory is left; echo step listening on {url}; exit 3"
        );
        replace_step(&mut compare, &step, None);
        fs::create_dir_all(compare.report.join("report.html")).unwrap();
        let Outcome { stdout, stderr, status, results } = compare.run();
        assert_eq!(status, Some(1), "{stdout}\n{stderr}");
        let error = results.unwrap().servers[0].error.take().unwrap();
        assert!(
            error.ends_with("its last words: no memory is left"),
            "{error}"
        );
        assert!(stdout.replace("\n  ", " ").contains(&error), "{stdout}");
        let last = stderr.lines().last().unwrap();
        assert!(last.contains("report.html"), "{stderr}");
        assert!(last.contains("--report"), "{stderr}");
    }

    #[test]
    fn a_signal_ends_steps_that_run_or_do_not_come_up_and_compilers() {
        const MUTE: &str = "echo $$ > ${0%/*}/id; exec sleep 1000";
        const COMPILES: &str = "sleep 1000 & echo $! > ${0%/*}/id; wait";
        let url = peer(true, |path| {
            if path == "/blocking" {
                thread::sleep(Duration::from_secs(1_000));
            }
            Some(FINE.to_owned())
        });
        let runs = format!("echo step listening on {url}; {MUTE}");
        for (test, step, cargo, signal) in [
            ("runs", &*runs, None, Signal::INT),
            ("mute-step", MUTE, None, Signal::INT),
            ("compiles", "", Some(COMPILES), Signal::TERM),
        ] {
            let mut compare = Compare::new(test, &["--only=step1-blocking"]);
            replace_step(&mut compare, step, cargo);
            let command = compare.command.stderr(Stdio::null());
            let mut running = command.spawn().unwrap();
            let mut started = PathBuf::new();
            wait_for("the id of what it starts", || {
                let id = fs::read_to_string(compare.report.join("id"));
                let id = id.unwrap_or_default();
                started = Path::new("/proc").join(id.trim_end());
                id.ends_with('\n')
            });
            kill_process(Pid::from_child(&running), signal).unwrap();
            assert_eq!(running.wait().unwrap().code(), Some(130));
            wait_for("its end", || !started.exists());
        }
    }
}
