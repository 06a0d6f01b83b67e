//! The real binary over the real steps, and over servers that misbehave.

mod node;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use compare::results::Results;
use serde_json::Value;

/// How far `/blocking` counts.
const COUNT: &str = "1000000000";

/// One at a time of those that compare who answers in time and who doesn't.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `compare` with one run, a count of its own and a report of its own.
struct Compare {
    command: Command,
    report: PathBuf,
}

impl Compare {
    fn new(test: &str, arguments: &[&str]) -> Self {
        let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        fs::remove_dir_all(&report).ok();
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command
            .args(["--runs", "1", "--iterations", COUNT])
            .args(arguments)
            .arg("--report")
            .arg(&report)
            .env_remove("THREADS")
            .env_remove("CLICOLOR_FORCE");
        Self { command, report }
    }

    fn run(mut self) -> (Output, Value) {
        let output = self.command.output().unwrap();
        let results = fs::read(self.report.join("results.json"))
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output, serde_json::from_slice(&results).unwrap())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn servers(results: &Value) -> impl Iterator<Item = &Value> {
    results["servers"].as_array().unwrap().iter()
}

fn server<'a>(results: &'a Value, name: &str) -> &'a Value {
    servers(results).find(|it| it["name"] == name).unwrap()
}

/// What share of the probes was in time while `/blocking` ran.
fn in_time(results: &Value, name: &str) -> f64 {
    let during = &server(results, name)["during"];
    let number = |name: &str| during[name].as_f64().unwrap();
    number("in_time") / number("probes")
}

#[test]
fn step_1_answers_nobody_in_time_and_the_others_do() {
    let _turn = turn();
    let (output, results) = Compare::new("steps", &["--scaling", "2"]).run();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");

    let frozen = in_time(&results, "step1-blocking");
    assert!(frozen < 0.05, "{frozen}\n{stdout}");
    let names = servers(&results).map(|it| it["name"].as_str().unwrap());
    let names: Vec<_> = names.collect();
    let numbers: String = names.iter().map(|name| &name[..5]).collect();
    assert_eq!(numbers, "step1step2step3step7");
    for name in &names[1..] {
        let share = in_time(&results, name);
        assert!(share > 2.0 * frozen, "{name}: {share}\n{stdout}");
        assert!(!stdout.contains(&format!("{name} froze")), "{stdout}");
    }
    assert!(stdout.contains("step1-blocking froze"), "{stdout}");
    for line in stdout.lines().filter(|line| !line.contains("report.html")) {
        assert!(line.chars().count() <= 80, "too long: {line}");
    }
    assert!(!stdout.contains('\x1b'), "colour where there is no terminal");
    assert!(stderr.contains("step7-cancellation, run 1: "), "{stderr}");
    assert!(stderr.contains("threads: 2, run 1: "), "{stderr}");

    let page = PathBuf::from(stdout.lines().last().unwrap());
    assert!(fs::read_to_string(&page).unwrap().contains("<svg"), "{page:?}");
    assert!(page.with_file_name("timeline.svg").exists());
    assert_documented(&results);
    let read: Results = serde_json::from_value(results.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), results);
}

/// Every field of the results is in the documentation with its type, and every
/// field of the documentation in the results.
fn assert_documented(results: &Value) {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/chapters/proofs.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, table) =
        page.split_once("\n## Fields of `results.json`\n").unwrap();
    let documented: BTreeMap<&str, &str> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((cells.next()?.trim_end_matches('`'), cells.next()?))
        })
        .collect();
    let mut fields = BTreeMap::new();
    collect(results, String::new(), &mut fields);
    for (field, types) in &fields {
        // A part of the results that only has others in it.
        if types.iter().all(|it| *it == "object")
            && documented.keys().any(|it| it.starts_with(field))
        {
            continue;
        }
        let accepted = documented.get(field.as_str());
        let accepted = accepted.unwrap_or_else(|| panic!("no word of {field}"));
        for a_type in types {
            assert!(
                accepted.split(" or ").any(|it| it == *a_type),
                "{field} is documented as {accepted}, but is {a_type}"
            );
        }
    }
    for field in documented.keys() {
        assert!(fields.contains_key(*field), "there is no {field}");
    }
}

