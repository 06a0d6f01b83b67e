//! The real binary over the real steps, and over servers that misbehave.

mod node;
mod peer;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use compare::results::Results;
use peer::{COUNT, Peer};
use serde_json::Value;

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
            .args(["--runs", "1", "--iterations", &COUNT.to_string()])
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

fn server<'a>(results: &'a Value, name: &str) -> &'a Value {
    let mut servers = results["servers"].as_array().unwrap().iter();
    servers.find(|it| it["name"] == name).unwrap()
}

/// What share of the probes was in time while `/blocking` ran.
fn in_time(results: &Value, name: &str) -> f64 {
    let during = &server(results, name)["during"];
    let figure = |name: &str| during[name].as_f64().unwrap();
    figure("in_time") / figure("probes")
}

#[test]
fn step_1_answers_nobody_in_time_and_the_others_do() {
    let _turn = turn();
    let (output, results) = Compare::new("steps", &["--scaling", "2"]).run();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");

    let frozen = in_time(&results, "step1-blocking");
    assert!(frozen < 0.05, "{frozen}\n{stdout}");
    let names = rows(&results["servers"]).map(|it| it["name"].as_str());
    let numbers: String = names.map(|it| &it.unwrap()[..5]).collect();
    assert_eq!(numbers, "step1step2step3step7");
    for server in &results["servers"].as_array().unwrap()[1..] {
        let name = server["name"].as_str().unwrap();
        let share = in_time(&results, name);
        assert!(share > 2.0 * frozen, "{name}: {share}\n{stdout}");
        assert!(!stdout.contains(&format!("{name} froze")), "{stdout}");
    }
    assert!(stdout.contains("step1-blocking froze"), "{stdout}");
    for line in stdout.lines().filter(|line| !line.contains("report.html")) {
        assert!(line.chars().count() <= 80, "too long: {line}");
    }
    assert!(!stdout.contains('\x1b'), "colour where there is no terminal");
    let first = stderr.lines().next().unwrap();
    assert!(first.contains("6 runs: this takes about"), "{stderr}");
    assert!(stderr.contains("run 1 of 1"), "{stderr}");

    let page = PathBuf::from(stdout.lines().last().unwrap());
    assert!(fs::read_to_string(&page).unwrap().contains("<svg"), "{page:?}");
    assert!(page.with_file_name("timeline.svg").exists());
    documented(&results);
    let read: Results = serde_json::from_value(results.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), results);
}

