//! The server that opens step 1 is twenty lines, and it freezes.
#![cfg(target_os = "linux")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

use docs::read;
use regex::bytes::Regex;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Runs it on this port of four digits, because its own may be in use.
fn start(port: u16) -> Running {
    let program = harness::program("twenty-lines");
    let bytes = fs::read(program.as_ref().unwrap()).unwrap();
    let bytes = Regex::new(r"127\.0\.0\.1:3000")
        .unwrap()
        .replace_all(&bytes, format!("127.0.0.1:{port}").as_bytes());
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twenty-lines");
    fs::copy(program.unwrap(), &copy).unwrap();
    fs::write(&copy, bytes).unwrap();
    Running(Command::new(copy).spawn().unwrap())
}

fn send(port: u16, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n").unwrap();
    write!(stream, "Connection: close\r\n\r\n").unwrap();
    stream
}

fn response(mut stream: TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn the_second_request_waits_for_the_loop() {
    let source = read("docs/examples/twenty-lines.rs").unwrap();
    let is_code = |it: &&str| !it.is_empty() && !it.starts_with("//");
    assert!(source.lines().filter(is_code).count() <= 22);
    assert!(source.contains("while n < ") && !source.contains("common"));

    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (5000..10_000).find(is_free).unwrap();
    let mut server = start(port);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(server.0.try_wait().unwrap().is_none(), "it has ended");
        thread::sleep(Duration::from_millis(5));
    }
    // It reads what came first before it freezes.
    let first = send(port, "/blocking");
    let second = response(send(port, "/non-blocking"));
    // On a slow machine it freezes for so long that actix-web takes the second
    // client for one that has sent nothing for five seconds.
    let served = second.ends_with("This page is non-blocking.");
    assert!(served || second.contains(" 408 "), "{second}");
    first.set_nonblocking(true).unwrap();
    assert!(first.peek(&mut [0]).is_ok(), "it didn't freeze");
    first.set_nonblocking(false).unwrap();
    assert!(response(first).ends_with("Result is 1000000000"));
}
