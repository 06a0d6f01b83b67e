//! What runs now, since when, and what is left.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{
    ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use tokio::task::{JoinError, spawn_blocking};

use crate::{
    measure::{AFTER, BEFORE},
    options::Options,
    scaling,
};

/// So many rounds are counted to see how fast this machine is.
const SAMPLE: u64 = 50_000_000;

/// A bar on a terminal, lines elsewhere; both on standard error.
pub struct Progress {
    quiet: bool,
    bar: ProgressBar,
    start: Instant,
    /// The runs to come: of which server, and about how long.
    plan: VecDeque<(String, Duration)>,
    /// When the run that goes on has started, and about when it ends.
    run: (Instant, Duration),
    patience: Duration,
    runs: usize,
}

impl Progress {
    /// Says about how long it will take, and begins.
    ///
    /// # Errors
    /// When no thread can be started.
    pub async fn start(options: &Options) -> Result<Self, JoinError> {
        let iterations = options.iterations.get();
        let blocking =
            spawn_blocking(move || time_to_count(iterations)).await?;
        let load = blocking * options.concurrency.get() as u32;
        let steps = options.steps().map(str::to_owned);
        let peers = options.peers.iter().map(|peer| peer.name.clone());
        let probed =
            steps.chain(peers).map(|name| (name, BEFORE + load + AFTER));
        let scaled = scaling::counts(options).into_iter().map(|threads| {
            let cores = scaling::cores().unwrap_or(threads);
            let time = blocking / threads.min(cores) as u32;
            (scaling::name(threads), time)
        });
        let runs = options.runs.get();
        let plan: VecDeque<_> = probed
            .chain(scaled)
            .flat_map(|run| std::iter::repeat_n(run, runs))
            .collect();
        let now = Instant::now();
        let progress = Self {
            quiet: options.quiet,
            bar: bar(options.quiet),
            start: now,
            plan,
            run: (now, Duration::ZERO),
            // A server may be ten times as slow as this machine's own counting
            // in one thread.
            patience: Duration::from_secs(60) + 10 * load,
            runs,
        };
        let total = progress.rest();
        progress.line(&format!(
            "{} runs: this takes about {}",
            progress.plan.len(),
            in_words(total)
        ));
        Ok(progress)
    }

    /// How long an answer may take before it counts as missing.
    pub fn patience(&self) -> Duration {
        self.patience
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
                write!(to, "{}", in_words(Duration::from_millis(left))).ok();
            },
        );
    bar.with_style(style)
}

/// As 45 s, or 1 min 30 s.
fn in_words(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// About how long one thread takes to count so far.
fn time_to_count(iterations: u64) -> Duration {
    let sample = iterations.min(SAMPLE);
    let start = Instant::now();
    common::count(sample);
    start.elapsed().mul_f64(iterations as f64 / sample as f64)
}
