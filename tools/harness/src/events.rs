use std::{
    fmt::Write,
    io::{BufRead, BufReader},
    iter,
    time::Instant,
};

use serde_json::Value;

use crate::{PATIENCE, Pending, Server};

/// The data of server-sent events as they arrive, as JSON. Comments are
/// skipped; the end of the stream ends the iterator.
///
/// # Panics
/// When the connection breaks, no event comes for a minute, or an event's data
/// isn't JSON.
pub fn events(stream: Pending) -> impl Iterator<Item = Value> {
    let mut lines = BufReader::new(stream.stream).lines();
    iter::from_fn(move || {
        let start = Instant::now();
        lines.find_map(|line| {
            // Comments never end.
            assert!(start.elapsed() < PATIENCE, "no event for a minute");
            let line = line.expect("the stream continues or ends");
            let data = line.strip_prefix("data: ")?;
            Some(serde_json::from_str(data).expect(data))
        })
    })
}

/// Waits for an event of `/progress` that is as wanted. Returns it.
///
/// # Panics
/// When the stream ends, or no event comes for a minute.
pub fn wait_for_event(
    server: &Server,
    wanted: impl FnMut(&Value) -> bool,
) -> Value {
    let mut events = events(server.open("/progress"));
    events.find(wanted).expect("the stream doesn't end")
}

/// What an event of `/progress` contains about the request with this name.
pub fn running<'a>(event: &'a Value, id: &str) -> Option<&'a Value> {
    let running = event["running"].as_array().expect("a list");
    running.iter().find(|request| request["id"] == id)
}

/// That many lines for `/summary`; 200,000 are some four megabytes.
pub fn measurements(lines: u64) -> String {
    let mut file = String::new();
    for line in 0..lines {
        let x = line.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let (name, value) = (x % 317, x / 317 % 100);
        let sign = if x % 3 == 0 { "-" } else { "" };
        writeln!(file, "Städtchen {name};{sign}{value}.{}", x % 10)
            .expect("a string takes all");
    }
    file
}
