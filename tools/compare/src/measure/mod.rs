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
const MOST_RUNS: usize = 3;

/// … and again only if that is done within this time.
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
    let start = Instant::now();
    let mut runs = 0;
    loop {
        runs += 1;
        let begin = Instant::now();
        for (subject, server) in subjects.iter().zip(&mut servers) {
            if server.error.is_none() {
                let run = server::run(subject, options, &programs).await;
                add(run, runs, server);
            }
        }
        let next = start.elapsed() + begin.elapsed();
        if !is_due(options.runs, runs, next) {
            break;
        }
    }
    if options.runs.is_none() && runs < MOST_RUNS {
        let runs = counted(runs, "run");
        log(format!("{runs} each, to end within half a minute (see --runs)"));
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

/// Whether there is another run after so many; it would end at that time.
fn is_due(wanted: Option<usize>, runs: usize, end: Duration) -> bool {
    match wanted {
        Some(wanted) => runs < wanted,
        None => runs < MOST_RUNS && end <= TIME,
    }
}

fn add(run: Result<Run, Failure>, round: usize, server: &mut Server) {
    let Server { name, error, runs } = server;
    match run {
        Ok(run) => {
            let (took, all) = (short(run.until_ms), run.during().count());
            let in_time = run.during().filter(|it| it.is_in_time()).count();
            log(format!(
                "{name}, run {round}: /blocking {took}, {in_time} of {all} \
                 probes in time"
            ));
            runs.push(run);
        }
        Err(why) => {
            let why = failure(format!("failed in run {round}: {why}"));
            log(format!("{name} {}", error.insert(why)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_three_runs_or_as_many_as_asked_for_or_as_half_a_minute_allows()
    {
        // Each run takes as long.
        let runs = |wanted, seconds: f64| {
            let end = |runs| Duration::from_secs_f64(runs as f64 * seconds);
            (1..).find(|runs| !is_due(wanted, *runs, end(runs + 1))).unwrap()
        };
        assert_eq!(
            [runs(None, 1.0), runs(None, 12.0), runs(None, 40.0)],
            [3, 2, 1]
        );
        assert_eq!([runs(Some(1), 1.0), runs(Some(5), 40.0)], [1, 5]);
    }
}
