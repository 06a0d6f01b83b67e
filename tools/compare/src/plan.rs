//! What is measured, in which order, and about how long that takes.

use std::{
    collections::BTreeSet,
    iter::repeat_n,
    thread,
    time::{Duration, Instant},
};

use harness::STEPS;
use tokio::task::{JoinError, spawn_blocking};

use crate::{
    options::{NODE, Options, TWO_WORKERS},
    results::{IN_TIME_MS, Settings},
    words,
};

/// How long a server is probed idle, before /blocking is sent.
pub const BEFORE: Duration = Duration::from_secs(1);

/// How long it is probed on, after /blocking was answered.
pub const AFTER: Duration = Duration::from_millis(300);

/// The step whose time is measured against its number of threads.
pub const SCALED: &str = "step3-multi-worker";

/// About how many times as long Node.js takes to count.
const NODE_TAKES: f64 = 3.4;

/// Where one thread does it all.
const ONE_THREAD: [&str; 5] = [
    "step1-blocking",
    TWO_WORKERS,
    "step2-single-worker",
    "node1-blocking",
    "node2-single-worker",
];

/// So many rounds are counted to see how fast this machine is.
const SAMPLE: u64 = 20_000_000;

/// First the servers, several runs of each, then step 3 with more and more
/// threads.
pub struct Plan {
    /// What all of it is measured with.
    pub settings: Settings,
    /// The servers, in order.
    pub subjects: Vec<Subject>,
    /// The numbers of threads, if any. One is among them: the speed-up is
    /// against it.
    pub scaling: BTreeSet<usize>,
    /// Whether the steps have to be built without the network.
    pub offline: bool,
    /// About how long one thread takes to count once.
    count: Duration,
}

/// A server to measure.
#[derive(Clone)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a server comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// It is a step, which is built and started.
    Step,
    /// It is an example of step 1, which is built and started.
    Example,
    /// It is a stage in Node.js, which is started.
    Node,
    /// It runs there already.
    Url(String),
}

impl Plan {
    /// What the command line asks for, on this machine.
    ///
    /// # Errors
    /// When no thread can be started.
    pub async fn of(options: &Options) -> Result<Self, JoinError> {
        let settings = Settings {
            iterations: options.iterations.get(),
            threads: options.threads.get(),
            concurrency: options.concurrency.get(),
            runs: options.runs.get(),
            interval_ms: options.interval.get(),
            in_time_ms: IN_TIME_MS,
            connection: "a fresh connection".into(),
        };
        let steps = options.steps().map(|name| (name, Source::Step));
        let example = options.two_workers || options.ready;
        let example = example.then_some(TWO_WORKERS);
        let example = example.map(|name| (name, Source::Example));
        let node = NODE.map(|name| (name, Source::Node)).into_iter();
        let node = node.filter(|_| options.node);
        let peers = options.peers.iter();
        let peers =
            peers.map(|it| (it.name.as_str(), Source::Url(it.url.clone())));
        let subjects = steps.chain(example).chain(node).chain(peers);
        let subject =
            |(name, source)| Subject { name: str::to_owned(name), source };
        let scaling = options.scaling.iter().map(|count| count.get());
        let one = (!options.scaling.is_empty()).then_some(1);
        let iterations = settings.iterations;
        let count = spawn_blocking(move || time_to_count(iterations)).await?;
        Ok(Self {
            settings,
            subjects: subjects.map(subject).collect(),
            scaling: scaling.chain(one).collect(),
            offline: options.ready,
            count,
        })
    }

    /// The steps that have to be built.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        let wanted = |step: &str| {
            let mut subjects = self.subjects.iter();
            subjects.any(|it| it.source == Source::Step && it.name == step)
                || step == SCALED && !self.scaling.is_empty()
        };
        STEPS.into_iter().filter(move |step| wanted(step))
    }

    /// All runs in order: of which server, and about how long.
    pub fn runs(&self) -> impl Iterator<Item = (String, Duration)> {
        let servers = self.subjects.iter().map(|subject| {
            let threads = match subject.source {
                Source::Url(_) => 1,
                _ if ONE_THREAD.contains(&subject.name.as_str()) => 1,
                _ => self.settings.threads,
            };
            let node = subject.source == Source::Node;
            let times = if node { NODE_TAKES } else { 1.0 };
            let load = divided(self.load(), threads).mul_f64(times);
            (subject.name.clone(), BEFORE + load + AFTER)
        });
        let threads = self.scaling.iter();
        let scaled = threads.map(|it| (scaled(*it), divided(self.count, *it)));
        let runs = self.settings.runs;
        servers.chain(scaled).flat_map(move |run| repeat_n(run, runs))
    }

    /// How long an answer may take before it counts as missing: a server may be
    /// ten times as slow as this machine's own counting in one thread.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(60) + 10 * self.load()
    }

    fn load(&self) -> Duration {
        self.count * self.settings.concurrency as u32
    }

    /// About how long all of it takes, in a sentence.
    pub fn sentence(&self) -> String {
        let time = self.runs().map(|(_, time)| time).sum();
        let runs = words::counted(self.runs().count(), "run");
        let time = words::time(time);
        if self.steps().all(harness::is_built) {
            format!("{runs}: this takes about {time}")
        } else {
            format!(
                "the steps are built first, once, which takes a minute or two; \
                 then {runs}: this takes about {time}"
            )
        }
    }
}

/// What the measurement of step 3 with so many threads is called.
pub fn scaled(threads: usize) -> String {
    format!("{SCALED}, threads: {threads}")
}

/// How many cores this process may use, if the system tells.
pub fn cores() -> Option<usize> {
    thread::available_parallelism().ok().map(Into::into)
}

/// Among so many threads, on the cores that there are.
fn divided(time: Duration, threads: usize) -> Duration {
    time / cores().unwrap_or(threads).min(threads) as u32
}

fn time_to_count(iterations: u64) -> Duration {
    let sample = iterations.min(SAMPLE);
    let time = || {
        let start = Instant::now();
        common::count(sample);
        start.elapsed()
    };
    // The first one wakes the processor up.
    let time = time().min(time()).min(time());
    time.mul_f64(iterations as f64 / sample as f64)
}
