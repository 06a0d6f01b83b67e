//! The time of step 3 against its number of threads.

use std::time::{Duration, Instant};

use common::milliseconds;

use super::{
    probe::{Failure, Target},
    programs::{self, Programs},
    progress::Progress,
};
use crate::{
    plan::{Plan, SCALED, scaled},
    results::{Scaled, stood_still},
    words,
};

/// So often it is seen whether this program runs.
const BEAT: Duration = Duration::from_millis(100);

/// Measures all of them. Nothing is probed meanwhile: that would take time
/// from the threads.
pub async fn measure(
    plan: &Plan,
    programs: &Programs,
    progress: &mut Progress,
) -> Vec<Scaled> {
    let mut all = Vec::new();
    for &threads in &plan.scaling {
        let mut runs_ms = Vec::new();
        let outcome =
            run_all(threads, plan, programs, progress, &mut runs_ms).await;
        let error = outcome.err().map(words::ends);
        if let Some(error) = &error {
            progress.line(&format!("{}: {error}", scaled(threads)));
        }
        // One thread comes first.
        let one = all.first().and_then(|one: &Scaled| one.blocking);
        all.push(Scaled::new(threads, runs_ms, error, one));
    }
    all
}

async fn run_all(
    threads: usize,
    plan: &Plan,
    programs: &Programs,
    progress: &mut Progress,
    runs_ms: &mut Vec<f64>,
) -> Result<(), Failure> {
    let iterations = plan.settings.iterations;
    let server = programs::start(programs, SCALED, iterations, threads).await?;
    let target =
        Target::find(server.url(), plan.patience(), Some(iterations)).await?;
    for run in 1..=plan.settings.runs {
        progress.begin(&scaled(threads), run);
        let took = milliseconds(undisturbed(&target, progress).await?);
        progress.end(&format!("/blocking {}", words::short(took)));
        runs_ms.push(took);
    }
    Ok(())
}

/// How long /blocking takes, if this program runs all the while.
async fn undisturbed(
    target: &Target,
    progress: &Progress,
) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut alive = start;
    let mut beat = tokio::time::interval(BEAT);
    let mut longest_ms = 0.0;
    let answer = target.blocking();
    tokio::pin!(answer);
    loop {
        let answer = tokio::select! {
            answer = &mut answer => Some(answer?),
            _ = beat.tick() => None,
        };
        longest_ms = f64::max(longest_ms, milliseconds(alive.elapsed()));
        alive = Instant::now();
        progress.tick();
        if answer.is_some() {
            return match stood_still(longest_ms) {
                Some(why) => Err(why.into()),
                None => Ok(start.elapsed()),
            };
        }
    }
}
