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
            assert_eq!(response.headers()["allow"], "GET");
        }
    }
}

#[test]
fn help_explains_every_flag_and_its_variable() {
    let help = help();
    for (flag, variable) in [
        ("--host <HOST>", "[env: HOST"),
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
    for name in ["HOST", "PORT", "ITERATIONS"] {
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
        refused(harness::command(PROGRAM).env("HOST", "192.0.2.1"));
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("192.0.2.1") && stderr.contains("HOST"));
}

#[cfg(unix)]
#[test]
fn sigterm_and_ctrl_c_let_a_running_request_be_answered() {
    for stop in [Server::terminate, Server::interrupt] {
        let server = counting_to("2_000_000_000");
        let running = server.send("/blocking");
        stop(&server);
        let answer = running.wait();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.ends_with("Result is 2000000000"), "{answer}");

        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    }
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
