//! The time of step 3 against its number of threads.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use crate::{
    measure::ends,
    options::Options,
    probe::{Failure, Target},
    progress::Progress,
    results::{Scaled, in_words, milliseconds, stood_still},
    steps::{self, Programs, SCALED},
};

/// So often it is seen whether this program runs.
const BEAT: Duration = Duration::from_millis(100);

/// The numbers of threads to measure, in order. One is always among them: the
/// speed-up is against it.
pub fn counts(options: &Options) -> BTreeSet<usize> {
    let mut counts: BTreeSet<_> =
        options.scaling.iter().map(|count| count.get()).collect();
    if !counts.is_empty() {
        counts.insert(1);
    }
    counts
}

/// What such a measurement is called.
pub fn name(threads: usize) -> String {
    format!("{SCALED}, threads: {threads}")
}

/// How many cores this process may use, if the system tells.
pub fn cores() -> Option<usize> {
    thread::available_parallelism().ok().map(Into::into)
}

/// Measures all of them. Nothing is probed meanwhile: that would take time
/// from the threads.
pub async fn measure(
    programs: &Programs,
    options: &Options,
    progress: &mut Progress,
) -> Vec<Scaled> {
    let mut all = Vec::new();
    for threads in counts(options) {
        let mut runs_ms = Vec::new();
        let outcome =
            run_all(threads, programs, options, progress, &mut runs_ms).await;
        let error = outcome.err().map(|error| ends(&error.to_string()));
        if let Some(error) = &error {
            progress.line(&format!("{}: {error}", name(threads)));
        }
        // One thread comes first.
        let one = all.first().and_then(|one: &Scaled| one.blocking);
        all.push(Scaled::new(threads, runs_ms, error, one));
    }
    all
}

async fn run_all(
    threads: usize,
    programs: &Programs,
    options: &Options,
    progress: &mut Progress,
    runs_ms: &mut Vec<f64>,
) -> Result<(), Failure> {
    let iterations = options.iterations.get();
    let server = steps::start(&programs[SCALED], iterations, threads).await?;
    let target =
        Target::find(server.url(), progress.patience(), Some(iterations))
            .await?;
    for run in 1..=options.runs.get() {
        progress.begin(&name(threads), run);
        let took = milliseconds(undisturbed(&target, progress).await?);
        progress.end(&format!("/blocking {}", in_words(took)));
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
