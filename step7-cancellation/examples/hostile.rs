//! What pictures that no camera makes cost the example `thumbnail`, and what
//! many large ones at once.

#[path = "../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // It measures single functions too.
mod figures;
#[path = "thumbnail/made.rs"]
#[allow(dead_code)] // Some are for the tests.
mod made;
#[path = "thumbnail/photo.rs"]
mod photo;

use std::{
    io::{Read, Write},
    path::PathBuf,
    sync::LazyLock,
    time::Instant,
};

use figures::{print, three_digits};
use harness::{Pending, Server};
use image::ImageFormat;
use made::{flag, hostile, written};
use photo::photo;
use serde_json::{Value, json};

fn main() {
    let (middle, large) = (photo(4000, 3000), photo(8000, 6000));
    let mut rows: Vec<_> = hostile(8)
        .iter()
        .map(|(what, status, _, picture)| row(what, picture, *status))
        .collect();
    rows.push(row("for comparison: a JPEG of 12 megapixels", &middle, 200));
    rows.push(row("a JPEG of 48 megapixels", &large, 200));
    rows.push(sixteen_at_once(&large));
    rows.push(among_slow_ones(&middle));
    let columns =
        ["what comes", "bytes", "answer", "time (ms)", "more memory (MiB)"];
    print("hostile", &columns, rows);
}

/// What a picture of its own server gets.
fn row(what: &str, picture: &[u8], expected: u16) -> Value {
    let server = start();
    let before = server.status("VmHWM:");
    let start = Instant::now();
    let status = end(begin(&server, picture, picture));
    assert_eq!(status, expected, "{what}");
    cells(what, picture, &status.to_string(), start, &server, before)
}

fn sixteen_at_once(picture: &[u8]) -> Value {
    let server = start();
    let before = server.status("VmHWM:");
    let start = Instant::now();
    let pending: Vec<_> =
        (0..16).map(|_| begin(&server, picture, picture)).collect();
    let answers: Vec<_> = pending.into_iter().map(end).collect();
    let made = answers.iter().filter(|it| **it == 200).count();
    let refused = answers.iter().filter(|it| **it == 503).count();
    let answers = format!("{made} × 200, {refused} × 503");
    let what = "sixteen of 48 megapixels at once";
    cells(what, picture, &answers, start, &server, before)
}

/// A picture while sixteen clients have each sent half of it, and go on later.
fn among_slow_ones(picture: &[u8]) -> Value {
    let server = start();
    let (half, rest) = picture.split_at(picture.len() / 2);
    let mut slow: Vec<_> =
        (0..16).map(|_| begin(&server, picture, half)).collect();
    let before = server.status("VmHWM:");
    let start = Instant::now();
    let status = end(begin(&server, picture, picture));
    let what = "one of 12 megapixels among sixteen slow uploads";
    let cells =
        cells(what, picture, &status.to_string(), start, &server, before);
    for slow in &mut slow {
        slow.stream().write_all(rest).expect("it is taken");
    }
    let answers: Vec<_> = slow.into_iter().map(end).collect();
    assert_eq!(answers, [200; 16], "the slow ones are answered too");
    cells
}

fn cells(
    what: &str,
    picture: &[u8],
    answer: &str,
    start: Instant,
    server: &Server,
    before: u64,
) -> Value {
    let time = start.elapsed().as_secs_f64() * 1e3;
    let grown = (server.status("VmHWM:") - before).div_ceil(1024);
    json!([what, picture.len(), answer, three_digits(time), grown])
}

/// A server that has had one picture: what it needs for the first isn't the
/// next one's.
fn start() -> Server {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        harness::program(env!("CARGO_PKG_NAME"), Some("thumbnail"))
            .unwrap_or_else(|error| panic!("{error}"))
    });
    let server =
        Server::start(&mut harness::command(&*PROGRAM)).expect("it starts");
    let small = written(flag(64, 64), ImageFormat::Jpeg);
    assert_eq!(end(begin(&server, &small, &small)), 200);
    server
}

/// Sends as much of a picture.
fn begin(server: &Server, picture: &[u8], part: &[u8]) -> Pending {
    let mut pending = server.write(format!(
        "POST /thumbnail?width=400 HTTP/1.1\r\nHost: x\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        picture.len()
    ));
    // It may be refused before it is sent.
    pending.stream().write_all(part).ok();
    pending
}

/// The status of what is answered.
fn end(mut pending: Pending) -> u16 {
    let mut answer = Vec::new();
    // What came before the connection broke is read all the same.
    pending.stream().read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    status.expect("there is an answer")
}
