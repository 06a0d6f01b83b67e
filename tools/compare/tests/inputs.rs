//! Bad input: every option that is of no use, and every answer of a peer, given
//! to the real binary. What it says stands in the book.
#![cfg(target_os = "linux")] // Elsewhere the system says it in other words.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    process::Command,
    thread,
};

use compare::results::Results;
use harness::{Inputs, Outcome, Server, workspace};

/// Command lines, words apart by spaces.
const LINES: &[&str] = &[
    "--only=",
    "--only=step0",
    "--only=1",
    "--only=step1-blocking,",
    "--only=\u{fffd}",
    "--iterations=",
    "--iterations=0",
    "--iterations=-1",
    "--iterations=1e10",
    "--iterations=18446744073709551616",
    "--iterations=\u{fffd}",
    "--threads=",
    "--threads=0",
    "--threads=-1",
    "--threads=four",
    "--threads=1_0",
    "--threads=1025",
    "--threads=\u{fffd}",
    "--concurrency=0",
    "--concurrency=1.5",
    "--concurrency=1025",
    "--scaling=",
    "--scaling=1,two",
    "--scaling=1,,2",
    "--scaling=0",
    "--runs=0",
    "--runs=many",
    "--runs=1025",
    "--interval=0",
    "--interval=10ms",
    "--interval=1025",
    "--live-port=-1",
    "--live-port=65536",
    "--live-port=http",
    "--live-port=\u{fffd}",
    "--live=yes",
    "--quiet=yes",
    "--report=",
    "--report=/dev/null/there",
    "--url=",
    "--url=mine",
    "--url==http://localhost:8000",
    "--url=mine=localhost:8000",
    "--url=mine=http://",
    "--url=mine=https://localhost:8000",
    "--url=mine=ftp://localhost:8000",
    "--url=mine=http://localhost:65536",
    "--url=mine=http://localhost:http",
    "--url=mine=http://me:secret@localhost:8000",
    "--url=mine=http://localhost:8000/?q=1",
    "--url=mine=http://localhost:8000/#here",
    "--url=mine=http://\u{fffd}",
    "--url=step1-blocking=http://localhost:8000",
    "--url=a=http://localhost:8000 --url=a=http://localhost:8001",
    "--diff",
    "--diff 0",
    "--diff 1",
    "--diff 99",
    "--diff 2 2",
    "--diff 2 99",
    "--diff two",
    "--diff 1 2 3",
    "--diff -1",
    "--diff \u{fffd}",
    "--diff=",
    "--nope",
    "step1-blocking",
    "-- --live",
];

fn compare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.env_remove("ITERATIONS").env_remove("THREADS");
    command
}

/// The same, but with a byte that isn't UTF-8 for each mark of one.
fn raw(word: &str) -> OsString {
    let parts: Vec<&[u8]> = word.split('\u{fffd}').map(str::as_bytes).collect();
    OsString::from_vec(parts.join(&b'\xff'))
}

#[test]
fn every_bad_option_gets_what_the_book_says() {
    let mut inputs = Inputs::default();
    for line in LINES {
        let output = compare().args(line.split(' ').map(raw)).output().unwrap();
        assert!(output.stdout.is_empty(), "{line}");
        let line = line.replace('\u{fffd}', "\\xff");
        inputs.add(&line, "", &Outcome::of(&output));
    }
    for (variable, value) in [
        ("ITERATIONS", ""),
        ("ITERATIONS", "0"),
        ("THREADS", "many"),
        ("THREADS", "\u{fffd}"),
    ] {
        let output = compare().env(variable, raw(value)).output().unwrap();
        let value = value.replace('\u{fffd}', "\\xff");
        let input = format!("{variable}='{value}'");
        inputs.add(&input, "", &Outcome::of(&output));
    }
    inputs.check("options.md", 60);
}

#[test]
fn every_bad_variable_of_node_gets_what_the_book_says() {
    let mut inputs = Inputs::default();
    if !harness::has_node() {
        return;
    }
    let values = ["", "_", "0", "-1", "1e3", "1.5", "1_0", "99999999999999999"];
    for variable in ["PORT", "ITERATIONS", "THREADS"] {
        for value in values.into_iter().chain(["many", "\u{fffd}"]) {
            let mut command = harness::command("node");
            let stage = "tools/peers/node/node3-multi-worker.mjs";
            command.arg(workspace().join(stage)).env(variable, raw(value));
            if (variable, value) == ("PORT", "1_0") {
                continue; // Only root may have that one.
            }
            let mut outcome = Outcome::of_start(Server::start(&mut command));
            if outcome.gets == "serves" {
                outcome.says = "as with any other".into();
            }
            let value = value.replace('\u{fffd}', "\\xff");
            inputs.add(&format!("{variable}='{value}'"), "", &outcome);
        }
    }
    inputs.check("node.md", 25);
}

