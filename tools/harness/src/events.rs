use std::{
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
