//! What step 3 teaches: the work is divided, and the results are joined.

use harness::Server;

fn counting_to(iterations: &str) -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
    command.env("THREADS", "2");
    Server::start(command.env("ITERATIONS", iterations)).unwrap()
}

#[test]
fn non_blocking_is_answered_while_blocking_runs() {
    let server = counting_to("20_000_000_000");

    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");

    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(
        !blocking.is_answered(),
        "/non-blocking was answered last: did the server thread count, \
         or wait for the worker without `.await`?"
    );
}

#[test]
fn the_count_is_exact_for_any_number_of_threads() {
    for threads in ["1", "2", "3", "7", "64"] {
        let mut command =
            harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
        command.env("ITERATIONS", "1_000_003").env("THREADS", threads);
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000003");

        let json = server.request("GET", "/blocking", "application/json");
        let json: serde_json::Value =
            serde_json::from_str(json.body()).unwrap();
        assert_eq!(json["threads"].to_string(), threads);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn all_threads_are_started_before_the_first_is_awaited() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
    // No thread ends before all of them are counted.
    command.env("ITERATIONS", "1_000_000_000_000").env("THREADS", "7");
    let server = Server::start(&mut command).unwrap();
    // Once it has responded, the server has started all its own threads.
    server.get("/non-blocking");
    let before = server.threads();

    let _blocking = server.send("/blocking");
    // Once it has responded to this too, it has started the threads of /blocking.
    server.get("/non-blocking");
    assert_eq!(
        server.threads() - before,
        7,
        "each share needs a thread that runs while the others do"
    );
}

#[test]
fn a_worker_that_panics_gives_500_and_the_server_keeps_running() {
    let server = counting_to("1000");
    for _ in 0..3 {
        let response = server.get("/failing");
        assert_eq!(response.status(), 500);
        assert_eq!(
            response.body(),
            "The worker failed; the server is still running."
        );
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert_eq!(server.get("/blocking").body(), "Result is 1000");
    }
    let stderr = server.kill().stderr;
    assert_eq!(stderr.matches("panics on purpose").count(), 3, "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_cannot_be_started_gives_503() {
    let server = counting_to("1000");
    assert_eq!(server.get("/non-blocking").status(), 200);

    server.limit_memory(Some(1024 * 1024));
    let response = server.get("/blocking");
    assert_eq!(response.status(), 503);
    assert_eq!(
        response.body(),
        "The server can't start another thread right now."
    );
    assert_eq!(server.get("/non-blocking").status(), 200);

    server.limit_memory(None);
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
    let stderr = server.kill().stderr;
    assert!(stderr.contains("can't start a worker: "), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn if_only_some_threads_can_be_started_the_response_is_503_too() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
    // No thread ends and frees its memory before the last one is started.
    command.env("ITERATIONS", "1_000_000_000_000").env("THREADS", "1024");
    let server = Server::start(&mut command).unwrap();

    server.limit_memory(Some(50 * 1024 * 1024));
    assert_eq!(server.get("/blocking").status(), 503);

    server.limit_memory(None);
    assert_eq!(server.get("/failing").status(), 500, "a thread was started");
}

#[cfg(target_os = "linux")]
#[test]
fn by_default_it_has_at_most_one_thread_per_usable_core() {
    let mut there = std::process::Command::new("taskset");
    if there.arg("--version").output().is_err() {
        return harness::skipped(
            "whether it respects its cores isn't tested, because taskset is \
             missing; install util-linux",
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find(|it| it.starts_with("Cpus_allowed_list"));
    let cores = allowed.unwrap().split_whitespace().nth(1).unwrap();
    let first = cores.split([',', '-']).next().unwrap();

    let mut command = harness::command("taskset");
    command.args(["--cpu-list", first]);
    command.arg(env!("CARGO_BIN_EXE_step3-multi-worker"));
    let server = Server::start(&mut command).unwrap();
    assert!(server.line().contains("threads 1)"), "{}", server.line());
}
