//! Starts the servers, probes them, and reports its progress.

mod machine;
pub(crate) mod probe;
pub(crate) mod programs;
mod scaling;
mod server;

use common::log;

use crate::{
    format::{failure, short},
    options::Options,
    results::{IN_TIME_MS, Results, Run, Server, Settings},
};
pub use probe::Failure;

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
    for round in 1..=options.runs {
        for (subject, server) in subjects.iter().zip(&mut servers) {
            if server.error.is_none() {
                let run = server::run(subject, options, &programs).await;
                add(run, round, server);
            }
        }
    }
    let settings = Settings {
        iterations: options.iterations,
        threads: options.threads,
        concurrency: options.concurrency,
        runs: options.runs,
        interval_ms: options.interval().as_millis() as usize,
        in_time_ms: IN_TIME_MS,
    };
    let scaling = scaling::measure(options, &programs).await;
    Ok(Results { machine: machine::this(), settings, servers, scaling })
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
