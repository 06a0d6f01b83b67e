//! Numbers as the tables show them: in the terminal, the report, the book.

use crate::{
    format::{NONE, percent, short},
    results::{Latencies, Spread},
};

/// The median; from the least to the greatest.
pub fn spread(spread: Option<Spread>) -> [String; 2] {
    let Some(Spread { median_ms, min_ms, max_ms }) = spread else {
        return [NONE.into(), String::new()];
    };
    let (min, max) = (short(min_ms), short(max_ms));
    let range = match (min.split_once(' '), max.split_once(' ')) {
        (Some((min, unit)), Some((_, same))) if unit == same => {
            format!("{min}–{max}")
        }
        _ => format!("{min}–{max}"),
    };
    [short(median_ms), range]
}

/// The 50th and 99th percentile, the worst, and the share in time.
pub fn latencies(latencies: Option<Latencies>) -> [String; 4] {
    let Some(latencies) = latencies else {
        return [NONE; 4].map(Into::into);
    };
    let [p50, p99, worst] = match latencies.answered {
        Some(it) => [it.p50_ms, it.p99_ms, it.worst_ms].map(short),
        None => [NONE; 3].map(Into::into),
    };
    [p50, p99, worst, percent(latencies.in_time_share())]
}
