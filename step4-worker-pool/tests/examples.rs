//! The same step with a library's pool: same routes, same responses.

use harness::Server;

const EXAMPLES: [&str; 3] = ["rayon", "web_block", "spawn_blocking"];

fn start(example: &str, settings: &[(&str, &str)]) -> Server {
    let mut command = harness::command(harness::program(example).unwrap());
    Server::start(command.envs(settings.iter().copied())).unwrap()
}

#[test]
fn each_answers_non_blocking_while_blocking_runs() {
    for example in EXAMPLES {
        let server = start(example, &[("ITERATIONS", "20_000_000_000")]);
        let blocking = server.send("/blocking");
        assert_eq!(server.get("/non-blocking").status(), 200);
        assert!(!blocking.is_answered(), "{example} is as bad as step 1");
    }
}

#[test]
fn each_returns_500_when_a_job_panics_and_keeps_running() {
    for example in EXAMPLES {
        let settings = [("ITERATIONS", "1_000_003"), ("THREADS", "3")];
        let server = start(example, &settings);
        for _ in 0..5 {
            assert_eq!(server.get("/failing").status(), 500, "{example}");
        }
        assert_eq!(server.get("/blocking").body(), "Result is 1000003");
    }
}

#[test]
fn with_a_semaphore_spawn_blocking_refuses_too() {
    let settings = [("ITERATIONS", "2_000_000_000"), ("QUEUE", "1")];
    let server = start("spawn_blocking", &settings);
    let blocking = server.send("/blocking");
    let refused = server.get("/blocking");
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(blocking.wait().ends_with("Result is 2000000000"));
    assert_eq!(server.get("/failing").status(), 500, "the slot is free");
}
