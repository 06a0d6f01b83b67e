//! Exercise 9: a sum.

use harness::Server;

fn server() -> Server {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step3-multi-worker"));
    Server::start(command.env("THREADS", "3")).unwrap()
}

#[test]
fn the_sum_is_exact_however_many_numbers_there_are() {
    let server = server();
    for length in [0, 1, 2, 3, 4, 100_003] {
        let numbers: Vec<String> =
            (1..=length).map(|number: u64| number.to_string()).collect();
        let json = format!("[{}]", numbers.join(","));
        let response = server.post("/sum", "application/json", json);
        let sum = length * (length + 1) / 2;
        assert_eq!(
            (response.status().as_u16(), response.body().as_str()),
            (200, format!("Sum is {sum}").as_str()),
            "Not yet: the numbers from 1 to {length}"
        );
    }
}

#[test]
fn the_sum_may_be_larger_than_its_numbers_can_be() {
    let json = format!("[{0}, {0}, {0}, {0}]", u64::MAX);
    let response = server().post("/sum", "application/json", json);
    let sum = 4 * u128::from(u64::MAX);
    assert_eq!(response.body(), &format!("Sum is {sum}"), "Not yet");
}

#[test]
fn what_is_no_list_of_numbers_is_a_400() {
    let server = server();
    for wrong in ["[1, 2", "[1, \"two\"]", "[-1]", "{}"] {
        let response = server.post("/sum", "application/json", wrong);
        assert_eq!(response.status(), 400, "Not yet: {wrong}");
    }
}
