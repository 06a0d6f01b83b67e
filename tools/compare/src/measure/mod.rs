//! Starts the servers, probes them, and reports its progress.

mod machine;
pub(crate) mod probe;
pub(crate) mod programs;
mod ready;
mod scaling;
mod server;

use std::time::{Duration, Instant};

use common::log;

use crate::{
    format::{counted, failure, short},
    plan::Plan,
    results::{Results, Run, Server},
};
pub use probe::Failure;
pub use ready::is_ready;

/// Without --runs, each server is measured at most this often …
const MOST_ROUNDS: usize = 3;

/// … and again only if the round ends within this time.
const TIME: Duration = Duration::from_secs(30);

/// Carries the plan out. It prints a line for each run on standard error. Dropping
/// this future ends everything that it has started.
///
/// # Errors
/// When the steps can't be built. A server that can't be measured is among the
/// results, with the reason.
pub async fn carry_out(plan: &Plan) -> Result<Results, Failure> {
    let programs = programs::find(plan).await?;
    let subjects = plan.subjects.iter();
    let none_yet = subjects.map(|subject| Server {
        name: subject.name.clone(),
        error: None,
        runs: Vec::new(),
    });
    let mut servers: Vec<_> = none_yet.collect();
    let mut settings = plan.settings.clone();
    let start = Instant::now();
    for round in 1.. {
        for (subject, server) in plan.subjects.iter().zip(&mut servers) {
            let Server { name, error, runs } = server;
            if error.is_some() {
                continue;
            }
            match server::run(subject, plan, &programs).await {
                Ok(run) => {
                    log(format!("{name}, run {round}: {}", summary(&run)));
                    runs.push(run);
                }
                Err(why) => {
                    let why = failure(format!("failed in run {round}: {why}"));
                    log(format!("{name} {}", error.insert(why)));
                }
            }
        }
        settings.runs = round;
        if is_last(round, plan.runs, start.elapsed()) {
            break;
        }
    }
    if plan.runs.is_none() && settings.runs < MOST_ROUNDS {
        let runs = counted(settings.runs, "run");
        log(format!("{runs} each: half a minute is over (see --runs)"));
    }
    let scaling = scaling::measure(plan, settings.runs, &programs).await;
    Ok(Results { machine: machine::this(), settings, servers, scaling })
}

/// Whether no round follows this one, the so many-th, after this time.
fn is_last(round: usize, asked: Option<usize>, elapsed: Duration) -> bool {
    let next = elapsed + elapsed / round as u32;
    asked.map_or(round >= MOST_ROUNDS || next > TIME, |asked| round >= asked)
}

fn summary(run: &Run) -> String {
    let in_time = run.during().filter(|probe| probe.is_in_time()).count();
    let (took, all) = (short(run.until_ms), run.during().count());
    format!("/blocking {took}, {in_time} of {all} probes in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_up_to_three_rounds_in_half_a_minute_or_as_many_as_asked_for() {
        let seconds = Duration::from_secs;
        assert!(!is_last(1, None, seconds(15)));
        assert!(is_last(1, None, seconds(16)));
        assert!(!is_last(2, None, seconds(20)));
        assert!(is_last(2, None, seconds(21)));
        assert!(is_last(3, None, seconds(3)));
        assert!(!is_last(3, Some(4), seconds(99)));
        assert!(is_last(4, Some(4), seconds(4)));
    }
}