fn collect(
    value: &Value,
    path: String,
    fields: &mut BTreeMap<String, BTreeSet<&'static str>>,
) {
    let a_type = match value {
        Value::Object(object) => {
            for (name, value) in object {
                let dot = if path.is_empty() { "" } else { "." };
                collect(value, format!("{path}{dot}{name}"), fields);
            }
            "object"
        }
        Value::Array(list) => {
            for value in list {
                collect(value, format!("{path}[]"), fields);
            }
            return;
        }
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Null => "null",
        Value::Bool(_) => "boolean",
    };
    if !path.is_empty() {
        fields.entry(path).or_default().insert(a_type);
    }
}

/// A server on a free port, until the test is over: its URL. It responds to one
/// connection after another, or to each on a thread of its own; where it has no
/// response, it ends.
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

/// What a good server responds, after a while if it is asked to count.
fn good(path: &str) -> Option<String> {
    if path == "/non-blocking" {
        return Some(FINE.into());
    }
    thread::sleep(Duration::from_millis(400));
    Some(format!("HTTP/1.1 200 OK\r\n\r\nresult is {COUNT}"))
}

#[test]
fn peers_that_misbehave_are_named_and_the_others_are_still_measured() {
    let _turn = turn();
    let dies =
        peer(false, |path| (path == "/non-blocking").then(|| FINE.to_owned()));
    let wrong =
        peer(true, |_| Some("HTTP/1.1 404 None\r\n\r\nno such page".into()));
    let peers = [
        ("dies", dies, "no answer to /blocking"),
        ("wrong", wrong, "answered 404 Not Found no such page"),
        ("mute", peer(true, |_| None), "connection closed"),
        ("smtp", peer(true, |_| Some("220 mail\r\n".into())), "HTTP version"),
        ("other", peer(true, |_| Some(FINE.replace("non-", ""))), "answered `"),
        ("nobody", "http://127.0.0.1:1".into(), "127.0.0.1:1: Connection refu"),
        ("frozen", peer(false, good), ""),
        ("live", peer(true, good) + "/", ""),
    ];
    let urls = peers.iter().map(|it| format!("--url={}={}", it.0, it.1));
    let arguments: Vec<_> =
        urls.chain(["--only=step2-single-worker".into()]).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (output, results) = Compare::new("peers", &arguments).run();
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    for (name, _, reason) in &peers {
        let error = server(&results, name)["error"].as_str();
        assert_eq!(error.is_none(), reason.is_empty(), "{name}: {error:?}");
        assert!(error.unwrap_or("").contains(reason), "{name}: {error:?}");
        let row = stdout.contains(&format!("{name} failed in run 1"));
        assert_eq!(row, error.is_some(), "{name}: {stdout}");
    }
    let frozen = in_time(&results, "frozen");
    assert!(frozen < 0.05, "{frozen}\n{stdout}");
    assert!(in_time(&results, "live") > 2.0 * frozen, "{stdout}");
    assert!(stdout.contains("frozen froze"), "{stdout}");
    assert!(!stdout.contains("live froze"), "{stdout}");
}

