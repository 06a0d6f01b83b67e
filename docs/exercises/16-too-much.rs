//! Exercise 16: too much.

use std::io::Write;

use harness::{Pending, Server};

fn server() -> Server {
    let program = env!("CARGO_BIN_EXE_step8-data-processing");
    let mut command = harness::command(program);
    Server::start(command.env("BODY_TIMEOUT", "1")).unwrap()
}

fn upload(server: &Server, header: &str) -> Pending {
    server.write(format!(
        "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         {header}\r\n\r\n"
    ))
}

fn assert_too_much(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 413 "), "Not yet: {answer}");
}

#[test]
fn who_says_that_it_is_too_much_is_told_at_once() {
    let server = server();
    let upload = upload(&server, "Content-Length: 1000000000");
    assert_too_much(&upload.wait());
}

#[test]
fn who_does_not_say_it_is_told_when_it_is_too_much() {
    let server = server();
    let mut upload = upload(&server, "Transfer-Encoding: chunked");
    let line = "Oslo;1.0\n";
    let chunk = line.repeat(1_000_000 / line.len());
    for _ in 0..11 {
        let chunk = format!("{:x}\r\n{chunk}\r\n", chunk.len());
        if upload.stream().write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    upload.stream().write_all(b"0\r\n\r\n").ok();
    assert_too_much(&upload.wait());
}

#[test]
fn what_is_not_too_much_is_summarised() {
    let server = server();
    let mut upload = upload(&server, "Content-Length: 8");
    upload.stream().write_all(b"Oslo;1.0").unwrap();
    let answer = upload.wait();
    assert!(answer.ends_with("{Oslo=1.0/1.0/1.0}\n"), "{answer}");
}
