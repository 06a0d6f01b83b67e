//! Everything that was measured: the content of `results.json`.

mod stats;

use serde::{Deserialize, Serialize};

pub use stats::{Percentiles, Spread};

/// The step that the others are compared with.
pub const BASELINE: &str = "step1-blocking";

/// A response within this time is in time: nobody notices the delay.
pub const IN_TIME_MS: f64 = 10.0;

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where it was measured.
    pub machine: Machine,
    /// What was asked for.
    pub settings: Settings,
    /// The servers, in order.
    pub servers: Vec<Server>,
    /// The time of step 3 with several numbers of threads: see `--scaling`.
    pub scaling: Vec<Scaled>,
}

/// A machine, and the build that ran on it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many cores the process may use, with container limits applied.
    pub cores: usize,
    /// The operating system and the processor's architecture.
    pub os: String,
    /// The build profile of `compare` and of the steps: `release` or `dev`.
    pub profile: String,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// How far `/blocking` counts.
    pub iterations: u64,
    /// How many threads computed, in the steps that have this setting.
    pub threads: usize,
    /// How many `/blocking` requests were in flight at a time.
    pub concurrency: usize,
    /// How many times each server was measured, unless it failed.
    pub runs: usize,
    /// The time from one probe to the next.
    pub interval_ms: usize,
    /// A response was in time if it took less than this.
    pub in_time_ms: f64,
}

/// A step, a Node.js server, or a server that `--url` named.
#[derive(Debug, Serialize, Deserialize)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Why some of its runs couldn't be measured.
    pub error: Option<String>,
    /// How long `/blocking` took, over the requests of all runs.
    pub blocking: Option<Spread>,
    /// How many times as fast it was as step 1, comparing medians. None if that
    /// wasn't measured, or if it counts to a different number.
    pub speed_up: Option<f64>,
    /// The probes of all runs that were sent while `/blocking` was running.
    pub during: Option<Latencies>,
    /// Every sample.
    pub runs: Vec<Run>,
}

/// One run. Its clock starts when `/blocking` is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    /// The requests to `/blocking`.
    pub blocking: Vec<Request>,
    /// How long `settings.concurrency` requests to `/blocking` were in flight;
    /// with one request, how long it took.
    pub until_ms: f64,
    /// The requests to `/non-blocking`, from before `/blocking` was sent until
    /// after it was answered.
    pub probes: Vec<Probe>,
}

/// A request to `/blocking`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// When it was sent.
    pub sent_ms: f64,
    /// How long it took until the whole response had arrived.
    pub took_ms: f64,
    /// The number it returned.
    pub counted: u64,
}

/// A request to `/non-blocking`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// When it was due: negative before `/blocking` was sent.
    pub at_ms: f64,
    /// How late `compare` itself sent it.
    pub late_ms: f64,
    /// The time from `at_ms` until the whole response had arrived.
    pub latency_ms: Option<f64>,
    /// Why there is no latency.
    pub error: Option<String>,
}

/// How a set of probes was answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many there were.
    pub probes: usize,
    /// How many got no response, or an error.
    pub failed: usize,
    /// How many got their response in time.
    pub in_time: usize,
    /// The latencies of those that got a response: `p50_ms` and so on are fields
    /// of this object, and are missing if there was none.
    #[serde(flatten)]
    pub answered: Option<Percentiles>,
    /// How late `compare` itself sent them; the latencies include this.
    pub late: Percentiles,
}

/// The time of step 3's `/blocking` with a number of threads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scaled {
    /// How many threads.
    pub threads: usize,
    /// Why some of the runs couldn't be measured.
    pub error: Option<String>,
    /// How long `/blocking` took.
    pub blocking: Option<Spread>,
    /// How many times as fast it was as with one thread, comparing medians.
    pub speed_up: Option<f64>,
    /// How long each run took.
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
    /// What the runs with a number of threads amount to.
    pub fn new(
        threads: usize,
        runs_ms: Vec<f64>,
        error: Option<String>,
    ) -> Self {
        let blocking = Spread::new(runs_ms.iter().copied());
        Self { threads, error, blocking, speed_up: None, runs_ms }
    }

    /// The speed-up per thread: 1 is ideal.
    pub fn efficiency(&self) -> Option<f64> {
        Some(self.speed_up? / self.threads as f64)
    }
}

impl Run {
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
    /// Adds how many times as fast each server was as step 1, and each number of
    /// threads as one.
    pub fn new(
        machine: Machine,
        settings: Settings,
        mut servers: Vec<Server>,
        mut scaling: Vec<Scaled>,
    ) -> Self {
        let baseline = servers.iter().find(|server| server.name == BASELINE);
        let baseline = baseline.and_then(|server| server.blocking);
        for server in &mut servers {
            if server.counts_to(settings.iterations) {
                server.speed_up = speed_up(baseline, server.blocking);
            }
        }
        let one = scaling.iter().find(|scaled| scaled.threads == 1);
        let one = one.and_then(|scaled| scaled.blocking);
        for scaled in &mut scaling {
            scaled.speed_up = speed_up(one, scaled.blocking);
        }
        Self { machine, settings, servers, scaling }
    }

    /// Whether everything was measured as requested.
    pub fn is_complete(&self) -> bool {
        self.servers.iter().all(Server::is_complete)
            && self.scaling.iter().all(|scaled| scaled.error.is_none())
    }
}

fn speed_up(slow: Option<Spread>, fast: Option<Spread>) -> Option<f64> {
    Some(slow?.median_ms / fast?.median_ms)
}
