//! Everything that was measured: the content of `results.json`.

use serde::{Deserialize, Serialize};

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
    /// How many `/blocking` requests were sent at once.
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
    /// Every sample.
    pub runs: Vec<Run>,
}

/// One run. Its clock starts when `/blocking` is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The requests to `/blocking`.
    pub blocking: Vec<Request>,
    /// When all of them were answered.
    pub until_ms: f64,
    /// The requests to `/non-blocking`, from before `/blocking` was sent until
    /// after it was answered.
    pub probes: Vec<Probe>,
}

/// A request to `/blocking`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
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

/// The time of step 3's `/blocking` with a number of threads.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scaled {
    /// How many threads.
    pub threads: usize,
    /// Why some of the runs couldn't be measured.
    pub error: Option<String>,
    /// How long each run took.
    pub runs_ms: Vec<f64>,
}

impl Results {
    /// How many times as fast a server was as step 1, comparing medians. None if
    /// that wasn't measured, or if it counts to a different number.
    pub fn speed_up(&self, server: &Server) -> Option<f64> {
        let baseline = self.servers.iter().find(|it| it.name == BASELINE)?;
        let speed_up =
            baseline.blocking()?.median() / server.blocking()?.median();
        server.counts_to(self.settings.iterations).then_some(speed_up)
    }

    /// How many times as fast step 3 was as with one thread, comparing medians.
    pub fn scaled_speed_up(&self, scaled: &Scaled) -> Option<f64> {
        let one = self.scaling.iter().find(|it| it.threads == 1)?;
        Some(one.blocking()?.median() / scaled.blocking()?.median())
    }

    /// Whether everything was measured as requested.
    pub fn is_complete(&self) -> bool {
        self.servers.iter().all(Server::is_complete)
            && self.scaling.iter().all(|scaled| scaled.error.is_none())
    }
}

impl Server {
    /// How long `/blocking` took, over the requests of all runs.
    pub fn blocking(&self) -> Option<Times> {
        let requests = self.runs.iter().flat_map(|run| &run.blocking);
        Times::new(requests.map(|request| request.took_ms))
    }

    /// The probes of all runs that `/blocking` could delay.
    pub fn during(&self) -> impl Iterator<Item = &Probe> + Clone {
        self.runs.iter().flat_map(Run::during)
    }

    /// The latencies of those that got a response.
    pub fn latencies(&self) -> Option<Times> {
        Times::new(self.during().filter_map(|probe| probe.latency_ms))
    }

    /// Whether it did the right work: different work can't be compared.
    pub fn counts_to(&self, iterations: u64) -> bool {
        let mut requests = self.runs.iter().flat_map(|run| &run.blocking);
        requests.all(|request| request.counted == iterations)
    }

    /// Whether everything could be measured.
    pub fn is_complete(&self) -> bool {
        self.error.is_none() && self.during().count() > 0
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

impl Probe {
    /// Whether it was answered within [`IN_TIME_MS`].
    pub fn is_in_time(&self) -> bool {
        self.latency_ms.is_some_and(|latency| latency < IN_TIME_MS)
    }
}

impl Scaled {
    /// How long `/blocking` took.
    pub fn blocking(&self) -> Option<Times> {
        Times::new(self.runs_ms.iter().copied())
    }
}

/// How long several things took, in milliseconds, from short to long.
pub struct Times(Vec<f64>);

impl Times {
    /// `None` when there are no times.
    pub fn new(times: impl Iterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.collect();
        times.sort_by(f64::total_cmp);
        (!times.is_empty()).then_some(Self(times))
    }

    /// The shortest time that so many percent of them don't exceed ("nearest
    /// rank"). So each percentile is a sample, 0 is the shortest, and 100 the
    /// longest; a histogram would round it up.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (percent * self.0.len()).div_ceil(100);
        self.0[rank.saturating_sub(1)]
    }

    /// The one in the middle, or half-way between the two in the middle.
    pub fn median(&self) -> f64 {
        let number = self.0.len();
        f64::midpoint(self.0[(number - 1) / 2], self.0[number / 2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_sample_of_the_nearest_rank_and_a_median_the_middle()
    {
        let up_to = |n: u32| {
            let times = Times::new((1..=n).rev().map(f64::from))?;
            Some([0, 50, 99, 100].map(|percent| times.percentile(percent)))
        };
        assert_eq!(up_to(1_000), Some([1.0, 500.0, 990.0, 1_000.0]));
        assert_eq!(up_to(101), Some([1.0, 51.0, 100.0, 101.0]));
        assert_eq!(up_to(5), Some([1.0, 3.0, 5.0, 5.0]));
        assert_eq!(up_to(1), Some([1.0; 4]));
        assert_eq!(up_to(0), None);
        let median = |times: &[f64]| Times(times.to_vec()).median();
        assert_eq!([median(&[1.0, 2.0, 9.0]), median(&[1.0, 4.0])], [2.0, 2.5]);
    }
}
