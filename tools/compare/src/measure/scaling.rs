//! The time of step 3 against its number of threads.

use std::time::Instant;

use common::{log, milliseconds};

use super::{
    probe::{Failure, Target},
    programs::{self, Programs},
};
use crate::{
    format::{failure, short},
    plan::{Plan, SCALED},
    results::Scaled,
};

/// Measures each number of threads `runs` times. Nothing is probed during that
/// time: that would take time from the threads.
pub async fn carry_out(
    plan: &Plan,
    runs: usize,
    programs: &Programs,
) -> Vec<Scaled> {
    let mut all: Vec<Scaled> = Vec::new();
    for &threads in &plan.scaling {
        let name = format!("{SCALED}, threads: {threads}");
        let mut runs_ms = Vec::new();
        let outcome = async {
            let iterations = plan.settings.iterations;
            let server = programs::start(programs, SCALED, iterations, threads);
            let server = server.await?;
            let (url, patience) = (server.url(), plan.patience());
            let target = Target::find(url, patience, Some(iterations)).await?;
            for run in 1..=runs {
                let start = Instant::now();
                target.blocking().await?;
                let took = milliseconds(start.elapsed());
                log(format!("{name}, run {run}: /blocking {}", short(took)));
                runs_ms.push(took);
            }
            Ok::<_, Failure>(())
        };
        let error = outcome.await.err().map(failure);
        if let Some(error) = &error {
            log(format!("{name}: {error}"));
        }
        all.push(Scaled::new(threads, runs_ms, error));
    }
    all
}