#[test]
fn what_a_peer_answers_never_reaches_the_terminal_as_a_command() {
    // A window title and its bell, a cleared screen, a C1 sequence, and
    // characters that are two columns wide.
    let hostile = peer(true, |path| {
        let status = match path {
            "/non-blocking" => "200 OK",
            _ => "500 Internal Server Error",
        };
        let wide = "\u{4e16}".repeat(32);
        Some(format!(
            "HTTP/1.1 {status}\r\n\r\n\x1b]0;owned\x07\x1b[2J\u{9b}31m{wide}"
        ))
    });
    let url = format!("--url={}={hostile}", "\u{4e16}".repeat(11));
    let compare =
        Compare::new("hostile", &["--only=step2-single-worker", &url]);
    let report = compare.report.clone();
    let (output, results) = compare.run();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.contains("]0;owned"), "it is shown, harmless: {stdout}");

    let file = |name| fs::read_to_string(report.join(name)).unwrap();
    let error = servers(&results).find_map(|it| it["error"].as_str()).unwrap();
    let files = ["report.html", "timeline.svg"].map(file);
    for text in files.iter().chain([&stdout, &stderr, &error.to_owned()]) {
        let is_command = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(is_command), "{text:?}");
    }
    for line in stdout.lines().filter(|line| !line.contains("report.html")) {
        // In these lines nothing else is two columns wide.
        let wide = line.chars().filter(|c| *c == '\u{4e16}').count();
        assert!(line.chars().count() + wide <= 80, "too wide: {line}");
    }
}

