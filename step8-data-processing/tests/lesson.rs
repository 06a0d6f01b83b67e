//! What step 8 teaches: the job is data, which is cut, shared and merged. However
//! much there is, it takes no more memory.

use std::{
    io::{Read, Write},
    net::Shutdown,
};

use common::Table;
use harness::{Server, measurements, wait_for_event};
use serde_json::Value;

fn start(settings: &[(&str, &str)]) -> Server {
    let program = env!("CARGO_BIN_EXE_step8-data-processing");
    let mut command = harness::command(program);
    command.env("THREADS", "2").envs(settings.iter().copied());
    Server::start(&mut command).unwrap()
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

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    let file = measurements(100_000);
    // All in one piece, on one thread, without a server.
    let mut table = Table::default();
    assert_eq!(table.add(file.as_bytes()).unwrap(), 100_000);
    let expected = format!("{}\n", table.summary().unwrap());
    for threads in ["1", "2", "3", "7", "16"] {
        let server = start(&[("THREADS", threads)]);
        let (status, body) = upload(&server, file.as_bytes());
        assert_eq!((status, &body), (200, &expected), "{threads} threads");
    }
}

#[test]
fn the_result_comes_as_json_too() {
    let server = start(&[]);
    let file = "Oslo;-3.4\nAbha;59.2\nAbha;-23.0\nOslo;-3.5";
    let text = "{Abha=-23.0/18.1/59.2, Oslo=-3.5/-3.4/-3.4}\n";
    assert_eq!(upload(&server, file.as_bytes()).1, text);
    let length = file.len();
    let request = server.write(format!(
        "POST /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Accept: application/json\r\nContent-Length: {length}\r\n\r\n{file}"
    ));
    let answer = request.wait();
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
        measurements(70_000).lines().map(str::to_owned).collect();
    // The first one ends a long piece, the others begin theirs.
    for bad in [28_000, 29_000, 60_000, 69_999] {
        lines[bad] = "no value".into();
    }
    let file = lines.join("\n");
    for threads in ["1", "2", "7"] {
        let server = start(&[("THREADS", threads)]);
        let (status, body) = upload(&server, file.as_bytes());
        assert_eq!(status, 422);
        assert!(body.starts_with("Line 28001: expected "), "{body}");
        assert!(body.ends_with("begins with: no value"), "{body}");
    }
}

#[test]
fn a_file_without_measurements_is_refused_with_a_reason() {
    let server = start(&[]);
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
    let server = start(&[]);
    let file = measurements(200_000);
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
    let server = start(&[("QUEUE", "1")]);
    let mut leaves = server.write(head(1_000_000_000));
    leaves.stream().write_all(measurements(100_000).as_bytes()).unwrap();
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

#[cfg(unix)]
#[test]
fn an_upload_in_progress_is_finished_at_a_shutdown() {
    let server = start(&[]);
    let file = measurements(100_000);
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
    let server = start(&[]);
    let mut chunked = server.write(
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
}

#[test]
fn each_upload_is_counted_once_by_how_it_ended() {
    let server = start(&[("BODY_TIMEOUT", "1"), ("QUEUE", "1")]);
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
