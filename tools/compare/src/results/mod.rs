//! Everything that was measured: the content of `results.json`.

// docs/chapters/proofs.md explains each field; a test compares them.
#![allow(missing_docs)]

mod stats;

use serde::{Deserialize, Serialize};

pub use stats::{Percentiles, Spread};

/// The step that the others are compared with.
pub const BASELINE: &str = "step1-blocking";

/// An answer within this time is in time: nobody notices that it took any.
pub const IN_TIME_MS: f64 = 10.0;

/// The whole of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub settings: Settings,
    pub servers: Vec<Server>,
    pub scaling: Vec<Scaled>,
}

/// A machine, and the build that ran on it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: Option<usize>,
    pub os: String,
    /// The build profile of this program and of the steps.
    pub profile: String,
}

/// What the measuring was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub iterations: u64,
    pub threads: usize,
    pub concurrency: usize,
    pub runs: usize,
    pub interval_ms: usize,
    pub in_time_ms: f64,
    pub connection: String,
}

/// One server: a step, or what `--url` named.
#[derive(Debug, Serialize, Deserialize)]
pub struct Server {
    pub name: String,
    /// Where it was when it wasn't started here.
    pub url: Option<String>,
    /// Why not all of it could be measured.
    pub error: Option<String>,
    pub blocking: Option<Spread>,
    /// How many times as fast as step 1, by the medians.
    pub speed_up: Option<f64>,
    /// The probes before /blocking was sent.
    pub idle: Option<Latencies>,
    /// The probes while it ran.
    pub during: Option<Latencies>,
    pub runs: Vec<Run>,
}

/// One run. Its clock starts when `/blocking` is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    pub blocking: Vec<Request>,
    /// Until when as many requests as wanted were in flight.
    pub until_ms: f64,
    pub probes: Vec<Probe>,
}

/// A request to `/blocking`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    pub sent_ms: f64,
    pub took_ms: f64,
    /// What it answered.
    pub counted: u64,
}

/// A request to `/non-blocking`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// When it was to be sent; below zero: before /blocking was.
    pub at_ms: f64,
    /// How late the prober was to send it.
    pub late_ms: f64,
    /// From when it was to be sent until it was answered.
    pub latency_ms: Option<f64>,
    /// Why it wasn't.
    pub error: Option<String>,
}

/// How a set of probes was answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    pub probes: usize,
    pub failed: usize,
    /// How many were answered in time.
    pub in_time: usize,
    /// Of those that were answered; none when none was.
    #[serde(flatten)]
    pub answered: Option<Percentiles>,
    /// How late the prober itself was to send them.
    pub late: Percentiles,
}

/// The time of `/blocking` with so many threads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scaled {
    pub threads: usize,
    pub error: Option<String>,
    pub blocking: Option<Spread>,
    /// How many times as fast as with one thread, by the medians.
    pub speed_up: Option<f64>,
    /// The speed-up per thread: 1 is ideal.
    pub efficiency: Option<f64>,
    pub runs_ms: Vec<f64>,
}

impl Server {
    /// What the runs of a server amount to.
    pub fn new(
        name: &str,
        url: Option<&str>,
        runs: Vec<Run>,
        error: Option<String>,
    ) -> Self {
        let requests = runs.iter().flat_map(|run| &run.blocking);
        Self {
            name: name.to_owned(),
            url: url.map(str::to_owned),
            blocking: Spread::new(requests.map(|request| request.took_ms)),
            speed_up: None,
            idle: Latencies::new(runs.iter().flat_map(Run::idle)),
            during: Latencies::new(runs.iter().flat_map(Run::during)),
            runs,
            error,
        }
    }

    /// The run that shows best what is usual: that of median length.
    pub fn usual_run(&self) -> Option<&Run> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.until_ms.total_cmp(&b.until_ms));
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }

    /// Whether it did the work that it should: other work can't be compared.
    pub fn counts_to(&self, iterations: u64) -> bool {
        let mut requests = self.runs.iter().flat_map(|run| &run.blocking);
        requests.all(|request| request.counted == iterations)
    }

    /// How many probes failed, and why the first of them did.
    pub fn failed_probes(&self) -> Option<(usize, &str)> {
        let probes = self.runs.iter().flat_map(|run| &run.probes);
        let mut errors = probes.filter_map(|probe| probe.error.as_deref());
        let first = errors.next()?;
        Some((1 + errors.count(), first))
    }

    /// What was asked for and couldn't be measured, in words.
    pub fn lacks(&self) -> Option<String> {
        if self.error.is_some() {
            return self.error.clone();
        }
        if self.during.is_none() {
            return Some(
                "/blocking was over before it could be probed: raise \
                 --iterations"
                    .into(),
            );
        }
        None
    }
}

