//! Everything that was measured: the content of `results.json`.

// docs/chapters/proofs.md explains each field; a test compares them.
#![allow(missing_docs)]

mod stats;

use serde::{Deserialize, Serialize};

pub use stats::{Percentiles, Spread};

/// The step that the others are compared with.
pub const BASELINE: &str = "step1-blocking";

/// A response within this time is in time: nobody notices the delay.
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
    pub cores: usize,
    pub os: String,
    /// The build profile of this program and of the steps.
    pub profile: String,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub iterations: u64,
    pub threads: usize,
    pub concurrency: usize,
    pub runs: usize,
    pub interval_ms: usize,
    pub in_time_ms: f64,
}

/// One server: a step, or what `--url` named.
#[derive(Debug, Serialize, Deserialize)]
pub struct Server {
    pub name: String,
    /// Why not everything could be measured.
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
    /// Until when the wanted number of requests was in flight.
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
    /// When it was due; below zero: before /blocking was sent.
    pub at_ms: f64,
    /// How late the prober sent it.
    pub late_ms: f64,
    /// From when it was due until it was answered.
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
    /// How late the prober itself sent them.
    pub late: Percentiles,
}

/// The time of `/blocking` with a number of threads.
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
    pub fn new(name: &str, runs: Vec<Run>, error: Option<String>) -> Self {
        let requests = runs.iter().flat_map(|run| &run.blocking);
        Self {
            name: name.to_owned(),
            blocking: Spread::new(requests.map(|request| request.took_ms)),
            speed_up: None,
            idle: Latencies::new(runs.iter().flat_map(Run::idle)),
            during: Latencies::new(runs.iter().flat_map(Run::during)),
            runs,
            error,
        }
    }

    /// The most typical run: the one of median length.
    pub fn usual_run(&self) -> Option<&Run> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.until_ms.total_cmp(&b.until_ms));
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }

    /// Whether it did the right work: different work can't be compared.
    pub fn counts_to(&self, iterations: u64) -> bool {
        let mut requests = self.runs.iter().flat_map(|run| &run.blocking);
        requests.all(|request| request.counted == iterations)
    }

    /// How many probes failed, and why the first one did.
    pub fn failed_probes(&self) -> Option<(usize, &str)> {
        let probes = self.runs.iter().flat_map(|run| &run.probes);
        let mut errors = probes.filter_map(|probe| probe.error.as_deref());
        let first = errors.next()?;
        Some((1 + errors.count(), first))
    }

    /// Whether everything could be measured.
    pub fn is_complete(&self) -> bool {
        self.error.is_none() && self.during.is_some()
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
    /// What the runs with a number of threads amount to, against `one` thread.
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

    /// The probes that could be answered in time while /blocking ran: one that
    /// is sent just before its end isn't delayed by it.
    pub fn during(&self) -> impl Iterator<Item = &Probe> + Clone {
        let until = self.until_ms - IN_TIME_MS;
        self.probes
            .iter()
            .filter(move |probe| (0.0..=until).contains(&probe.at_ms))
    }
}

impl Results {
    /// Adds the results that depend on several servers.
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

    /// Whether everything was measured as requested.
    pub fn is_complete(&self) -> bool {
        self.servers.iter().all(Server::is_complete)
            && self.scaling.iter().all(|scaled| scaled.error.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn without_step_1_there_is_no_speed_up() {
        let Results { machine, settings, mut servers, .. } =
            samples::comparison();
        servers.remove(0);
        let results = Results::new(machine, settings, servers, Vec::new());
        let mut servers = results.servers.iter();
        assert!(servers.all(|server| server.speed_up.is_none()));
    }
}
