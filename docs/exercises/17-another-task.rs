//! Exercise 17: another task.

use harness::Server;

fn sum_to(iterations: &str, threads: &str) -> String {
    let program = env!("CARGO_BIN_EXE_step9-many-machines");
    let mut command = harness::command(program);
    command.env("ITERATIONS", iterations).env("THREADS", threads);
    let server = Server::start(&mut command).unwrap();
    server.get("/sum").into_body()
}

#[test]
fn the_sum_is_exact_for_any_number_of_shares() {
    for threads in ["1", "2", "7"] {
        let sum = sum_to("1_000_003", threads);
        assert_eq!(sum, "Sum is 500003500006", "Not yet: {threads} shares");
    }
}

#[test]
fn no_number_has_the_sum_0() {
    assert_eq!(sum_to("0", "2"), "Sum is 0", "Not yet");
}
