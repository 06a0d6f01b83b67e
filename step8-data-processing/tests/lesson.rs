//! What step 8 teaches: the job is data, which is cut, shared and merged. However
//! much there is, it takes no more memory.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::Shutdown,
    process::Command,
    thread,
};

use common::Table;
use harness::{Pending, Server, wait_for_event};
use serde_json::Value;

fn command(threads: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_step8-data-processing");
    let mut command = harness::command(program);
    command.env("THREADS", threads);
    command
}

fn server() -> Server {
    Server::start(&mut command("2")).unwrap()
}

/// The head of an upload with that length.
fn head(length: u64) -> String {
    format!(
        "POST /summary?id=it HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Uploads a file, and returns the response's status and body.
fn upload(server: &Server, file: &[u8]) -> (u16, String) {
    let mut pending = server.write(head(file.len() as u64));
    // It may be refused before all of it is sent.
    pending.stream().write_all(file).ok();
    split(&pending.wait())
}

fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").expect(answer);
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// That many rows; 200,000 are some four megabytes.
fn rows(count: u64) -> String {
    let mut file = String::new();
    for row in 0..count {
        let x = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let (name, tenths) = (x % 317, (x / 317 % 1_999) as i64 - 999);
        let sign = if tenths < 0 { "-" } else { "" };
        let tenths = tenths.abs();
        writeln!(
            file,
            "Städtchen {name};{sign}{}.{}",
            tenths / 10,
            tenths % 10
        )
        .unwrap();
    }
    file
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    let file = rows(100_000);
    // All in one piece, on one thread, without a server.
    let mut table = Table::default();
    assert_eq!(table.add(file.as_bytes()).unwrap(), 100_000);
    let expected = format!("{}\n", table.summary().unwrap());
    for threads in ["1", "2", "3", "7", "16"] {
        let server = Server::start(&mut command(threads)).unwrap();
        let (status, body) = upload(&server, file.as_bytes());
        assert_eq!((status, &body), (200, &expected), "{threads} threads");
    }
}

#[test]
fn the_result_comes_as_json_too() {
    let server = server();
    let file = "Oslo;-3.4\nAbha;59.2\nAbha;-23.0\nOslo;-3.5";
    let request = |accept: &str| {
        let pending = server.write(format!(
            "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Accept: {accept}\r\nContent-Length: {}\r\n\r\n{file}",
            file.len()
        ));
        pending.wait()
    };
    let text = "{Abha=-23.0/18.1/59.2, Oslo=-3.5/-3.4/-3.4}\n";
    assert!(request("*/*").ends_with(&format!("\r\n\r\n{text}")));
    let answer = request("application/json");
    assert!(answer.contains("content-type: application/json"), "{answer}");
    let report: Value = serde_json::from_str(&split(&answer).1).unwrap();
    assert_eq!(report["step"], "step8-data-processing");
    assert_eq!(report["rows"], 4);
    assert!(report["elapsed_ms"].as_f64() > Some(0.0));
    let abha = &report["names"][0];
    assert_eq!(abha["name"], "Abha");
    let figures = ["min", "mean", "max", "count"].map(|name| &abha[name]);
    let figures = figures.map(|it| it.as_f64().unwrap());
    assert_eq!(figures, [-23.0, 18.1, 59.2, 2.0]);
}

#[test]
fn the_first_bad_line_is_named_whichever_thread_finds_it() {
    let mut lines: Vec<String> =
        rows(70_000).lines().map(str::to_owned).collect();
    // The first one ends a long piece, the others begin theirs.
    for bad in [28_000, 29_000, 60_000, 69_999] {
        lines[bad] = "no value".into();
    }
    let file = lines.join("\n");
    for threads in ["1", "2", "7"] {
        let server = Server::start(&mut command(threads)).unwrap();
        let (status, body) = upload(&server, file.as_bytes());
        assert_eq!(status, 422);
        assert!(body.starts_with("Line 28001: expected "), "{body}");
        assert!(body.ends_with("begins with: no value"), "{body}");
    }
}

#[test]
fn a_file_without_measurements_is_refused_with_a_reason() {
    let server = server();
    let names: String = (0..10_001).map(|it| format!("{it};1.0\n")).collect();
    for (body, status, text) in [
        ("", 422, "The body is empty."),
        ("\n", 422, "Line 1: expected NAME;VALUE, "),
        ("a;1.0\r\n", 422, "Line 1: expected NAME;VALUE, "),
        ("a;1.0\n\na;1.0", 422, "Line 2: expected NAME;VALUE, "),
        (&names, 422, "expected at most 10000 names, but there are more"),
    ] {
        let (actual, reason) = upload(&server, body.as_bytes());
        assert_eq!(actual, status, "{reason}");
        assert!(reason.starts_with(text), "{reason}");
    }
    // Only forty characters of it, none of which a terminal obeys.
    let (_, reason) = upload(&server, &b"\x1b]0;title\x07".repeat(1_000));
    assert!(!reason.contains(['\x1b', '\x07']), "{reason:?}");
    assert!(reason.len() < 400, "{reason:?}");

    let encoded = "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n";
    let (status, reason) = split(&server.write(encoded).wait());
    assert_eq!(status, 415, "{reason}");
    for method in ["GET", "HEAD", "PUT"] {
        let answer = server.request(method, "/summary", "*/*");
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "POST", "{method}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_does_not_grow_with_the_file() {
    let server = server();
    let file = rows(200_000);
    upload(&server, file.as_bytes());
    let before = server.status("VmHWM:");
    let mut pending = server.write(head(20 * file.len() as u64));
    for _ in 0..20 {
        pending.stream().write_all(file.as_bytes()).unwrap();
    }
    assert_eq!(split(&pending.wait()).0, 200);
    // 64 megabytes without a line end.
    let (status, reason) = upload(&server, &vec![b'x'; 64 << 20]);
    assert_eq!(status, 422, "{reason}");
    let grown = server.status("VmHWM:") - before;
    assert!(grown < 8 * 1024, "{grown} KiB more for 90 MB");
}

#[test]
fn a_client_that_leaves_in_mid_upload_frees_its_slot() {
    let mut command = command("2");
    let server = Server::start(command.env("QUEUE", "1")).unwrap();
    let mut leaves = server.write(head(1_000_000_000));
    leaves.stream().write_all(rows(100_000).as_bytes()).unwrap();
    let event = wait_for_event(&server, |event| {
        event["running"][0]["done"].as_u64() > Some(0)
    });
    assert_eq!(event["running"][0]["id"], "it");
    assert_eq!(event["running"][0]["total"], 1_000_000_000);
    // Before it has sent anything.
    assert_eq!(split(&server.write(head(100)).wait()).0, 503);
    drop(leaves);
    let event = wait_for_event(&server, |event| event["cancelled"] == 1);
    assert_eq!(event["running"], Value::Array(Vec::new()));
    // The slot is free a moment after the event.
    let is_free = || upload(&server, b"a;1.0").0 == 200;
    harness::wait_for("a free slot", is_free);
}

#[test]
fn a_client_that_stops_sending_gets_408_and_frees_its_slot() {
    let mut command = command("2");
    command.env("QUEUE", "1").env("BODY_TIMEOUT", "1");
    let server = Server::start(&mut command).unwrap();
    let mut silent = server.write(head(100));
    silent.stream().write_all(b"a;1.0\n").unwrap();
    let (status, reason) = split(&silent.wait());
    assert_eq!(status, 408, "{reason}");
    assert_eq!(upload(&server, b"a;1.0").0, 200);
}

#[test]
fn many_uploads_at_once_are_each_answered() {
    let mut command = command("2");
    let server = Server::start(command.env("QUEUE", "4")).unwrap();
    let file = rows(60_000);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let all: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| upload(&server, file.as_bytes()).0))
            .collect();
        all.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    assert!(count(200) >= 4, "{statuses:?}");
    assert_eq!(count(200) + count(503), 16, "{statuses:?}");
}

#[cfg(unix)]
#[test]
fn an_upload_in_progress_is_finished_at_a_shutdown() {
    let server = server();
    let file = rows(100_000);
    let (first, rest) = file.as_bytes().split_at(file.len() / 2);
    let mut pending = server.write(head(file.len() as u64));
    pending.stream().write_all(first).unwrap();
    wait_for_event(&server, |it| it["running"][0]["done"].as_u64() > Some(0));
    server.terminate();
    let is_told = || server.stderr_so_far().contains("shutting down");
    harness::wait_for("the signal's line", is_told);
    assert!(!pending.is_answered());
    pending.stream().write_all(rest).unwrap();
    let (status, body) = split(&pending.wait());
    assert_eq!(status, 200, "{body}");
    assert_eq!(server.wait().status.code(), Some(0));
}

#[test]
fn a_body_of_unknown_length_is_read_to_its_end() {
    let server = server();
    let mut chunked: Pending = server.write(
        "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
    );
    for chunk in ["Oslo;1", ".0\nOs", "lo;2.0\n"] {
        let chunk = format!("{:x}\r\n{chunk}\r\n", chunk.len());
        chunked.stream().write_all(chunk.as_bytes()).unwrap();
    }
    chunked.stream().write_all(b"0\r\n\r\n").unwrap();
    let (status, body) = split(&chunked.wait());
    assert_eq!((status, &*body), (200, "{Oslo=1.0/1.5/2.0}\n"));
    wait_for_event(&server, |event| event["done"] == 1);

    // It ends too early; there is no one left to tell.
    let mut early = server.write(head(100));
    early.stream().write_all(b"Oslo;1.0\n").unwrap();
    early.stream().shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    early.stream().read_to_string(&mut answer).ok();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    wait_for_event(&server, |it| it["running"].as_array().unwrap().is_empty());
}

#[test]
fn each_upload_is_counted_once_by_how_it_ended() {
    let mut command = command("2");
    command.env("BODY_TIMEOUT", "1");
    let server = Server::start(&mut command).unwrap();
    let chunked = "POST /summary HTTP/1.1\r\nHost: x\r\n\
                   Transfer-Encoding: chunked\r\n\r\n9\r\nOslo;1.0\n\r\n";
    // There was nothing left to do, but the end of the body never came.
    let mut breaks = server.write(chunked);
    wait_for_event(&server, |event| event["running"][0]["total"] == 0);
    breaks.stream().shutdown(Shutdown::Both).unwrap();
    wait_for_event(&server, |event| event["cancelled"] == 1);
    // The same with a length.
    let mut breaks = server.write(head(100));
    breaks.stream().write_all(b"Oslo;1.0\n").unwrap();
    wait_for_event(&server, |event| event["running"][0]["total"] == 100);
    drop(breaks);
    wait_for_event(&server, |event| event["cancelled"] == 2);

    // The client is still there, but sends nothing more.
    let mut stalls = server.write(chunked);
    let mut response = [0; 12];
    stalls.stream().read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HTTP/1.1 408");
    assert_eq!(upload(&server, b"nonsense").0, 422);
    assert_eq!(upload(&server, b"Oslo;1.0").0, 200);
    let end = wait_for_event(&server, |event| event["done"] == 1);
    assert_eq!((&end["failed"], &end["cancelled"]), (&2.into(), &2.into()));
    assert_eq!(end["running"], Value::Array(Vec::new()));
}
