//! What is measured, in which order, and with what.

use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

pub use crate::options::{Source, Subject};
use crate::{
    options::Options,
    results::{IN_TIME_MS, Settings},
};

/// How long a server is probed idle, before /blocking is sent.
pub const BEFORE: Duration = Duration::from_millis(500);

/// How long it is still probed after /blocking was answered.
pub const AFTER: Duration = Duration::from_millis(300);

/// The step whose time is measured against its number of threads.
pub const SCALED: &str = "step3-multi-worker";

/// First the servers, each once in every round, then step 3 with more and more
/// threads.
pub struct Plan {
    /// What everything is measured with.
    pub settings: Settings,
    /// The servers, in order.
    pub subjects: Vec<Subject>,
    /// The numbers of threads, if any. One is always among them: the speed-up
    /// is relative to it.
    pub scaling: BTreeSet<usize>,
    /// The number of rounds; without one, as many as there is time for.
    pub runs: Option<usize>,
    /// Whether the steps have to be built without the network.
    pub offline: bool,
}

impl Plan {
    /// What the command line asks for.
    pub fn new(options: &Options) -> Self {
        let runs = options.runs.map(NonZeroUsize::get);
        let settings = Settings {
            iterations: options.iterations.get(),
            threads: options.threads.get(),
            concurrency: options.concurrency.get(),
            runs: runs.unwrap_or(0),
            interval_ms: if options.live { 50 } else { 10 },
            in_time_ms: IN_TIME_MS,
        };
        let scaling = options.scaling.iter().map(|count| count.get());
        let one = (!options.scaling.is_empty()).then_some(1);
        Self {
            settings,
            subjects: options.subjects(),
            scaling: scaling.chain(one).collect(),
            runs,
            offline: options.ready,
        }
    }

    /// Whether servers come from there.
    pub fn has(&self, source: &Source) -> bool {
        self.subjects.iter().any(|subject| subject.source == *source)
    }

    /// The steps that have to be built.
    pub fn steps(&self) -> BTreeSet<&str> {
        let subjects = self.subjects.iter();
        let steps = subjects.filter(|it| it.source == Source::Step);
        let scaled = (!self.scaling.is_empty()).then_some(SCALED);
        steps.map(|step| &*step.name).chain(scaled).collect()
    }

    /// How long a response may take before it counts as missing. A minute per
    /// billion rounds is more than any server needs.
    pub fn patience(&self) -> Duration {
        let billions = self.settings.iterations / 1_000_000_000;
        let requests = self.settings.concurrency as u64;
        Duration::from_secs(60 * (1 + billions) * requests)
    }
}
