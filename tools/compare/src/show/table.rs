//! The tables on the terminal.

use textwrap::core::display_width;

use super::{
    figures::{latencies, spread},
    findings::lacks,
};
use crate::{
    format::{NONE, percent, ratio, tick},
    results::{IN_TIME_MS, Results, Server},
};

/// All output fits into this many columns.
pub const WIDTH: usize = 80;

/// A line of a name takes at most this many columns.
const NAME: usize = 19;

/// Rows of cells. The first is the head. A cell may have several lines; a row
/// with one cell spans all columns.
pub type Rows = Vec<Vec<String>>;

/// One row per server, and one more for a failure.
pub fn servers(results: &Results) -> Rows {
    let head = ["server", "/blocking", "speed-up", "probes", "p50", "p99"];
    let last = ["worst".into(), format!("<{}", tick(IN_TIME_MS))];
    let head: Vec<_> = head.map(String::from).into_iter().chain(last).collect();
    let mut rows = vec![head];
    for server in &results.servers {
        if !server.runs.is_empty() {
            rows.push(row(server));
        }
        if let Some(lacks) = lacks(server) {
            rows.push(vec![format!("{} {lacks}", server.name)]);
        }
    }
    rows
}

fn row(server: &Server) -> Vec<String> {
    let idle = latencies(server.idle).into_iter();
    let both = idle.zip(latencies(server.during));
    let both = both.map(|(idle, during)| format!("{idle}\n{during}"));
    let blocking = spread(server.blocking).join("\n");
    let probes = "idle\nduring".into();
    let first = [name(&server.name), blocking, ratio(server.speed_up), probes];
    first.into_iter().chain(both).collect()
}

/// Step 3 with more and more threads.
pub fn scaling(results: &Results) -> Rows {
    let head = ["threads", "/blocking", "speed-up", "", "ideal", "efficiency"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for scaled in &results.scaling {
        rows.push(vec![
            scaled.threads.to_string(),
            spread(scaled.blocking).join("\n"),
            ratio(scaled.speed_up),
            String::new(),
            format!("{}.00", scaled.threads),
            scaled.efficiency.map_or(NONE.into(), percent),
        ]);
        match &scaled.error {
            Some(error) => rows.push(vec![error.clone()]),
            None if scaled.threads > results.machine.cores => {
                rows.push(vec!["more threads than there are cores".into()]);
            }
            None => (),
        }
    }
    rows
}

/// The rows as a table on the terminal.
pub fn table(rows: &Rows) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > 1);
        let lines = cells.flat_map(|row| row[column].lines());
        lines.map(display_width).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let mut lines = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        if let [text] = &row[..] {
            lines.push(wrap(text));
            continue;
        }
        let height = row.iter().map(|cell| cell.lines().count()).max();
        for i in 0..height.unwrap_or(0) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let text = cell.lines().nth(i).unwrap_or("");
                let gap = widths[column].saturating_sub(display_width(text));
                let gap = " ".repeat(gap);
                // Measurements are aligned at the right.
                line += &match column {
                    2 | 4.. => format!("{gap}{text} "),
                    _ => format!("{text}{gap} "),
                };
            }
            lines.push(line.trim_end().to_owned());
        }
        if number == 0 {
            let all = widths.iter().map(|width| width + 1).sum();
            lines.push("─".repeat(all));
        }
    }
    lines.join("\n")
}

/// A name in as many lines as it needs.
pub fn name(name: &str) -> String {
    textwrap::fill(name, NAME)
}

/// A text in lines that fit, all but the first indented.
pub fn wrap(text: &str) -> String {
    // Names and paths with hyphens stay whole.
    let options = textwrap::Options::new(WIDTH - 1)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent("  ");
    textwrap::fill(text, options)
}
