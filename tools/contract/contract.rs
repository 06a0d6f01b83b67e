//! What every step must do: the same file in every step.

use std::process::Command;

use harness::{Server, StartError};

const STEP: &str = env!("CARGO_PKG_NAME");
const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

/// The step, counting to so many.
fn counting_to(iterations: &str) -> Server {
    let mut command = harness::command(PROGRAM);
    Server::start(command.env("ITERATIONS", iterations)).unwrap()
}

/// What `--help` prints.
fn help() -> String {
    let output = harness::command(PROGRAM).arg("--help").output().unwrap();
    assert!(output.status.success(), "--help must end with exit status 0");
    String::from_utf8(output.stdout).unwrap()
}

/// The step's number.
fn number() -> u32 {
    STEP[4..].split('-').next().unwrap().parse().unwrap()
}

/// Whether the step has a route; it isn't called for that.
fn has(server: &Server, path: &str) -> bool {
    server.request("POST", path, "*/*").status() == 405
}

/// The step with a standard error that can't be written.
#[cfg(unix)]
fn unheard(iterations: &str, redirection: &str) -> Server {
    let mut command = harness::command("sh");
    command.args(["-c", &format!("exec \"$0\" {redirection}"), PROGRAM]);
    Server::start(command.env("ITERATIONS", iterations)).unwrap()
}

/// How the step ended that should not have started.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    match Server::start(command) {
        Ok(server) => panic!("it started: {}", server.line()),
        Err(StartError::Ended { status, stderr, .. }) => {
            assert!(!stderr.contains("panicked"), "{stderr}");
            (status.code(), stderr)
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn it_says_on_one_line_where_it_listens_and_what_it_was_started_with() {
    let server = counting_to("1_000");
    let begin = format!("{STEP} listening on http://127.0.0.1:");
    assert!(server.line().starts_with(&begin), "{}", server.line());
    assert!(server.line().contains("iterations 1000"), "{}", server.line());

    let line = server.line().to_owned();
    server.get("/blocking");
    let ended = server.kill();
    assert_eq!(ended.stdout.trim_end(), line, "nothing but that line");
    assert_eq!(ended.stderr, "", "nothing to complain about");
}

#[test]
fn non_blocking_answers_a_plain_text() {
    let response = counting_to("1000").get("/non-blocking");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.body(), "This page is non-blocking.");
}

#[test]
fn while_one_waits_another_is_served() {
    let server = counting_to("1000");
    let waiting = server.send("/waiting");
    assert_eq!(server.get("/non-blocking").status(), 200);
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
    assert!(!waiting.is_answered(), "it waits, and nobody waits for it");
    let answer = waiting.wait();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("This page waited for 3 seconds."));
}

#[test]
fn while_one_counts_another_is_served_from_step_2_on() {
    let server = counting_to("20_000_000_000");
    if number() >= 2 {
        let blocking = server.send("/blocking");
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert!(!blocking.is_answered(), "the server's own thread is free");
    }
}

#[test]
fn a_worker_that_panics_is_a_500_and_harms_nobody() {
    let server = counting_to("1000");
    assert_eq!(has(&server, "/failing"), number() >= 2);
    if number() < 2 {
        return;
    }
    for _ in 0..3 {
        let response = server.get("/failing");
        assert_eq!(response.status(), 500);
        assert_eq!(
            response.body(),
            "The worker failed; the server is still running."
        );
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
    }
    let stderr = server.kill().stderr;
    assert_eq!(stderr.matches("panics on purpose").count(), 3, "{stderr}");
}

#[test]
fn the_count_is_exact_for_any_number_of_threads() {
    for threads in ["1", "2", "3", "7", "64"] {
        let mut command = harness::command(PROGRAM);
        command.env("ITERATIONS", "1_000_003").env("THREADS", threads);
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000003");
    }
}

