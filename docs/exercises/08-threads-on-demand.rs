//! Exercise 8: threads on demand.

use harness::Server;
use serde_json::Value;

fn server() -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
    command.env("THREADS", "2");
    Server::start(command.env("ITERATIONS", "1_000_003")).unwrap()
}

#[test]
fn a_request_says_how_many_threads_count_for_it() {
    let server = server();
    for (path, threads) in [
        ("/blocking?threads=3", 3),
        ("/blocking?threads=64", 64),
        ("/blocking", 2),
    ] {
        let response = server.request("GET", path, "application/json");
        let json: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(json["threads"], threads, "Not yet: {path}");
        assert_eq!(json["result"], 1_000_003);
    }
}

#[test]
fn a_wrong_number_is_a_400_that_names_it() {
    let server = server();
    for wrong in ["0", "65", "-1", "many", "18446744073709551616"] {
        let response = server.get(&format!("/blocking?threads={wrong}"));
        assert_eq!(response.status(), 400, "Not yet: threads={wrong}");
        let text = response.body();
        assert!(text.contains(wrong), "Not yet: {text:?} lacks the value");
        assert!(text.contains("1 to 64"), "Not yet: what would {text:?} take?");
    }
}