/// What `/non-blocking` and `/blocking` answer, and how that is called.
const PEERS: [(&str, &str, &str); 18] = [
    ("closes the connection", "", ""),
    ("isn't HTTP", "220 mail.example ready\r\n", ""),
    ("speaks HTTP/2", "\0\0\x12\x04\0\0\0\0\0", ""),
    ("isn't there: 404", "404 Not Found\r\n\r\nno such page", ""),
    ("fails: 500", "500 Internal Server Error\r\n\r\n", ""),
    ("is elsewhere: 301", "301 Moved\r\nLocation: /\r\n\r\n", ""),
    ("is a status of 99", "99 What\r\n\r\n", ""),
    ("is empty", "200 OK\r\n\r\n", ""),
    ("is another page", "200 OK\r\n\r\n<html>\nThis is another.", ""),
    ("is what a terminal obeys", "200 OK\r\n\r\n\x1b[2J\x1b]0;title\x07", ""),
    ("is cut off", "200 OK\r\nContent-Length: 99\r\n\r\nThis page", ""),
    ("has no good length", "200 OK\r\nContent-Length: -1\r\n\r\n", ""),
    (
        "has no good chunks",
        "200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        "",
    ),
    ("is a megabyte", "200 OK\r\n\r\n…", ""),
    ("counts to a word", FINE, "200 OK\r\n\r\nResult is many"),
    ("counts below zero", FINE, "200 OK\r\n\r\nResult is -1"),
    ("counts too far", FINE, "200 OK\r\n\r\nResult is 18446744073709551616"),
    ("closes the connection, for /blocking", FINE, ""),
];

const FINE: &str = "200 OK\r\n\r\nThis page is non-blocking.";

/// A server on a free port, until the test is over. Returns its address.
fn peer(non_blocking: &'static str, blocking: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut head =
                BufReader::new(&stream).lines().map_while(Result::ok);
            let line = head.next().unwrap_or_default();
            head.take_while(|line| !line.is_empty()).count();
            let answer = match line.contains(" /blocking ") {
                true => blocking,
                false => non_blocking,
            };
            let answer = answer.replace('…', &"x".repeat(1 << 20));
            let is_http = answer.starts_with(|it: char| it.is_ascii_digit())
                && !answer.starts_with("220 ");
            let begin = if is_http { "HTTP/1.1 " } else { "" };
            // A client that has gone doesn't want it.
            (&stream).write_all(format!("{begin}{answer}").as_bytes()).ok();
        }
    });
    address
}

#[test]
fn every_bad_peer_gets_what_the_book_says() {
    let mut inputs = Inputs::default();
    let report = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("inputs");
    let mut command = compare();
    command.args(["--only=step2-single-worker", "--iterations=1000"]);
    command.args(["--runs=1", "--quiet", "--report"]).arg(&report);
    let nowhere = ["127.0.0.1:1", "127.0.0.1:0", "no-such-name.invalid"];
    let places: Vec<(String, String)> = PEERS
        .iter()
        .map(|(name, first, then)| (str::to_owned(name), peer(first, then)))
        .chain(nowhere.map(|it| (format!("at {it}"), it.to_owned())))
        .collect();
    for (at, (_, address)) in places.iter().enumerate() {
        command.arg(format!("--url=p{at}=http://{address}"));
    }
    let output = command.output().unwrap();
    let results = fs::read(report.join("results.json")).unwrap();
    let results: Results = serde_json::from_slice(&results).unwrap();
    let code = output.status.code().unwrap();
    for ((name, address), server) in places.iter().zip(&results.servers[1..]) {
        let said = server.error.as_deref().unwrap_or_default();
        let said = said.replace(&format!("http://{address}"), "URL");
        let (said, _) =
            said.split_once(" information: ").unwrap_or((&said, ""));
        let gets = format!("exit {code}");
        inputs.add(name, "", &Outcome { gets, says: said.to_owned() });
    }
    inputs.check("peers.md", 20);
}
