//! What step 4 teaches: threads are started once and reused.

use harness::Server;

fn counting_to(iterations: &str) -> Server {
    let mut command = harness::command(env!("CARGO_BIN_EXE_step4-worker-pool"));
    command.env("THREADS", "3");
    Server::start(command.env("ITERATIONS", iterations)).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_requests_at_once_start_no_extra_thread() {
    let server = counting_to("1_000_003");
    server.get("/blocking");
    let threads = server.threads();

    let pending: Vec<_> =
        (0..1_000).map(|_| server.open("/blocking")).collect();
    assert_eq!(server.threads(), threads, "no more and no fewer");
    for answer in pending.into_iter().map(|it| it.wait()) {
        assert!(answer.ends_with("Result is 1000003"), "{answer}");
    }
    assert_eq!(server.threads(), threads);
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_panics_ends_no_thread() {
    let server = counting_to("1000");
    server.get("/blocking");
    let threads = server.threads();
    for _ in 0..10 {
        assert_eq!(server.get("/failing").status(), 500);
    }
    assert_eq!(server.threads(), threads);
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
}

#[test]
fn jobs_wait_in_a_queue_and_are_done_in_order() {
    let server = counting_to("1_000_000_000");
    let first = server.send("/blocking");
    let second = server.send("/blocking");
    assert!(second.wait().ends_with("Result is 1000000000"));
    assert!(first.is_answered(), "the first request waits for no one");
}
