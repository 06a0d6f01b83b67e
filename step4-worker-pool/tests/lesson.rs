//! What step 4 teaches: threads are started once, and a full server says so.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use harness::Server;
use serde_json::Value;

fn command() -> Command {
    harness::command(env!("CARGO_BIN_EXE_step4-worker-pool"))
}

fn counting_to(iterations: &str) -> Server {
    Server::start(command().env("ITERATIONS", iterations)).unwrap()
}

/// A figure of `GET /pool`.
fn figure(server: &Server, name: &str) -> u64 {
    let figures: Value =
        serde_json::from_str(server.get("/pool").body()).unwrap();
    figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"))
}

fn wait_for(server: &Server, name: &str, value: u64) {
    let start = Instant::now();
    while figure(server, name) != value {
        assert!(start.elapsed() < Duration::from_secs(60), "{name} {value}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn non_blocking_is_answered_while_blocking_runs() {
    let server = counting_to("20_000_000_000");
    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");
    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(!blocking.is_answered(), "the server's own thread is free");
}

#[test]
fn the_count_is_exact_for_any_number_of_threads() {
    for threads in ["1", "2", "3", "7", "64"] {
        let mut command = command();
        command.env("ITERATIONS", "1_000_003").env("THREADS", threads);
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000003");
        assert_eq!(figure(&server, "threads").to_string(), threads);
    }
}

#[test]
fn a_job_that_panics_is_a_500_and_the_pool_stays_whole() {
    let server =
        Server::start(command().env("ITERATIONS", "1000").env("THREADS", "2"))
            .unwrap();
    for _ in 0..10 {
        let response = server.get("/failing");
        assert_eq!(response.status(), 500);
        assert_eq!(response.body(), "The worker failed. The server goes on.");
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
    }
    assert_eq!(figure(&server, "failed"), 10);
    assert_eq!(figure(&server, "finished"), 10);
    assert_eq!(figure(&server, "threads"), 2);
    assert_eq!(figure(&server, "admitted"), 0);
    let stderr = server.kill().stderr;
    assert_eq!(stderr.matches("panics on purpose").count(), 10, "{stderr}");
}

#[test]
fn beyond_the_bound_a_request_is_refused_at_once() {
    let mut command = command();
    command.env("ITERATIONS", "20_000_000_000").env("QUEUE", "2");
    let server = Server::start(&mut command).unwrap();
    let admitted = [server.send("/blocking"), server.send("/blocking")];

    let refused = server.get("/blocking");
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(
        refused.body(),
        "No room for this request now. Try again later."
    );
    assert_eq!(server.get("/failing").status(), 503, "it needs the pool too");
    assert_eq!(figure(&server, "refused"), 2);
    assert_eq!(figure(&server, "admitted"), 2);
    assert!(!admitted[0].is_answered(), "refused before the others are done");
}

#[test]
fn a_client_that_leaves_keeps_its_place_until_its_work_ends() {
    let mut command = command();
    command.env("ITERATIONS", "2_000_000_000").env("QUEUE", "1");
    let server = Server::start(&mut command).unwrap();
    drop(server.send("/blocking"));
    assert_eq!(server.get("/blocking").status(), 503);
    wait_for(&server, "finished", 1);
    wait_for(&server, "busy", 0);
    let answer = server.get("/blocking");
    assert_eq!(answer.body(), "Result is 2000000000", "there is room again");
}

#[test]
fn a_wrong_queue_priority_or_time_out_is_named() {
    for (name, flag, value, accepted) in [
        ("QUEUE", "--queue", "0", "1 to 10000"),
        ("QUEUE", "--queue", "many", "1 to 10000"),
        ("SHUTDOWN_TIMEOUT", "--shutdown-timeout", "-1", "0 to 86400"),
        ("PRIORITY", "--priority", "high", "low, normal"),
    ] {
        let mut command = command();
        let error = Server::start(command.env(name, value)).unwrap_err();
        let harness::StartError::Ended { status, stderr, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(status.code(), Some(2));
        for part in [flag, name, &format!("'{value}'"), accepted] {
            assert!(stderr.contains(part), "no {part} in: {stderr}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_threads_of_the_pool_step_back_behind_the_servers_own() {
    for priority in ["low", "normal"] {
        let mut command = command();
        let server = Server::start(
            command.env("PRIORITY", priority).env("THREADS", "3"),
        )
        .unwrap();
        let said = format!("priority {priority}");
        assert!(server.line().contains(&said), "{}", server.line());
        server.get("/blocking?warm-up");

        let folder = format!("/proc/{}/task", server.id());
        let (mut pool, mut servers_own) = (Vec::new(), String::new());
        for task in std::fs::read_dir(folder).unwrap() {
            let path = task.unwrap().path().join("stat");
            let stat = std::fs::read_to_string(path).unwrap();
            // The name may hold spaces; 17 fields after it comes the niceness.
            let (name, rest) = stat.split_once(") ").unwrap();
            let nice = rest.split(' ').nth(16).unwrap().to_owned();
            if name.contains("(pool ") {
                pool.push(nice);
            } else {
                servers_own = nice;
            }
        }
        let expected = if priority == "low" { "19" } else { &servers_own };
        assert_eq!(pool, [expected; 3]);
    }
}

/// What a thousand clients got that all came at once.
fn a_thousand_at_once(server: &Server) -> (usize, usize) {
    let address = server.url().trim_start_matches("http://");
    let mut streams: Vec<TcpStream> = (0..1_000)
        .map(|_| TcpStream::connect(address).expect("accepted"))
        .collect();
    let request = "GET /blocking HTTP/1.1\r\nHost: x\r\n\r\n";
    for stream in &mut streams {
        stream.write_all(request.as_bytes()).expect("taken");
        stream.shutdown(Shutdown::Write).expect("open");
    }
    let (mut answered, mut refused) = (0, 0);
    for stream in &mut streams {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut answer = String::new();
        match stream.read_to_string(&mut answer) {
            Ok(_) if answer.contains("Result is ") => answered += 1,
            Ok(_) if answer.starts_with("HTTP/1.1 503 ") => refused += 1,
            Ok(_) => panic!("neither 200 nor 503: {answer:?}"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("a request hangs")
            }
            Err(error) => panic!("a connection was dropped: {error}"),
        }
    }
    (answered, refused)
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_connections_at_once_are_all_answered() {
    let mut command = command();
    command.env("ITERATIONS", "20_000_000").env("QUEUE", "8");
    let server = Server::start(&mut command).unwrap();
    server.get("/blocking");
    let threads = server.threads();

    let (answered, refused) = a_thousand_at_once(&server);
    assert_eq!(answered + refused, 1_000);
    assert!(answered >= 8, "{answered} answered, {refused} refused");
    assert!(refused > 0, "{answered} answered, {refused} refused");
    assert_eq!(server.threads(), threads, "not one more, not one less");

    assert_eq!(server.get("/blocking").body(), "Result is 20000000");
    assert_eq!(figure(&server, "admitted"), 0);
    assert_eq!(figure(&server, "refused"), refused as u64);
    assert_eq!(figure(&server, "finished"), answered as u64 + 2);
}

#[cfg(unix)]
#[test]
fn sigterm_under_load_finishes_what_was_admitted() {
    let mut command = command();
    command.env("ITERATIONS", "500_000_000").env("QUEUE", "4");
    let server = Server::start(&mut command).unwrap();
    let mut pending: Vec<_> =
        (0..8).map(|_| server.send("/blocking")).collect();
    server.terminate();
    let answers: Vec<String> = pending.drain(..).map(|p| p.wait()).collect();
    let count = |start: &str| {
        answers.iter().filter(|answer| answer.starts_with(start)).count()
    };
    assert!(count("HTTP/1.1 200 ") >= 4, "{answers:#?}");
    assert_eq!(
        count("HTTP/1.1 200 ") + count("HTTP/1.1 503 "),
        8,
        "{answers:#?}"
    );
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!ended.stderr.contains("not finished"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn past_the_time_out_the_unfinished_get_503_and_their_number_is_said() {
    let mut command = command();
    command.env("ITERATIONS", "1_000_000_000_000").env("QUEUE", "3");
    let server = Server::start(command.env("SHUTDOWN_TIMEOUT", "1")).unwrap();
    let pending: Vec<_> = (0..3).map(|_| server.send("/blocking")).collect();
    server.interrupt();
    for pending in pending {
        let answer = pending.wait();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(0));
    let said = "3 requests are not finished after 1s";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}
