//! The time of step 3 against its number of threads.

use std::{collections::BTreeSet, time::Instant};

use common::{log, milliseconds};

use super::{
    Failure,
    programs::{Programs, SCALED, reach},
};
use crate::{
    format::{failure, short},
    options::{Options, Source, Subject},
    results::Scaled,
};

/// Measures each number of threads. Nothing is probed during that
/// time: that would take time from the threads. One is always among them: the
/// speed-up is relative to it.
pub async fn measure(
    options: &Options,
    runs: usize,
    programs: &Programs,
) -> Vec<Scaled> {
    let step = Subject { name: SCALED.into(), source: Source::Step };
    let mut all = Vec::new();
    let one = (!options.scaling.is_empty()).then_some(1);
    let counts = options.scaling.iter().copied().chain(one);
    for threads in counts.collect::<BTreeSet<_>>() {
        let name = format!("{SCALED}, threads: {threads}");
        let mut scaled = Scaled { threads, error: None, runs_ms: Vec::new() };
        let measured = async {
            let reached =
                reach(&step, options.iterations, threads, options, programs);
            let (_server, target) = reached.await?;
            for run in 1..=runs {
                let start = Instant::now();
                target.blocking().await?;
                let took = milliseconds(start.elapsed());
                log(format!("{name}, run {run}: /blocking {}", short(took)));
                scaled.runs_ms.push(took);
            }
            Ok::<_, Failure>(())
        };
        if let Err(error) = measured.await {
            let error = scaled.error.insert(failure(error));
            log(format!("{name}: {error}"));
        }
        all.push(scaled);
    }
    all
}
