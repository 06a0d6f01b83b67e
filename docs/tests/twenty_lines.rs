//! The server that opens step 1 is twenty lines, and it freezes.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use docs::read;
use harness::skipped;

const SOURCE: &str = "docs/examples/twenty-lines.rs";

const ADDRESS: &str = "127.0.0.1:3000";

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn send(path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(ADDRESS).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n").unwrap();
    write!(stream, "Connection: close\r\n\r\n").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_is_short_and_the_loop_is_in_sight() {
    let source = read(SOURCE).unwrap();
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("//")
    };
    assert!(source.lines().filter(is_code).count() <= 22);
    assert!(source.contains("while n < ") && !source.contains("common"));
}

#[test]
fn who_comes_second_waits_for_the_loop() {
    if TcpStream::connect(ADDRESS).is_ok() {
        return skipped(
            "the twenty lines aren't tested: another program has port 3000; \
             stop it",
        );
    }
    let program =
        harness::program(env!("CARGO_PKG_NAME"), Some("twenty-lines"));
    let program = program.unwrap();
    let mut server = Running(Command::new(program).spawn().unwrap());
    while TcpStream::connect(ADDRESS).is_err() {
        assert!(server.0.try_wait().unwrap().is_none(), "it has ended");
        thread::sleep(Duration::from_millis(50));
    }

    let start = Instant::now();
    let blocking = send("/blocking");
    thread::sleep(Duration::from_millis(100));
    let second = answer(send("/non-blocking"));
    let until_second = start.elapsed();
    // On a slow machine it freezes for so long that actix-web takes the second
    // for a client that has said nothing for five seconds.
    let served = second.ends_with("This page is non-blocking.");
    assert!(served || second.contains(" 408 "), "{second}");
    assert!(answer(blocking).ends_with("Result is 1000000000"));
    // The two answers come one right after the other.
    assert!(start.elapsed() < 2 * until_second, "it didn't freeze");
    drop(server);
}

#[test]
fn the_chapter_shows_it_before_all_else() {
    let chapter = read("docs/chapters/step1.md").unwrap();
    let shown = chapter.find("examples/twenty-lines.rs").unwrap();
    for later in ["*polled*", "tokio", "step1-blocking/src/main.rs -->"] {
        assert!(shown < chapter.find(later).unwrap(), "{later}");
    }
}
