//! The timeline on the terminal: a lane per server, on one time axis.

use super::{WIDTH, table::LONGEST_NAME};
use crate::{
    format::{sanitized, short},
    results::{IN_TIME_MS, Probe, Results},
};

/// A line begins with the lane's name, or with as many spaces.
const NAME: usize = LONGEST_NAME + 2;

/// The rest of the line.
const COLUMNS: usize = WIDTH - NAME;

/// What the marks mean.
const LEGEND: &str =
    "▁ under 10 ms  ▃ under 100 ms  ▅ under 1 s  █ 1 s and more  ✗ no answer";

/// The last run of every server that has been measured; empty if there is none.
pub fn timeline(results: &Results) -> String {
    let servers = results.servers.iter();
    let lanes =
        servers.filter_map(|server| Some((server, server.runs.last()?)));
    let lanes: Vec<_> = lanes.collect();
    if lanes.is_empty() {
        return String::new();
    }
    let longest = lanes.iter().map(|(_, run)| run.until_ms).fold(0.0, f64::max);
    let column = |ms: f64| {
        let part = (ms / longest + 0.1) / 1.2;
        ((part * COLUMNS as f64) as usize).min(COLUMNS - 1)
    };
    let mut lines = Vec::new();
    for (server, run) in lanes {
        // The slowest of those that began in a column's time.
        let mut marks = [' '; COLUMNS];
        for probe in &run.probes {
            let place = &mut marks[column(probe.at_ms)];
            *place = mark(probe).max(*place);
        }
        let name = sanitized(&server.name, LONGEST_NAME);
        lines.push(format!("{name:NAME$}{}", String::from_iter(marks)));
        let (start, end) = (column(0.0), column(run.until_ms));
        let label = format!("━ /blocking {} ", short(run.until_ms));
        let bar = format!("{label:━<width$}", width = end - start);
        lines.push(format!("{:1$}{bar}", "", NAME + start));
    }
    lines.push(LEGEND.into());
    lines.join("\n")
}

/// The slower, the greater, as a character too.
fn mark(probe: &Probe) -> char {
    match probe.latency_ms {
        Some(..IN_TIME_MS) => '▁',
        Some(..100.0) => '▃',
        Some(..1_000.0) => '▅',
        Some(_) => '█',
        None => '✗',
    }
}