impl Latencies {
    /// `None` when there are no probes.
    pub fn new<'a>(
        probes: impl Iterator<Item = &'a Probe> + Clone,
    ) -> Option<Self> {
        let answered = probes.clone().filter_map(|probe| probe.latency_ms);
        Some(Self {
            probes: probes.clone().count(),
            failed: probes.clone().count() - answered.clone().count(),
            in_time: answered.clone().filter(|ms| *ms < IN_TIME_MS).count(),
            answered: Percentiles::new(answered),
            late: Percentiles::new(probes.map(|probe| probe.late_ms))?,
        })
    }

    /// The share that was answered in time, from 0 to 1.
    pub fn in_time_share(&self) -> f64 {
        self.in_time as f64 / self.probes as f64
    }
}

impl Scaled {
    /// What the runs with so many threads amount to, against `one` thread.
    pub fn new(
        threads: usize,
        runs_ms: Vec<f64>,
        error: Option<String>,
        one: Option<Spread>,
    ) -> Self {
        let blocking = Spread::new(runs_ms.iter().copied());
        let one = if threads == 1 { blocking } else { one };
        let speed_up =
            one.zip(blocking).map(|(one, this)| one.median_ms / this.median_ms);
        Self {
            threads,
            error,
            blocking,
            speed_up,
            efficiency: speed_up.map(|speed_up| speed_up / threads as f64),
            runs_ms,
        }
    }
}

impl Run {
    fn idle(&self) -> impl Iterator<Item = &Probe> + Clone {
        self.probes.iter().filter(|probe| probe.at_ms < 0.0)
    }

    /// The probes whose time to be answered lies wholly in that of /blocking:
    /// one that is sent just before its end says nothing about it.
    pub fn during(&self) -> impl Iterator<Item = &Probe> + Clone {
        let until = self.until_ms - IN_TIME_MS;
        self.probes
            .iter()
            .filter(move |probe| (0.0..=until).contains(&probe.at_ms))
    }
}

impl Results {
    /// Adds what follows from several servers.
    pub fn new(
        machine: Machine,
        settings: Settings,
        mut servers: Vec<Server>,
        scaling: Vec<Scaled>,
    ) -> Self {
        let median = |server: &Server| Some(server.blocking?.median_ms);
        let baseline = servers
            .iter()
            .find(|server| server.name == BASELINE)
            .and_then(median);
        for server in &mut servers {
            if server.counts_to(settings.iterations) {
                server.speed_up =
                    baseline.zip(median(server)).map(|(one, this)| one / this);
            }
        }
        Self { machine, settings, servers, scaling }
    }

    /// Whether all that was asked for was measured.
    pub fn is_complete(&self) -> bool {
        self.servers.iter().all(|server| server.lacks().is_none())
            && self.scaling.iter().all(|scaled| scaled.error.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{frozen, live, results, run, server};

    #[test]
    fn a_probe_just_before_the_end_of_blocking_says_nothing_about_it() {
        let run = live(1_000.0);
        let moments: Vec<f64> = run.during().map(|it| it.at_ms).collect();
        assert_eq!(moments.first(), Some(&5.0));
        assert_eq!(moments.last(), Some(&985.0));
        assert_eq!(run.idle().last().map(|it| it.at_ms), Some(-5.0));
    }

    #[test]
    fn the_usual_run_is_that_of_median_length() {
        let runs = vec![live(300.0), live(100.0), live(200.0)];
        let server = server("any", runs);
        assert_eq!(server.usual_run().unwrap().until_ms, 200.0);
    }

    #[test]
    fn speed_up_is_against_step_1_and_for_the_same_work_only() {
        let results = results();
        let speed_up = |i: usize| results.servers[i].speed_up;
        assert_eq!(speed_up(0), Some(1.0));
        assert_eq!(speed_up(2), Some(3_010.0 / 1_520.0));
        assert_eq!(speed_up(4), None, "it counts twice as far");

        let Results { machine, settings, mut servers, .. } = results;
        servers.remove(0);
        let without = Results::new(machine, settings, servers, vec![]);
        assert!(without.servers.iter().all(|it| it.speed_up.is_none()));
    }

    #[test]
    fn what_was_too_short_to_be_probed_was_not_measured() {
        let server = server("short", vec![run(4.0, |_| Some(0.4))]);
        let lacks = server.lacks().unwrap();
        assert!(lacks.contains("raise --iterations"), "{lacks}");
    }

    #[test]
    fn a_freeze_shows_in_every_percentile() {
        let server = server("frozen", vec![frozen(3_000.0)]);
        let during = server.during.unwrap();
        let answered = during.answered.unwrap();
        assert_eq!(during.in_time, 0);
        // Who comes during a freeze waits for half of it, on the average.
        assert!((1_490.0..1_510.0).contains(&answered.p50_ms), "{during:?}");
        assert!(answered.p99_ms > 2_900.0, "{during:?}");
        let idle = server.idle.unwrap();
        assert_eq!(idle.in_time, idle.probes);
    }

    #[test]
    fn a_probe_that_failed_is_not_in_time() {
        let fails = run(1_000.0, |at| (at < 500.0).then_some(1.0));
        let during = server("fails", vec![fails]).during.unwrap();
        assert_eq!(during.in_time + during.failed, during.probes);
        assert!((0.4..0.6).contains(&during.in_time_share()), "{during:?}");
        assert_eq!(during.answered.unwrap().worst_ms, 1.0);
    }
}
