//! The tables: on the terminal, in the report, in the book.

use crate::{
    format::{sanitized, short},
    results::{Results, Times},
};

/// The longest name, in characters; the rest is cut off.
pub const LONGEST_NAME: usize = 21;

/// The head of [`servers`].
pub const SERVERS: [&str; 6] =
    ["server", "/blocking", "speed-up", "p50", "p99", "worst"];

/// What its columns show.
pub const EXPLAINED: &str = "/blocking: median (least–greatest); \
    /non-blocking while it ran: p50, p99, worst";

/// The head of [`scaling`].
pub const SCALING: [&str; 4] =
    ["threads", "/blocking", "speed-up", "efficiency"];

/// A row per server that was measured.
pub fn servers(results: &Results) -> Vec<[String; 6]> {
    let servers = results.servers.iter();
    let measured = servers.filter(|server| !server.runs.is_empty());
    let row = measured.map(|server| {
        let latencies = server.latencies();
        let [p50, p99, worst] = [50, 99, 100].map(|percent| {
            let times = latencies.as_ref();
            or_none(times.map(|times| short(times.percentile(percent))))
        });
        let name = sanitized(&server.name, LONGEST_NAME);
        let speed_up = ratio(results.speed_up(server));
        [name, spread(server.blocking()), speed_up, p50, p99, worst]
    });
    row.collect()
}

/// A row per number of threads of step 3. The efficiency is the speed-up per
/// thread: 1 is ideal.
pub fn scaling(results: &Results) -> Vec<[String; 4]> {
    let row = results.scaling.iter().map(|scaled| {
        let speed_up = results.scaled_speed_up(scaled);
        [
            scaled.threads.to_string(),
            spread(scaled.blocking()),
            ratio(speed_up),
            ratio(speed_up.map(|it| it / scaled.threads as f64)),
        ]
    });
    row.collect()
}

fn or_none(figure: Option<String>) -> String {
    figure.unwrap_or("–".into())
}

fn ratio(ratio: Option<f64>) -> String {
    or_none(ratio.map(|ratio| format!("{ratio:.2}")))
}

/// The median, and from the least to the greatest.
fn spread(times: Option<Times>) -> String {
    or_none(times.map(|times| {
        let median = short(times.median());
        let [min, max] =
            [0, 100].map(|percent| short(times.percentile(percent)));
        let least = match (min.split_once(' '), max.split_once(' ')) {
            (Some((number, unit)), Some((_, same))) if unit == same => number,
            _ => &min,
        };
        format!("{median} ({least}–{max})")
    }))
}

/// A table as plain text: measurements are aligned at the right.
pub fn text<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(String::from);
    let mut widths = head.each_ref().map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    let rule = widths.map(|width| "─".repeat(width)).join("─");
    let mut lines = vec![line(&head), rule];
    lines.extend(rows.iter().map(line));
    lines.join("\n")
}
