//! What step 2 teaches: a handler that awaits a thread leaves the server free.

use harness::Server;

fn counting_to(iterations: &str) -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step2-single-worker"));
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
