//! What runs now, since when, and what is left.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{
    ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use crate::{plan::Plan, words};

/// A bar on a terminal, lines elsewhere; both on standard error.
pub struct Progress {
    quiet: bool,
    bar: ProgressBar,
    start: Instant,
    /// The runs to come: of which server, and about how long.
    plan: VecDeque<(String, Duration)>,
    /// When the run that goes on has started, and about when it ends.
    run: (Instant, Duration),
    runs: usize,
}

impl Progress {
    /// The first run is about to begin.
    pub fn start(plan: &Plan, quiet: bool) -> Self {
        let now = Instant::now();
        Self {
            quiet,
            bar: bar(quiet),
            start: now,
            plan: plan.runs().collect(),
            run: (now, Duration::ZERO),
            runs: plan.settings.runs,
        }
    }

    /// A run of this server begins.
    pub fn begin(&mut self, name: &str, run: usize) {
        // A server that failed has left some of its runs behind.
        while self.plan.front().is_some_and(|(next, _)| next != name) {
            self.plan.pop_front();
        }
        let time = self.plan.pop_front().map_or(Duration::ZERO, |(_, t)| t);
        self.run = (Instant::now(), time);
        let end = self.start.elapsed() + time + self.rest();
        self.bar.set_length(end.as_millis() as u64);
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message(format!("{name}, run {run} of {}", self.runs));
        self.tick();
    }

    /// Time goes by.
    pub fn tick(&self) {
        let (start, time) = self.run;
        let position = (start - self.start) + start.elapsed().min(time);
        self.bar.set_position(position.as_millis() as u64);
    }

    /// The run that has begun is over. The next one of the same server will
    /// take as long.
    pub fn end(&mut self, what: &str) {
        let name = self.bar.prefix();
        let took = self.run.0.elapsed();
        for (next, time) in &mut self.plan {
            if *next == name {
                *time = took;
            }
        }
        self.line(&format!("{}: {what}", self.bar.message()));
    }

    /// Prints a line above the bar.
    pub fn line(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| common::log(line));
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn rest(&self) -> Duration {
        self.plan.iter().map(|(_, time)| *time).sum()
    }
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // Drawing takes time from the probes: five times a second is enough.
    let target = ProgressDrawTarget::stderr_with_hz(5);
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "{bar:20} {elapsed} gone, {left} left  {msg}";
    let style = ProgressStyle::with_template(template)
        .expect("the template is valid")
        .with_key(
            "left",
            |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                let left = state.len().unwrap_or(0).saturating_sub(state.pos());
                write!(to, "{}", words::time(Duration::from_millis(left))).ok();
            },
        );
    bar.with_style(style)
}
