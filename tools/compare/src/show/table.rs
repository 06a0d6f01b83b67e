//! The tables on the terminal.

use std::iter::repeat_n;

use tabled::{
    Table,
    builder::Builder,
    settings::{
        Alignment, Padding, Span, Style, formatting::AlignmentStrategy,
        object::Columns, style::HorizontalLine,
    },
};
use textwrap::core::display_width;

use super::figures::{latencies, spread};
use crate::{
    results::{IN_TIME_MS, Results, Server},
    words::{self, NONE, percent, ratio},
};

/// All that is printed fits into so many columns.
pub const WIDTH: usize = 80;

/// A line of a name takes so many columns at most.
const NAME: usize = 19;

/// The servers, a row each; one that failed has a row that says so.
pub fn servers(results: &Results) -> String {
    let in_time = format!("<{}", words::tick(IN_TIME_MS));
    let head = [
        "server",
        "/blocking",
        "speed-up",
        "probes",
        "p50",
        "p99",
        "worst",
        &in_time,
    ];
    let mut builder = Builder::default();
    builder.push_record(head);
    let mut failed = Vec::new();
    for server in &results.servers {
        if !server.runs.is_empty() {
            builder.push_record(row(server));
        }
        if let Some(lacks) = server.lacks() {
            failed.push(builder.count_records());
            let text = format!("{} {lacks}", server.name);
            let rest = repeat_n(String::new(), head.len() - 1);
            builder.push_record([wrap(&text)].into_iter().chain(rest));
        }
    }
    let mut table = builder.build();
    style(&mut table);
    for row in failed {
        table.modify((row, 0), Span::column(head.len() as isize));
    }
    trimmed(&table)
}

fn row(server: &Server) -> [String; 8] {
    let (idle, during) = (latencies(server.idle), latencies(server.during));
    let two = |i: usize| format!("{}\n{}", idle[i], during[i]);
    [
        name(&server.name).join("\n"),
        spread(server.blocking).join("\n"),
        ratio(server.speed_up),
        "idle\nduring".into(),
        two(0),
        two(1),
        two(2),
        two(3),
    ]
}

/// Step 3 with more and more threads.
pub fn scaling(results: &Results) -> String {
    let mut builder = Builder::default();
    builder.push_record([
        "threads",
        "/blocking",
        "speed-up",
        "ideal",
        "efficiency",
        "",
    ]);
    let cores = results.machine.cores.unwrap_or(usize::MAX);
    for scaled in &results.scaling {
        let past = scaled.threads > cores;
        builder.push_record([
            scaled.threads.to_string(),
            spread(scaled.blocking).join("\n"),
            ratio(scaled.speed_up),
            format!("{}.00", scaled.threads),
            scaled.efficiency.map_or(NONE.into(), percent),
            match &scaled.error {
                Some(error) => wrap(error),
                None if past => "more threads than cores".into(),
                None => String::new(),
            },
        ]);
    }
    let mut table = builder.build();
    style(&mut table);
    trimmed(&table)
}

fn trimmed(table: &Table) -> String {
    let table = table.to_string();
    let lines: Vec<_> = table.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn style(table: &mut Table) {
    table
        .with(Style::empty().horizontals([(1, HorizontalLine::new('─'))]))
        .with(Padding::new(0, 1, 0, 0));
    table.modify(Columns::new(2..3), Alignment::right());
    table.modify(Columns::new(4..), Alignment::right());
    table.with(AlignmentStrategy::PerLine);
}

/// A name in the two lines that there are for it, cut off where they end.
pub fn name(name: &str) -> [String; 2] {
    let lines = textwrap::wrap(name, NAME);
    let mut lines = lines.into_iter().map(|line| line.into_owned());
    let [first, mut second] =
        [(); 2].map(|()| lines.next().unwrap_or_default());
    if lines.next().is_some() {
        // Some characters are two columns wide.
        while display_width(&second) >= NAME {
            second.pop();
        }
        second.push('…');
    }
    [first, second]
}

/// A text in lines of the width that there is, the others indented.
pub fn wrap(text: &str) -> String {
    // Names and paths with hyphens stay whole.
    let options = textwrap::Options::new(WIDTH - 1)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent("  ");
    textwrap::fill(text, options)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::samples::results;

    #[test]
    fn a_server_that_died_is_a_row_that_says_so() {
        let table = servers(&results());
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH));
        assert_snapshot!(table);
    }

    #[test]
    fn scaling_shows_what_threads_past_the_cores_bring() {
        let table = scaling(&results());
        assert!(table.lines().all(|line| line.chars().count() <= WIDTH));
        assert_snapshot!(table);
    }
}
