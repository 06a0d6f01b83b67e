//! The timeline on the terminal: a lane per server, on one time axis.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use super::{WIDTH, table::LONGEST_NAME};
use crate::{
    format::{sanitized, short, tick},
    results::{IN_TIME_MS, Probe, Results, Run, Server},
};

/// How much is shown of the time before /blocking is sent, at most.
const BEFORE_MS: f64 = 500.0;

/// How much is shown of the time after /blocking was answered, at most.
const AFTER_MS: f64 = 300.0;

/// A line begins with the lane's name, or with as many spaces.
const NAME: usize = LONGEST_NAME + 2;

/// The rest of the line.
const COLUMNS: usize = WIDTH - NAME;

/// How long a client waited. Slower is higher, and redder.
pub struct Wait {
    /// Its class in the chart.
    pub class: &'static str,
    /// What it means.
    pub meaning: &'static str,
    mark: char,
    color: AnsiColor,
}

/// All of them, from short to long: it isn't noticed; it still seems immediate
/// (<https://www.nngroup.com/articles/response-times-3-important-limits/>); it is
/// noticed; the thread of thought is lost.
pub const WAITS: [Wait; 5] = [
    wait("in-time", "under 10 ms", '▁', AnsiColor::Green),
    wait("short", "under 100 ms", '▃', AnsiColor::Yellow),
    wait("long", "under 1 s", '▅', AnsiColor::Magenta),
    wait("frozen", "1 s and more", '█', AnsiColor::Red),
    wait("failed", "no answer", '×', AnsiColor::BrightRed),
];

const fn wait(
    class: &'static str,
    meaning: &'static str,
    mark: char,
    color: AnsiColor,
) -> Wait {
    Wait { class, meaning, mark, color }
}

/// The index in [`WAITS`] of how long a probe waited.
pub fn wait_of(probe: &Probe) -> usize {
    match probe.latency_ms {
        Some(..IN_TIME_MS) => 0,
        Some(..100.0) => 1,
        Some(..1_000.0) => 2,
        Some(_) => 3,
        None => 4,
    }
}

/// The time that is shown: in milliseconds since /blocking was sent.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: f64,
    pub to: f64,
}

impl Span {
    /// From a little before the first until a little after the last.
    pub fn new(lanes: &[(&Server, &Run)]) -> Self {
        let runs = lanes.iter().map(|(_, run)| run.until_ms);
        let end = runs.fold(0.0, f64::max);
        // Don't lose short runs among what comes before and after.
        let before = (end / 5.0).min(BEFORE_MS);
        Self { from: -before, to: end + before.min(AFTER_MS) }
    }

    /// Where a moment lies: 0 at the beginning, 1 at the end.
    pub fn part(&self, ms: f64) -> f64 {
        (ms - self.from) / (self.to - self.from)
    }

    /// Up to six round moments from zero on.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let rough = self.to / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let last = (self.to / step) as u32;
        (0..=last).map(move |n| f64::from(n) * step)
    }
}

/// The servers that have been measured, each with its most typical run.
pub fn lanes(results: &Results) -> Vec<(&Server, &Run)> {
    let servers = results.servers.iter();
    let lane = servers.filter_map(|server| Some((server, server.usual_run()?)));
    lane.collect()
}

/// The lanes of all servers that have been measured, and what the marks mean.
pub fn timeline(results: &Results) -> String {
    let lanes = lanes(results);
    if lanes.is_empty() {
        return String::new();
    }
    let span = Span::new(&lanes);
    let mut lines = vec![format!("{:NAME$}{}", "", axis(span))];
    for (server, run) in lanes {
        let name = sanitized(&server.name, LONGEST_NAME);
        lines.push(format!("{name:NAME$}{}", marks(run, span)));
        lines.push(format!("{:NAME$}{}", "", bar(run, span)));
    }
    lines.push(WAITS.map(|wait| mark(&wait) + " " + wait.meaning).join("  "));
    lines.join("\n")
}

fn axis(span: Span) -> String {
    let mut line = String::new();
    for ms in span.ticks() {
        let (label, column) = (tick(ms), column(ms, span));
        // Not a part of it.
        if column + label.len() <= COLUMNS {
            line = format!("{line:column$}{label}");
        }
    }
    line
}

/// A mark per column: the longest wait of those that began in its time.
fn marks(run: &Run, span: Span) -> String {
    let mut longest = [None; COLUMNS];
    for probe in &run.probes {
        if (span.from..span.to).contains(&probe.at_ms) {
            let place = &mut longest[column(probe.at_ms, span)];
            *place = (*place).max(Some(wait_of(probe)));
        }
    }
    let mark = |wait: Option<usize>| match wait {
        Some(wait) => mark(&WAITS[wait]),
        None => " ".into(),
    };
    longest.into_iter().map(mark).collect()
}

/// A bar that is as long as /blocking ran.
fn bar(run: &Run, span: Span) -> String {
    let (start, end) = (column(0.0, span), column(run.until_ms, span));
    let label = format!(" /blocking {} ", short(run.until_ms));
    let length = (end - start).max(1);
    let line = if length > label.chars().count() + 2 {
        format!("{label:━^length$}")
    } else {
        format!("{}{label}", "━".repeat(length))
    };
    format!("{:start$}{}", "", painted(line.trim_end(), AnsiColor::Blue))
}

fn column(ms: f64, span: Span) -> usize {
    let column = (span.part(ms) * COLUMNS as f64) as usize;
    column.min(COLUMNS - 1)
}

fn mark(wait: &Wait) -> String {
    painted(wait.mark, wait.color)
}

fn painted(text: impl Display, color: AnsiColor) -> String {
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_ticks_from_zero() {
        let ticks = |to| Span { from: 0.0, to }.ticks().collect::<Vec<_>>();
        assert_eq!(ticks(3_300.0), [0.0, 1_000.0, 2_000.0, 3_000.0]);
        assert_eq!(ticks(120.0), [0.0, 50.0, 100.0]);
        assert!((3..=7).contains(&ticks(75_000.0).len()));
    }
}
