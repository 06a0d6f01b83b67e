//! What every step must do: this file is a test of every step. Code that they all
//! share is tested once, in `once.rs`.

use std::time::{Duration, Instant};

use harness::{Server, StartError, command, wait_for};

const STEP: &str = env!("CARGO_PKG_NAME");
const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

/// The step, which counts that far, on that many threads if it has the setting.
fn start(iterations: &str, threads: &str) -> Server {
    let mut command = command(PROGRAM);
    command.env("ITERATIONS", iterations).env("THREADS", threads);
    Server::start(&mut command).unwrap()
}

/// The step's number.
fn number() -> u32 {
    STEP[4..].split('-').next().unwrap().parse().unwrap()
}

/// Whether the code of `/waiting` is this step's own: in the others it is the same
/// as in the step before, which `docs/tests/seam.rs` checks, and its three
/// seconds aren't waited for again.
fn has_its_own_waiting() -> bool {
    matches!(number(), 1 | 7)
}

/// It takes three seconds, and others are served while it does.
fn check_waiting(server: &Server) {
    let mut last = None;
    // On a busy machine the three seconds may be over too soon.
    wait_for("a response while /waiting waits", || {
        let sent = Instant::now();
        let waiting = server.send("/waiting");
        server.get("/non-blocking");
        let is_first = !waiting.is_answered();
        last = Some((sent, waiting));
        is_first
    });
    let (sent, waiting) = last.unwrap();
    let answer = waiting.wait();
    assert!(sent.elapsed() >= Duration::from_secs(3), "it doesn't wait");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("This page waited for 3 seconds."), "{answer}");
}

#[test]
fn it_prints_one_line_and_answers_each_route() {
    let server = start("1_000_003", "7");
    let line = server.line().to_owned();
    let begin = format!("{STEP} listening on http://127.0.0.1:");
    assert!(line.starts_with(&begin), "{line}");
    assert!(line.contains("iterations 1000003"), "{line}");

    let response = server.get("/non-blocking");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.body(), "This page is non-blocking.");

    let response = server.get("/blocking");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.body(), "Result is 1000003");
    let timing = response.headers()["server-timing"].to_str().unwrap();
    let duration = timing.strip_prefix("count;dur=").expect(timing);
    assert!(duration.parse::<f64>().expect(timing) > 0.0, "{timing}");

    let response = server.request("GET", "/blocking", "application/json");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["vary"], "Accept");
    let report: serde_json::Value =
        serde_json::from_str(response.body()).unwrap();
    assert_eq!(report["step"], STEP);
    assert_eq!(report["result"], 1_000_003);
    assert_eq!(report["threads"], if number() < 3 { 1 } else { 7 });
    assert!(report["elapsed_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(report.as_object().unwrap().len(), 4);

    let response = server.get("/nothing");
    assert_eq!(response.status(), 404);
    assert!(response.body().contains("/blocking"), "it names the routes");
    for path in ["/", "/blocking", "/non-blocking"] {
        let response = server.request("POST", path, "*/*");
        assert_eq!(response.status(), 405, "POST {path}");
        assert_eq!(response.headers()["allow"], "GET, HEAD");
    }

    if has_its_own_waiting() {
        check_waiting(&server);
    }
    let ended = server.kill();
    assert_eq!(ended.stdout.trim_end(), line, "only that line");
    assert_eq!(ended.stderr, "", "nothing to complain about");
}

#[test]
fn a_worker_that_panics_gives_500_and_harms_nobody() {
    // More threads than rounds, and nothing to count.
    for (iterations, threads) in [("7", "64"), ("0", "1")] {
        let server = start(iterations, threads);
        for _ in 0..3 {
            let response = server.get("/failing");
            if number() == 1 {
                assert_eq!(response.status(), 404, "step 1 has no worker");
            } else {
                assert_eq!(response.status(), 500);
                let text = "The worker failed; the server is still running.";
                assert_eq!(response.body(), text);
            }
            let result = format!("Result is {iterations}");
            assert_eq!(server.get("/blocking").body(), &result);
        }
        let stderr = server.kill().stderr;
        let panics = if number() == 1 { 0 } else { 3 };
        assert_eq!(stderr.matches("panics on purpose").count(), panics);
    }
}

#[test]
fn head_does_no_work_and_from_step_2_on_counting_freezes_nobody() {
    // Counting would take years.
    let server = start(&u64::MAX.to_string(), "2");
    for (path, first, content_type) in [
        ("/", 1, "text/html; charset=utf-8"),
        ("/non-blocking", 1, "text/plain; charset=utf-8"),
        ("/waiting", 1, "text/plain; charset=utf-8"),
        ("/blocking", 1, "text/plain; charset=utf-8"),
        ("/failing", 2, "text/plain; charset=utf-8"),
        ("/pool", 5, "application/json"),
        ("/progress", 6, "text/event-stream"),
    ] {
        let answer = server.write(format!(
            "HEAD {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server.address()
        ));
        let answer = answer.wait().to_lowercase();
        if number() < first {
            assert!(answer.starts_with("http/1.1 404 "), "{path}: {answer}");
            continue;
        }
        assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{path}: {answer}");
        assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
        let content_type = format!("\r\ncontent-type: {content_type}\r\n");
        assert!(answer.contains(&content_type), "{path}: {answer}");
    }
    assert_eq!(server.stderr_so_far(), "", "/failing wasn't called");
    if number() > 1 {
        let blocking = server.send("/blocking");
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert!(!blocking.is_answered(), "the server thread is free");
    }
}

#[test]
fn its_help_names_its_own_settings_and_no_others() {
    let output = command(PROGRAM).arg("--help").output().unwrap();
    assert!(output.status.success(), "--help must end with exit status 0");
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.starts_with(env!("CARGO_PKG_DESCRIPTION")), "{help}");
    for (setting, first) in [
        ("--host <ADDRESS>", 1),
        ("[env: PORT]", 1),
        ("[env: ITERATIONS]", 1),
        ("[env: THREADS]", 3),
        ("[env: QUEUE]", 5),
        ("[env: TIMEOUT]", 7),
        ("[env: SHUTDOWN_TIMEOUT]", 7),
        ("[env: BODY_TIMEOUT]", 8),
        ("[env: NATS_URL]", 9),
    ] {
        let has = number() >= first;
        assert_eq!(help.contains(setting), has, "{setting}:\n{help}");
    }
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let first = start("1000", "1");
    let (_, port) = first.url().rsplit_once(':').unwrap();
    match Server::start(command(PROGRAM).env("PORT", port)) {
        Err(StartError::Ended { status, stderr, .. }) => {
            assert_eq!(status.code(), Some(1), "{stderr}");
            assert!(stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
            assert!(stderr.contains("PORT="), "{stderr}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(first.get("/non-blocking").status(), 200);
}

#[cfg(unix)]
#[test]
fn a_first_signal_finishes_running_requests_and_a_second_does_not_wait() {
    let server = start("500_000_000", "2");
    let waiting = has_its_own_waiting().then(|| server.send("/waiting"));
    let running = server.send("/blocking");
    server.terminate();
    let answer = running.wait();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("Result is 500000000"), "{answer}");
    if let Some(waiting) = waiting {
        assert!(waiting.wait().starts_with("HTTP/1.1 200 OK"));
    }
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let server = start(&u64::MAX.to_string(), "2");
    let _running = server.send("/blocking");
    server.interrupt();
    let is_told = || server.stderr_so_far().contains("Ctrl-C again");
    wait_for("the first signal's line", is_told);
    server.interrupt();
    assert_eq!(server.wait().status.code(), Some(130));
}