/// Every field of the results stands in the documentation with its type, and
/// every field of the documentation in the results.
fn documented(results: &Value) {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/chapters/results.md");
    let page = fs::read_to_string(path).unwrap();
    let documented: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            Some((cells.next()?.trim_end_matches('`'), cells.next()?))
        })
        .collect();
    let mut fields = BTreeMap::new();
    collect(results, String::new(), &mut fields);
    for (field, types) in &fields {
        // A part of the results that only holds others.
        if types.iter().all(|it| *it == "object")
            && documented.keys().any(|it| it.starts_with(field))
        {
            continue;
        }
        let said = documented.get(field.as_str());
        let said = said.unwrap_or_else(|| panic!("no word about {field}"));
        for a_type in types {
            assert!(
                said.split(" or ").any(|it| it == *a_type),
                "{field} is documented as {said}, but is {a_type}"
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

#[test]
fn every_published_figure_follows_from_the_published_samples() {
    let only = "--only=step1-blocking,step3-multi-worker";
    let two_runs = [only, "--runs=2", "--scaling=2", "--interval=3"];
    let (_, results) = Compare::new("figures", &two_runs).run();
    for server in results["servers"].as_array().unwrap() {
        let runs = server["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 2);
        let requests = runs.iter().flat_map(|it| rows(&it["blocking"]));
        spread(&server["blocking"], requests.map(|it| number(it, "took_ms")));

        let probes = |phase: fn(f64, f64) -> bool| {
            let of_run = move |run| {
                let until = number(run, "until_ms");
                rows(&run["probes"])
                    .filter(move |it| phase(number(it, "at_ms"), until))
            };
            runs.iter().flat_map(of_run).collect::<Vec<_>>()
        };
        latencies(&server["idle"], &probes(|at, _| at < 0.0));
        latencies(
            &server["during"],
            &probes(|at, until| at >= 0.0 && at <= until - 10.0),
        );
    }
    let median = |it: &Value| number(&it["blocking"], "median_ms");
    for server in rows(&results["servers"]) {
        let speed_up = median(&results["servers"][0]) / median(server);
        near(number(server, "speed_up"), speed_up);
    }
    for scaled in rows(&results["scaling"]) {
        let runs = rows(&scaled["runs_ms"]).map(|it| it.as_f64().unwrap());
        spread(&scaled["blocking"], runs);
        let speed_up = median(&results["scaling"][0]) / median(scaled);
        near(number(scaled, "speed_up"), speed_up);
        let threads = number(scaled, "threads");
        near(number(scaled, "efficiency"), speed_up / threads);
    }
}

fn rows(list: &Value) -> impl Iterator<Item = &Value> + Clone {
    list.as_array().unwrap().iter()
}

fn number(object: &Value, field: &str) -> f64 {
    object[field].as_f64().unwrap_or_else(|| panic!("no {field}: {object}"))
}

fn near(is: f64, should: f64) {
    assert!((is / should - 1.0).abs() < 1e-12, "{is} should be {should}");
}

/// Median, least and greatest are those of these times.
fn spread(published: &Value, times: impl Iterator<Item = f64>) {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let n = times.len();
    let median = f64::midpoint(times[(n - 1) / 2], times[n / 2]);
    near(number(published, "median_ms"), median);
    assert_eq!(number(published, "min_ms"), times[0]);
    assert_eq!(number(published, "max_ms"), times[n - 1]);
}

/// What is said of these probes is so, to the last digit.
fn latencies(published: &Value, probes: &[&Value]) {
    let answered = probes.iter().filter_map(|it| it["latency_ms"].as_f64());
    let in_time = answered.clone().filter(|ms| *ms < 10.0).count();
    let failed = probes.len() - answered.clone().count();
    assert_eq!(published["probes"], probes.len());
    assert_eq!(published["in_time"], in_time);
    assert_eq!(published["failed"], failed);
    percentiles(published, answered.collect());
    let late = probes.iter().map(|it| number(it, "late_ms"));
    percentiles(&published["late"], late.collect());
}

/// By the nearest rank: no fewer than so many per cent take no longer, and
/// with any shorter time it would be fewer.
fn percentiles(published: &Value, times: Vec<f64>) {
    for (field, percent) in [("p50_ms", 50), ("p99_ms", 99), ("worst_ms", 100)]
    {
        let figure = number(published, field);
        let count = |of: &dyn Fn(f64) -> bool| {
            100 * times.iter().filter(|ms| of(**ms)).count()
        };
        let wanted = percent * times.len();
        assert!(times.contains(&figure), "{field}: {figure} is no sample");
        assert!(count(&|ms| ms <= figure) >= wanted, "{field}: {figure}");
        assert!(count(&|ms| ms < figure) < wanted, "{field}: {figure}");
    }
}

#[test]
fn peers_that_misbehave_are_named_and_the_others_are_still_measured() {
    let _turn = turn();
    let (live, frozen) = (Peer::live(), Peer::frozen());
    let (dies, wrong) = (Peer::dies(), Peer::wrong());
    let (output, results) = Compare::new(
        "peers",
        &[
            "--only=step2-single-worker",
            &format!("--url=dies={}", dies.url()),
            &format!("--url=wrong={}", wrong.url()),
            "--url=nobody=http://127.0.0.1:1",
            &format!("--url=frozen={}", frozen.url()),
            &format!("--url=live={}/", live.url()),
        ],
    )
    .run();
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");

    let error = |name| server(&results, name)["error"].as_str();
    assert!(error("dies").unwrap().contains("/blocking"), "{results:#}");
    let said = error("wrong").unwrap();
    assert!(said.contains("404") && said.contains("no such page"), "{said}");
    assert!(error("nobody").unwrap().contains("127.0.0.1:1"), "{results:#}");
    for name in ["dies", "wrong", "nobody"] {
        assert!(stdout.contains(&format!("{name} failed")), "{stdout}");
    }

    for name in ["step2-single-worker", "frozen", "live"] {
        assert_eq!(error(name), None);
    }
    let frozen = in_time(&results, "frozen");
    assert!(frozen < 0.05, "{frozen}\n{stdout}");
    assert!(in_time(&results, "live") > 2.0 * frozen, "{stdout}");
    assert!(stdout.contains("frozen froze"), "{stdout}");
    assert!(!stdout.contains("live froze"), "{stdout}");
}

#[test]
fn what_a_peer_answers_never_reaches_the_terminal_as_a_command() {
    let peer = Peer::hostile();
    let url = format!(
        "--url=\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\
                       \u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}={}",
        peer.url()
    );
    let compare =
        Compare::new("hostile", &["--only=step2-single-worker", &url]);
    let report = compare.report.clone();
    let (output, results) = compare.run();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(stdout.contains("]0;owned"), "it is shown, harmless: {stdout}");

    let file = |name| fs::read_to_string(report.join(name)).unwrap();
    let mut shown = vec![stdout.clone(), stderr];
    shown.extend(["report.html", "timeline.svg"].map(file));
    // In JSON they could hide behind a backslash.
    strings(&results, &mut shown);
    for text in shown {
        let commands = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(commands), "{text:?}");
    }
    for line in stdout.lines().filter(|line| !line.contains("report.html")) {
        // In these lines nothing else is two columns wide.
        let wide = line.chars().filter(|c| *c == '\u{4e16}').count();
        assert!(line.chars().count() + wide <= 80, "too wide: {line}");
    }
}

fn strings(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|it| strings(it, all)),
        Value::Object(map) => map.values().for_each(|it| strings(it, all)),
        _ => (),
    }
}

#[test]
fn a_url_is_honoured_or_refused_and_its_password_is_never_repeated() {
    let refused = [
        ("a=http://me:secret@localhost:8000", "password"),
        ("http://me:secret@localhost:8000", "password"),
        ("a=http://me@localhost:8000", "password"),
        ("a=https://me:secret@localhost:8000", "password"),
        ("a=http://localhost:8000/?token=secret", "query"),
        ("a=http://localhost:8000/#secret", "query"),
        ("a=http://localhost:70000", "http://"),
        ("a\x1b[2J=http://localhost:8000", "NAME"),
    ];
    for (url, reason) in refused {
        let mut compare = Compare::new("url", &["--url", url]);
        let output = compare.command.output().unwrap();
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{url}: {said}");
        assert!(said.contains(reason), "{url}: {said}");
        assert!(!said.contains("secret"), "{url}: {said}");
        assert!(!said.contains('\x1b'), "{url}: {said:?}");
    }
}

#[test]
fn requests_are_kept_in_flight_until_the_first_ones_are_answered() {
    let _turn = turn();
    let peer = Peer::live();
    let (output, results) = Compare::new(
        "concurrency",
        &[
            "--only=step1-blocking",
            "--concurrency=3",
            &format!("--url=peer={}", peer.url()),
        ],
    )
    .run();
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["step1-blocking", "peer"] {
        let run = &server(&results, name)["runs"][0];
        let requests = run["blocking"].as_array().unwrap();
        let at = |it: &Value, name: &str| it[name].as_f64().unwrap();
        let first = requests.iter().filter(|it| at(it, "sent_ms") < 50.0);
        let ends = first.map(|it| at(it, "sent_ms") + at(it, "took_ms"));
        assert!(ends.clone().count() >= 3, "{name}: {requests:?}");
        let last = ends.fold(0.0, f64::max);
        let until = at(run, "until_ms");
        assert!((until - last).abs() < 1.0, "{name}: {until}, {requests:?}");
    }
    // One after another: the last of three waits for all of them.
    let spread = &server(&results, "step1-blocking")["blocking"];
    let (min, max) = (spread["min_ms"].as_f64(), spread["max_ms"].as_f64());
    assert!(max > min.map(|it| it * 1.5), "{spread}");
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_the_measuring() {
    let mut compare = Compare::new("unwritable", &[]);
    fs::write(&compare.report, "not a folder").unwrap();
    let output = compare.command.output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("unwritable"), "{stderr}");
    assert!(stderr.contains("--report"), "{stderr}");
    assert!(!stderr.contains("this takes about"), "{stderr}");
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
#[cfg(target_os = "linux")]
fn standard_error_that_cannot_be_written_does_not_end_a_measurement() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let (reader, broken) = std::io::pipe().unwrap();
    drop(reader);
    for stderr in [Stdio::from(full), broken.into()] {
        let mut compare = Compare::new("mute", &["--only=step2-single-worker"]);
        compare.command.stderr(stderr);
        let (output, _) = compare.run();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn wrong_options_are_named_with_what_is_accepted() {
    let wrong = [
        ("--only=step9", "step9", "step1-blocking"),
        ("--iterations=-1", "-1", "whole number"),
        ("--threads=0", "0", "from 1 to"),
        ("--url=localhost:3000", "localhost:3000", "NAME=URL"),
        ("--url=a=ftp://b", "ftp://b", "http://"),
        ("--url=step1-blocking=http://b", "step1-blocking", "both"),
        ("--url=node1-blocking=http://b", "node1-blocking", "both"),
    ];
    for (option, value, accepted) in wrong {
        let output = Compare::new("options", &[option]).command.output();
        let output = output.unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {stderr}");
        assert!(stderr.contains(value), "{option}: {stderr}");
        assert!(stderr.contains(accepted), "{option}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
mod signals {
    use std::{
        fs::Permissions,
        io::{BufRead, BufReader},
        os::unix::fs::PermissionsExt,
        process::Child,
        time::{Duration, Instant},
    };

    use rustix::process::{Pid, Signal, kill_process};
    use serde_json::json;

    use super::*;

    /// Starts it and waits until it has said so much.
    fn spawn(compare: &mut Compare, until: &str) -> Child {
        let mut child = compare
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut lines = stderr.lines().map_while(Result::ok);
        lines.find(|line| line.contains(until)).unwrap();
        // What comes later is read on, so that nobody waits for it.
        std::thread::spawn(move || lines.count());
        child
    }

    /// Starts it and waits until a step runs. Returns that step's process.
    fn start(compare: &mut Compare) -> (Child, Pid) {
        let child = spawn(compare, "takes about");
        let id = child.id();
        // Cargo builds before a step runs, and only a step is told its port.
        let is_step = |id: &str| {
            let told = fs::read(format!("/proc/{id}/environ")).ok();
            told.is_some_and(|told| text(&told).contains("\0PORT=0\0"))
        };
        let step = wait_for(|| {
            // Each thread has its own children.
            let threads = fs::read_dir(format!("/proc/{id}/task")).ok()?;
            threads.flatten().find_map(|thread| {
                let children = thread.path().join("children");
                let children = fs::read_to_string(children).ok()?;
                let step = children.split_whitespace().find(|it| is_step(it));
                Pid::from_raw(step?.parse().ok()?)
            })
        });
        (child, step)
    }

    fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(it) = what() {
                return it;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "waits in vain");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_step_that_dies_is_reported_with_its_last_words() {
        let long = "--iterations=1_000_000_000_000";
        let arguments = ["--only=step2-single-worker", long];
        let mut compare = Compare::new("dies", &arguments);
        let (child, step) = start(&mut compare);
        // /blocking is sent after a second of idling, and runs then. A first
        // Ctrl-C lets it be answered, a second ends the step at once.
        std::thread::sleep(Duration::from_millis(1_500));
        for _ in 0..2 {
            kill_process(step, Signal::INT).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
        let output = child.wait_with_output().unwrap();
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{stdout}");
        let joined = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            joined.contains(
                "step2-single-worker failed in run 1 of 1: it ended (exit \
                 status: 130); its last words: stopping once every accepted \
                 request is answered"
            ),
            "{stdout}"
        );
    }

    #[test]
    fn an_interrupt_stops_all_that_was_started() {
        let long = "--iterations=1_000_000_000_000";
        let long = ["--only=step1-blocking", long];
        let mut compare = Compare::new("interrupt", &long);
        let (mut child, step) = start(&mut compare);
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130));
        let left = PathBuf::from(format!("/proc/{}", step.as_raw_nonzero()));
        wait_for(|| (!left.exists()).then_some(()));
    }

    #[test]
    fn a_signal_is_heard_while_a_step_does_not_come_up() {
        let mut compare = Compare::new("mute-step", &["--only=step1-blocking"]);
        fs::create_dir_all(&compare.report).unwrap();
        let script = |name: &str, lines: &str| {
            let path = compare.report.join(name);
            fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path
        };
        let step = script("step", "exec sleep 1000");
        let built = json!({
            "target": {"name": "step1-blocking"},
            "executable": step,
        });
        let cargo = script("cargo", &format!("echo '{built}'"));
        compare.command.env("CARGO", cargo);
        let (mut child, step) = start(&mut compare);
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = wait_for(|| child.try_wait().unwrap());
        assert_eq!(status.code(), Some(130));
        let left = PathBuf::from(format!("/proc/{}", step.as_raw_nonzero()));
        wait_for(|| (!left.exists()).then_some(()));
    }

    #[test]
    fn a_measurement_that_was_suspended_says_that_it_is_worthless() {
        let suspend = |begins_after: &str, name: &str| {
            let only = "--only=step2-single-worker";
            let long = "--iterations=5_000_000_000";
            let mut compare = Compare::new(name, &[only, long, "--scaling=1"]);
            let child = spawn(&mut compare, begins_after);
            std::thread::sleep(Duration::from_millis(700));
            kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
            std::thread::sleep(Duration::from_millis(2_000));
            kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
            let output = child.wait_with_output().unwrap();
            let stdout = text(&output.stdout);
            assert!(stdout.contains("worthless"), "{begins_after}: {stdout}");
            assert_eq!(output.status.code(), Some(1), "{stdout}");
        };
        std::thread::scope(|scope| {
            scope.spawn(|| suspend("Finished", "suspended-idle"));
            scope.spawn(|| suspend("run 1 of 1: /blocking", "suspended"));
        });
    }
}