#[test]
fn head_is_get_without_the_work_and_the_body() {
    // Counting would take years.
    let server = counting_to(&u64::MAX.to_string());
    for path in ["/", "/page.js", "/page.css", "/page.svg", "/page.json"] {
        let head = server.request("HEAD", path, "*/*");
        let get = server.get(path);
        assert_eq!(head.status(), 200, "{path}");
        let fields =
            ["content-type", "cache-control", "x-content-type-options"];
        for field in fields {
            assert_eq!(head.headers()[field], get.headers()[field], "{path}");
        }
    }
    for (path, content_type) in [
        ("/non-blocking", "text/plain; charset=utf-8"),
        ("/waiting", "text/plain; charset=utf-8"),
        ("/blocking", "text/plain; charset=utf-8"),
        ("/failing", "text/plain; charset=utf-8"),
        ("/pool", "application/json"),
        ("/progress", "text/event-stream"),
    ] {
        if !has(&server, path) {
            continue;
        }
        let host = server.address();
        let answer = server.write(format!(
            "HEAD {path} HTTP/1.1\r\nHost: {host}\r\n\
             Connection: close\r\n\r\n"
        ));
        let answer = answer.wait().to_lowercase();
        assert!(answer.starts_with("http/1.1 200 ok\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "no body: {answer}");
        let content_type = format!("\r\ncontent-type: {content_type}\r\n");
        assert!(answer.contains(&content_type), "{path}: {answer}");
        // It isn't known without doing the work, so none is better than 0.
        assert!(!answer.contains("content-length"), "{path}: {answer}");
    }
    let json = server.request("HEAD", "/blocking", "application/json");
    assert_eq!(json.headers()["content-type"], "application/json");
    assert_eq!(json.headers()["vary"], "Accept");
    assert_eq!(server.request("HEAD", "/nothing", "*/*").status(), 404);
    assert_eq!(server.stderr_so_far(), "", "/failing wasn't called");
}

#[test]
fn q_0_means_not_this() {
    let server = counting_to("1000");
    for (accept, content_type) in [
        ("application/json;q=0", "text/plain; charset=utf-8"),
        ("*/*, application/json;q=0.000", "text/plain; charset=utf-8"),
        ("application/json;q=0.1, text/plain;q=0", "application/json"),
        ("text/*;q=0.3, application/*;q=0.4", "application/json"),
    ] {
        let response = server.request("GET", "/blocking", accept);
        assert_eq!(
            response.headers()["content-type"],
            content_type,
            "{accept}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_that_cannot_be_written_costs_no_answer() {
    // Full, and closed.
    for redirection in ["2>/dev/full", "2>&-"] {
        let server = unheard("1_000_000_000", redirection);
        if has(&server, "/failing") {
            assert_eq!(server.get("/failing").status(), 500);
        }
        let running = server.send("/blocking");
        server.terminate();
        let answer = running.wait();
        assert!(answer.ends_with("Result is 1000000000"), "{answer:?}");
        assert_eq!(server.wait().status.code(), Some(0), "{redirection}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_never_says_that_it_listens_before_it_has_what_its_threads_need() {
    // Too few for a server; with fewer than ten not even `main` is reached.
    for files in 10..30 {
        let mut command = harness::command("sh");
        let script = format!("ulimit -n {files}; exec \"$0\"");
        command.args(["-c", &script, PROGRAM]);
        match Server::start(&mut command) {
            Ok(server) => {
                assert!(files > 16, "{files} can't be enough");
                server.terminate();
                let ended = server.wait();
                assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
            }
            // With its own sentence, or a panic of tokio's or actix's.
            Err(StartError::Ended { status, stderr, .. }) => {
                assert_ne!(status.code(), Some(0), "{files}: {stderr}");
                assert!(stderr.contains("open files"), "{files}: {stderr}");
            }
            Err(error) => panic!("{files}: {error}"),
        }
    }
}

#[test]
fn a_variable_that_systems_export_does_not_open_it_to_the_network() {
    let mut command = harness::command(PROGRAM);
    let server = Server::start(command.env("HOST", "0.0.0.0")).unwrap();
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
}

/// With `unshare`, which needs to be allowed.
#[cfg(target_os = "linux")]
#[test]
fn it_serves_on_ipv6_where_there_is_no_ipv4() {
    let mut command = harness::command("unshare");
    let script = "ip link set lo up && ip addr del 127.0.0.1/8 dev lo && \
                  exec \"$0\" --host ::1";
    command.args(["-rn", "sh", "-c", script, PROGRAM]);
    match Server::start(&mut command) {
        Ok(server) => {
            let line = server.line();
            assert!(line.contains("listening on http://[::1]:"), "{line}");
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(STEP), "{error}");
        }
    }
}

#[test]
fn an_ipv6_address_stands_with_or_without_its_brackets() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // This machine has no IPv6.
    }
    for host in ["::1", "[::1]"] {
        let mut command = harness::command(PROGRAM);
        let server = Server::start(command.args(["--host", host])).unwrap();
        assert!(server.url().starts_with("http://[::1]:"), "{}", server.url());
        assert_eq!(server.get("/non-blocking").status(), 200);

        let (_, port) = server.url().rsplit_once(':').unwrap();
        let mut command = harness::command(PROGRAM);
        command.args(["--host", host]).env("PORT", port);
        let (status, stderr) = refused(&mut command);
        assert_eq!(status, Some(1), "{stderr}");
        let named = format!("can't listen on [::1]:{port}: ");
        assert!(stderr.contains(&named), "{stderr}");
    }
}

#[test]
fn blocking_answers_the_exact_count_and_how_long_it_took() {
    let response = counting_to("10_000_019").get("/blocking");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.body(), "Result is 10000019");

    let timing = response.headers()["server-timing"].to_str().unwrap();
    let duration = timing.strip_prefix("count;dur=").expect(timing);
    assert!(duration.parse::<f64>().expect(timing) > 0.0, "{timing}");
}

#[test]
fn blocking_answers_json_to_those_who_ask_for_it() {
    let server = counting_to("1234567");
    let response = server.request("GET", "/blocking", "application/json");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("server-timing"));

    let report: serde_json::Value =
        serde_json::from_str(response.body()).unwrap();
    assert_eq!(report["step"], STEP);
    assert_eq!(report["result"], 1_234_567);
    assert!(report["threads"].as_u64().unwrap() >= 1);
    assert!(report["elapsed_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(report.as_object().unwrap().len(), 4);
}

#[test]
fn counting_to_zero_is_an_answer_too() {
    assert_eq!(counting_to("0").get("/blocking").body(), "Result is 0");
}

#[test]
fn an_unknown_path_is_404_and_another_method_405() {
    let server = counting_to("1000");
    let response = server.get("/blockin");
    assert_eq!(response.status(), 404);
    assert!(response.body().contains("/blocking"), "it says what there is");
    assert_eq!(server.get("/blocking/").status(), 404);
    assert_eq!(server.get("/non-blocking?again=1").status(), 200);

    for path in ["/", "/blocking", "/non-blocking"] {
        for method in ["POST", "PUT", "DELETE"] {
            let response = server.request(method, path, "*/*");
            assert_eq!(response.status(), 405, "{method} {path}");
            assert_eq!(response.headers()["allow"], "GET, HEAD");
        }
    }
}

#[test]
fn help_explains_every_flag_and_its_variable() {
    let help = help();
    for (flag, variable) in [
        ("--host <ADDRESS>", "[default: 127.0.0.1]"),
        ("--port <PORT>", "[env: PORT"),
        ("--iterations <ITERATIONS>", "[env: ITERATIONS"),
    ] {
        assert!(help.contains(flag), "{flag} isn't in:\n{help}");
        assert!(help.contains(variable), "{variable} isn't in:\n{help}");
    }
    assert!(help.contains("[default: 10000000000]"), "{help}");
    assert!(help.contains("[default: 127.0.0.1]"), "{help}");
    assert!(help.contains("[default: 3000]"), "{help}");
}

#[test]
fn a_flag_counts_more_than_its_variable() {
    let mut command = harness::command(PROGRAM);
    command.env("ITERATIONS", "5").args(["--iterations", "7"]);
    let server = Server::start(&mut command).unwrap();
    assert_eq!(server.get("/blocking").body(), "Result is 7");
}

#[test]
fn a_wrong_setting_is_named_with_its_value_and_what_is_accepted() {
    let mut wrong = vec![
        ("PORT", "abc", "0 to 65535"),
        ("PORT", "65536", "0 to 65535"),
        ("PORT", "-1", "0 to 65535"),
        ("PORT", "3000 ", "0 to 65535"),
        ("ITERATIONS", "-1", "0 to 18446744073709551615"),
        ("ITERATIONS", "1e10", "0 to 18446744073709551615"),
        ("ITERATIONS", "ten", "0 to 18446744073709551615"),
        ("ITERATIONS", "18446744073709551616", "0 to 18446744073709551615"),
    ];
    if help().contains("--threads") {
        wrong.extend([
            ("THREADS", "0", "1 to 1024"),
            ("THREADS", "-4", "1 to 1024"),
            ("THREADS", "1.5", "1 to 1024"),
            ("THREADS", "four", "1 to 1024"),
            ("THREADS", "1025", "1 to 1024"),
        ]);
    }
    for (name, value, accepted) in wrong {
        let flag = format!("--{}", name.to_lowercase());
        let mut by_variable = harness::command(PROGRAM);
        by_variable.env(name, value);
        let mut by_flag = harness::command(PROGRAM);
        by_flag.args([&flag, value]);

        for command in [&mut by_variable, &mut by_flag] {
            let (status, stderr) = refused(command);
            assert_eq!(status, Some(2), "{name}={value}: {stderr}");
            for part in [&flag, name, &format!("'{value}'"), accepted] {
                assert!(stderr.contains(part), "no {part} in: {stderr}");
            }
        }
    }
}

#[test]
fn an_empty_setting_and_an_unknown_flag_are_refused() {
    for name in ["PORT", "ITERATIONS"] {
        let (status, stderr) = refused(harness::command(PROGRAM).env(name, ""));
        assert_eq!(status, Some(2), "{name}: {stderr}");
        assert!(stderr.contains(name), "{stderr}");
    }
    let mut unknown = vec!["--prot", "nonsense"];
    if !help().contains("--threads") {
        unknown.push("--threads=2");
    }
    for flag in unknown {
        let (status, stderr) = refused(harness::command(PROGRAM).arg(flag));
        assert_eq!(status, Some(2), "{flag}: {stderr}");
        let name = flag.split('=').next().unwrap();
        assert!(stderr.contains(name), "{stderr}");
    }
}

#[test]
fn a_variable_of_another_step_does_no_harm() {
    if !help().contains("--threads") {
        let mut command = harness::command(PROGRAM);
        Server::start(command.env("THREADS", "nonsense")).unwrap();
    }
}

#[test]
fn a_port_in_use_is_named_with_a_way_out() {
    let first = counting_to("1000");
    let (_, port) = first.url().rsplit_once(':').unwrap();
    let (status, stderr) = refused(harness::command(PROGRAM).env("PORT", port));
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
    assert!(stderr.contains("PORT="), "{stderr}");
    assert_eq!(first.get("/non-blocking").status(), 200);
}

#[test]
fn a_host_that_is_not_this_machine_is_named() {
    // 192.0.2.0/24 is for documentation: no machine has such an address.
    let (status, stderr) =
        refused(harness::command(PROGRAM).args(["--host", "192.0.2.1"]));
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("192.0.2.1") && stderr.contains("--host"));
}

#[cfg(unix)]
#[test]
fn sigterm_and_ctrl_c_let_a_running_request_be_answered() {
    let answers_first = |stop: fn(&Server)| {
        let server = counting_to("2_000_000_000");
        let waiting = server.send("/waiting");
        let running = server.send("/blocking");
        stop(&server);
        let answer = running.wait();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with("Result is 2000000000"), "{answer}");
        assert!(waiting.wait().starts_with("HTTP/1.1 200 OK"));

        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    };
    std::thread::scope(|both| {
        both.spawn(|| answers_first(Server::terminate));
        both.spawn(|| answers_first(Server::interrupt));
    });
}

#[cfg(unix)]
#[test]
fn an_idle_server_ends_when_it_is_asked_to() {
    let server = counting_to("1000");
    server.get("/non-blocking");
    server.terminate();
    assert_eq!(server.wait().status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_does_not_wait() {
    let server = counting_to("1_000_000_000_000");
    let _running = server.send("/blocking");
    server.interrupt();
    while !server.stderr_so_far().contains("Ctrl-C again") {
        std::thread::yield_now();
    }
    server.interrupt();
    assert_eq!(server.wait().status.code(), Some(130));
}
