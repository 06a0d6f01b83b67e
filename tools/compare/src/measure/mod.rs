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
    results::{Latencies, Results, Run, Server},
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
    let none_yet = |_| (Vec::new(), None);
    let mut measured: Vec<_> = plan.subjects.iter().map(none_yet).collect();
    let start = Instant::now();
    let mut rounds = 0;
    let mut is_last = false;
    while !is_last {
        rounds += 1;
        let begin = Instant::now();
        for (subject, (runs, error)) in plan.subjects.iter().zip(&mut measured)
        {
            let name = &subject.name;
            if error.is_some() {
                continue;
            }
            match server::run(subject, plan, &programs).await {
                Ok(run) => {
                    log(format!("{name}, run {rounds}: {}", summary(&run)));
                    runs.push(run);
                }
                Err(why) => {
                    let why = failure(format!("failed in run {rounds}: {why}"));
                    log(format_args!("{name} {}", error.insert(why)));
                }
            }
        }
        let next = start.elapsed() + begin.elapsed();
        is_last = match plan.runs {
            Some(runs) => rounds >= runs,
            None => rounds == MOST_ROUNDS || next > TIME,
        };
    }
    if plan.runs.is_none() && rounds < MOST_ROUNDS {
        let runs = counted(rounds, "run");
        log(format_args!("{runs} each: half a minute is over (see --runs)"));
    }
    let mut settings = plan.settings.clone();
    settings.runs = rounds;
    let scaling = scaling::carry_out(plan, rounds, &programs).await;
    let servers = plan.subjects.iter().zip(measured);
    let servers = servers.map(|(subject, (runs, error))| {
        Server::new(&subject.name, runs, error)
    });
    Ok(Results::new(machine::this(), settings, servers.collect(), scaling))
}

fn summary(run: &Run) -> String {
    let during = Latencies::new(run.during());
    let (in_time, all) =
        during.map_or((0, 0), |during| (during.in_time, during.probes));
    let took = short(run.until_ms);
    format!("/blocking {took}, {in_time} of {all} probes in time")
}
