use std::{
    io::{BufRead, BufReader, Read},
    iter,
    time::Instant,
};

use serde_json::Value;

use crate::{PATIENCE, Pending};

/// The data of server-sent events as they arrive, as JSON. Comments are
/// skipped; the end of the stream ends the iterator.
///
/// # Panics
/// When the connection breaks, no event comes for a minute, or an event's data
/// isn't JSON.
pub fn events(mut stream: Pending) -> impl Iterator<Item = Value> {
    let stream = stream.stream().try_clone().expect("it is open");
    let mut lines = lines(stream);
    iter::from_fn(move || {
        let start = Instant::now();
        lines.find_map(|line| {
            // Comments never end.
            assert!(start.elapsed() < PATIENCE, "no event for a minute");
            let data = line.strip_prefix("data: ")?;
            Some(serde_json::from_str(data).expect(data))
        })
    })
}

fn lines(stream: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(stream).lines();
    lines.map(|line| line.expect("the stream continues or ends"))
}