#[test]
fn requests_are_kept_in_flight_until_the_first_ones_are_answered() {
    let _turn = turn();
    let url = format!("--url=peer={}", peer(true, good));
    let arguments = ["--only=step1-blocking", "--concurrency=3", &url];
    let (output, results) = Compare::new("concurrency", &arguments).run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["step1-blocking", "peer"] {
        let run = &server(&results, name)["runs"][0];
        let requests = run["blocking"].as_array().unwrap().iter();
        let time = |it: &Value, name: &str| it[name].as_f64().unwrap();
        let mut requests: Vec<_> = requests
            .map(|it| (time(it, "sent_ms"), time(it, "took_ms")))
            .collect();
        requests.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Three are sent at once; the others come later. Times are whole
        // microseconds.
        let ends = requests[..3].iter().map(|(sent, took)| sent + took);
        let last = ends.fold(0.0, f64::max);
        let until = time(run, "until_ms");
        assert!((until - last).abs() < 0.01, "{name}: {until}, {requests:?}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_measuring() {
    let mut compare = Compare::new("unwritable", &[]);
    fs::write(&compare.report, "not a folder").unwrap();
    let output = compare.command.output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("unwritable"), "{stderr}");
    assert!(stderr.contains("--report"), "{stderr}");
    assert!(!stderr.contains("run 1"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_was_measured_is_shown_even_if_the_report_cannot_be_written() {
    let compare = Compare::new("unkept", &["--only=step2-single-worker"]);
    let Compare { mut command, report } = compare;
    fs::create_dir_all(report.join("report.html")).unwrap();
    let output = command.output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stdout.contains("while /blocking ran"), "{stdout}");
    let last = stderr.lines().last().unwrap();
    assert!(
        last.contains("report.html") && last.contains("--report"),
        "{last}"
    );
    let files = fs::read_dir(&report).unwrap();
    let files: BTreeSet<_> = files.map(|it| it.unwrap().file_name()).collect();
    let whole = ["report.html", "results.json", "timeline.svg"];
    assert_eq!(files, whole.map(Into::into).into());
}

#[test]
fn without_runs_it_measures_as_often_as_there_is_time_for() {
    let mut compare = Compare::new("rounds", &["--only=step2-single-worker"]);
    // The first two arguments say how often.
    let arguments: Vec<_> =
        compare.command.get_args().skip(2).map(ToOwned::to_owned).collect();
    compare.command = Command::new(compare.command.get_program());
    compare.command.args(arguments);
    let (output, results) = compare.run();
    assert!(output.status.success(), "{output:?}");
    let runs = server(&results, "step2-single-worker")["runs"].as_array();
    let runs = runs.unwrap().len();
    assert_eq!(results["settings"]["runs"], runs);
    let is_told = text(&output.stderr).contains("half a minute is over");
    assert_eq!(is_told, runs < 3, "{runs}: {output:?}");
}

#[test]
fn a_wrong_option_ends_it_with_status_2_and_a_sentence() {
    for (option, sentence) in [
        ("--threads=0", "expected a whole number from 1 to 1024"),
        ("--url=a=http://me:secret@b", "--url: a user name or password"),
        ("--diff=1", "--diff: there is no step before step 1"),
        ("--nope", "unexpected argument '--nope'"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        let output = command.arg(option).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {stderr}");
        assert!(stderr.contains(sentence), "{option}: {stderr}");
        assert!(!stderr.contains("secret"), "{option}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_difference_is_printed_instead_of_measuring() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    let output = command.args(["--diff", "2", "3"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = text(&output.stdout);
    let title = "── main.rs: step2-single-worker → step3-multi-worker";
    assert!(stdout.starts_with(title), "{stdout}");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs::Permissions, os::unix::fs::PermissionsExt, process::Child,
        time::Instant,
    };

    use rustix::process::{Pid, Signal, kill_process};
    use serde_json::json;

    use super::*;

    #[test]
    fn standard_error_that_cannot_be_written_does_not_end_a_measurement() {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let (reader, broken) = std::io::pipe().unwrap();
        drop(reader);
        for stderr in [Stdio::from(full), broken.into()] {
            let only = "--only=step2-single-worker";
            let mut compare = Compare::new("mute", &[only]);
            compare.command.stderr(stderr);
            let (output, _) = compare.run();
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// Step 1 as `compare` finds it: a shell that runs these lines. So is cargo,
    /// which only says where step 1 is if it has no lines of its own.
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

    fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(it) = what() {
                return it;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "waits in vain");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process whose id is in a file, once it is there.
    fn process(file: PathBuf) -> PathBuf {
        wait_for(|| {
            let id = fs::read_to_string(&file).ok()?;
            let id: u32 = id.strip_suffix('\n')?.parse().ok()?;
            Some(PathBuf::from(format!("/proc/{id}")))
        })
    }

    /// Sends a signal to `compare`, which ends, and so does that process.
    fn assert_ended(mut compare: Child, signal: Signal, process: PathBuf) {
        kill_process(Pid::from_child(&compare), signal).unwrap();
        let status = wait_for(|| compare.try_wait().unwrap());
        assert_eq!(status.code(), Some(130));
        wait_for(|| (!process.exists()).then_some(()));
    }

    #[test]
    fn a_step_that_dies_is_reported_with_its_last_words() {
        let mut compare = Compare::new("dies", &["--only=step1-blocking"]);
        let url = peer(false, |path| {
            (path == "/non-blocking").then(|| FINE.to_owned())
        });
        let step = format!(
            "echo step listening on {url}; echo >&2 no memory is left; exit 3"
        );
        replace_step(&mut compare, &step, None);
        let (output, results) = compare.run();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = server(&results, "step1-blocking")["error"].as_str();
        let expected = "failed in run 1: it ended (exit status: 3); its last \
                        words: no memory is left";
        assert_eq!(error, Some(expected));
    }

    #[test]
    fn a_signal_ends_a_step_that_runs_or_does_not_come_up() {
        let url = peer(true, |path| {
            if path == "/blocking" {
                thread::sleep(Duration::from_secs(1_000));
            }
            Some(FINE.to_owned())
        });
        let listening = format!("echo step listening on {url};");
        for (test, says) in [("runs", &*listening), ("mute-step", "")] {
            let mut compare = Compare::new(test, &["--only=step1-blocking"]);
            let id = compare.report.join("id");
            let step =
                format!("{says} echo $$ > {}; exec sleep 1000", id.display());
            replace_step(&mut compare, &step, None);
            let child = compare.command.stderr(Stdio::null()).spawn().unwrap();
            assert_ended(child, Signal::INT, process(id));
        }
    }

    #[test]
    fn a_signal_ends_the_compilers_that_cargo_has_started() {
        let mut compare = Compare::new("building", &["--only=step1-blocking"]);
        let id = compare.report.join("id");
        let cargo = format!("sleep 1000 & echo $! > {}; wait", id.display());
        replace_step(&mut compare, "", Some(&cargo));
        let child = compare.command.stderr(Stdio::null()).spawn().unwrap();
        assert_ended(child, Signal::TERM, process(id));
    }
}
