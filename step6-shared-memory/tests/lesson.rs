//! What step 6 teaches: you can watch what threads share.

use std::io::Read;

use harness::{Pending, Server, events, running, wait_for_event};
use serde_json::Value;

fn start(iterations: &str, queue: &str) -> Server {
    let program = env!("CARGO_BIN_EXE_step6-shared-memory");
    let mut command = harness::command(program);
    command.env("ITERATIONS", iterations).env("QUEUE", queue);
    Server::start(command.env("THREADS", "2")).unwrap()
}

fn counting_to(iterations: &str) -> Server {
    start(iterations, "8")
}

#[test]
fn progress_never_goes_back_and_ends_at_the_total() {
    let server = counting_to("3_000_000_000");
    let events = events(server.open("/progress"));
    let request = server.open("/blocking?id=watched");
    let (mut done, mut looks) = (0, 0);
    for event in events {
        if let Some(request) = running(&event, "watched") {
            let before = done;
            done = request["done"].as_u64().expect("rounds");
            assert!(done >= before, "after {before}: {request}");
            assert!(done <= 3_000_000_000, "{request}");
            assert_eq!(request["total"], 3_000_000_000_u64);
            assert!(request["busy"].as_u64() <= Some(2), "{request}");
            looks += 1;
        } else if event["done"] == 1 {
            break;
        }
    }
    assert!(done > 0 && looks >= 2, "seen {looks} times while it ran");
    assert!(request.wait().ends_with("Result is 3000000000"));
    assert_eq!(wait_for_event(&server, |_| true)["failed"], 0);
}

#[test]
fn each_ending_is_counted() {
    let server = start("2_000_000_000", "1");
    assert_eq!(server.get("/failing").status(), 500);
    let request = server.send("/blocking?id=it");
    assert_eq!(server.get("/blocking").status(), 503);
    assert!(request.wait().ends_with("Result is 2000000000"));
    let end = wait_for_event(&server, |event| event["done"] == 1);
    assert_eq!((&end["failed"], &end["refused"]), (&1.into(), &1.into()));
    assert_eq!(end["running"], Value::Array(Vec::new()));
}

#[test]
fn nothing_of_a_query_but_the_name_is_shown() {
    let server = counting_to("2_000_000_000");
    let _it = server.open("/blocking?token=secret&id=a.b-C_1&mail=x@example");
    let event =
        wait_for_event(&server, |event| running(event, "a.b-C_1").is_some());
    let shown = event.to_string();
    assert!(!shown.contains("secret") && !shown.contains("example"), "{shown}");
    let gone = wait_for_event(&server, |event| event["done"] == 1);
    assert!(!gone.to_string().contains("a.b-C_1"), "{gone}");
}

#[test]
fn a_name_that_could_be_markup_or_a_book_is_refused() {
    let server = counting_to("1000");
    let long = "a".repeat(41);
    for bad in ["%3Cb%3E", "a%20b", "%E2%82%AC", "a%0Ab", "id=x", &long] {
        let response = server.get(&format!("/blocking?id={bad}"));
        assert_eq!(response.status(), 400, "{bad}");
        assert!(response.body().starts_with("id: expected at most 40"));
    }
    for good in ["", "?", "?id", "?id=", "?id=1&again", "?ID=%3Cb%3E"] {
        let response = server.get(&format!("/blocking{good}"));
        assert_eq!(response.status(), 200, "{good}");
    }
}

#[cfg(unix)]
#[test]
fn events_have_their_headers_and_for_an_old_client_no_chunks() {
    let server = counting_to("1000");
    let mut stream = server
        .write("GET /progress HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let mut head = [0; 400];
    let mut read = 0;
    while !String::from_utf8_lossy(&head[..read]).contains("data: ") {
        read += stream.stream().read(&mut head[read..]).unwrap();
    }
    server.terminate();
    let answer =
        String::from_utf8_lossy(&head[..read]).into_owned() + &stream.wait();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    for header in [
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert!(!head.contains("transfer-encoding"), "{head}");
    // In HTTP/1.0, close is the default.
    assert!(!head.contains("keep-alive"), "{head}");
    assert!(body.starts_with("data: {") && body.ends_with("}\n\n"), "{body}");
}

#[cfg(unix)]
#[test]
fn a_shutdown_ends_the_events_once_nothing_is_running() {
    let server = counting_to("1_000_000_000");
    let idle = server.open("/progress");
    let watched = events(server.open("/progress"));
    let request = server.send("/blocking?id=it");
    server.terminate();
    let last = watched.last().expect("the stream isn't cut off at once");
    assert_eq!(last["done"], 1);
    assert!(Pending::wait(idle).ends_with("\r\n0\r\n\r\n"), "a proper end");
    assert!(request.wait().ends_with("Result is 1000000000"));
    assert_eq!(server.wait().status.code(), Some(0));
}
