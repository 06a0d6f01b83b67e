//! Starts the servers, probes them, and reports its progress.

mod machine;
pub(crate) mod probe;
pub(crate) mod programs;
mod scaling;
mod server;

use std::time::{Duration, Instant};

use common::log;

use crate::{
    format::{counted, failure, short},
    options::Options,
    results::{IN_TIME_MS, Results, Run, Server, Settings},
};
pub use probe::Failure;

/// Without --runs, each server is measured at most this often …
const MOST_ROUNDS: usize = 3;

/// … and again only if the round ends within this time.
const TIME: Duration = Duration::from_secs(30);

/// Measures what is asked for: the servers, each once in every round, then step 3
/// with more and more threads. It prints a line for each run on standard error.
/// Dropping this future ends everything that it has started.
///
/// # Errors
/// When the steps can't be built. A server that can't be measured is among the
/// results, with the reason.
pub async fn carry_out(options: &Options) -> Result<Results, Failure> {
    let programs = programs::find(options).await?;
    let subjects = options.subjects();
    let none_yet = subjects.iter().map(|subject| Server {
        name: subject.name.clone(),
        error: None,
        runs: Vec::new(),
    });
    let mut servers: Vec<_> = none_yet.collect();
    let mut runs = 0;
    let start = Instant::now();
    loop {
        runs += 1;
        for (subject, server) in subjects.iter().zip(&mut servers) {
            if server.error.is_none() {
                let run = server::run(subject, options, &programs).await;
                add(run, runs, server);
            }
        }
        if is_last(runs, options.runs, start.elapsed()) {
            break;
        }
    }
    if options.runs.is_none() && runs < MOST_ROUNDS {
        let runs = counted(runs, "run");
        log(format!("{runs} each: half a minute is over (see --runs)"));
    }
    let settings = Settings {
        iterations: options.iterations,
        threads: options.threads,
        concurrency: options.concurrency,
        runs,
        interval_ms: options.interval().as_millis() as usize,
        in_time_ms: IN_TIME_MS,
    };
    let scaling = scaling::measure(options, runs, &programs).await;
    Ok(Results { machine: machine::this(), settings, servers, scaling })
}

fn add(run: Result<Run, Failure>, number: usize, server: &mut Server) {
    let Server { name, error, runs } = server;
    match run {
        Ok(run) => {
            log(format!("{name}, run {number}: {}", summary(&run)));
            runs.push(run);
        }
        Err(why) => {
            let why = failure(format!("failed in run {number}: {why}"));
            log(format!("{name} {}", error.insert(why)));
        }
    }
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
