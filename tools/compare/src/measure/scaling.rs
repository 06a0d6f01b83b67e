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
pub async fn measure(
    plan: &Plan,
    runs: usize,
    programs: &Programs,
) -> Vec<Scaled> {
    let mut all = Vec::new();
    for &threads in &plan.scaling {
        let mut scaled = Scaled { threads, error: None, runs_ms: Vec::new() };
        let measured = run(&mut scaled, plan, runs, programs).await;
        if let Err(error) = measured {
            let error = scaled.error.insert(failure(error));
            log(format!("{SCALED}, threads: {threads}: {error}"));
        }
        all.push(scaled);
    }
    all
}

async fn run(
    Scaled { threads, runs_ms, .. }: &mut Scaled,
    plan: &Plan,
    runs: usize,
    programs: &Programs,
) -> Result<(), Failure> {
    let iterations = plan.settings.iterations;
    let server =
        programs::start(programs, SCALED, iterations, *threads).await?;
    let patience = plan.patience();
    let target = Target::find(server.url(), patience, Some(iterations)).await?;
    for run in 1..=runs {
        let start = Instant::now();
        target.blocking().await?;
        let took = milliseconds(start.elapsed());
        let took_short = short(took);
        log(format!(
            "{SCALED}, threads: {threads}, run {run}: /blocking {took_short}"
        ));
        runs_ms.push(took);
    }
    Ok(())
}
