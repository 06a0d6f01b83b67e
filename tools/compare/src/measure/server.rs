//! One run: /blocking, with probes at the same time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::milliseconds;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::{
    probe::{self, Failure, Target, probe_until},
    programs::{Programs, reach},
};
use crate::{
    format::{failure, last_line},
    plan::{AFTER, BEFORE, Plan, Source, Subject},
    results::{Probe, Request, Run},
};

/// How long a process that has just broken a connection may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// Starts the server unless it runs already, measures it once, and stops it.
///
/// # Errors
/// When it can't be measured.
pub async fn run(
    subject: &Subject,
    plan: &Plan,
    programs: &Programs,
) -> Result<Run, Failure> {
    let count = plan.settings.iterations;
    let outcome = async {
        let (server, target) = reach(subject, plan, programs, count).await?;
        match load_and_probe(target, plan).await {
            Ok(run) => Ok(run),
            Err(error) => Err(last_words(server, error).await),
        }
    };
    outcome.await.map_err(|error| match &subject.source {
        Source::Url(url) => format!("{url}: {error}").into(),
        _ => error,
    })
}

async fn load_and_probe(target: Target, plan: &Plan) -> Result<Run, Failure> {
    let target = Arc::new(target);
    target.non_blocking().await?;
    let interval = Duration::from_millis(plan.settings.interval_ms as u64);
    let load = async {
        // Then half of the interval, so that no probe is sent at the same
        // moment as /blocking.
        sleep(BEFORE + interval / 2).await;
        let load = load(&target, plan.settings.concurrency).await;
        sleep(AFTER).await;
        load
    };
    let (load, probes) = probe_until(load, &target, interval).await;
    let (start, mut run) = load?;
    let sample = |probe| sample(probe, start);
    run.probes = probes.into_iter().map(sample).collect();
    Ok(run)
}

/// Keeps `concurrency` requests to /blocking in flight until each of the
/// first is answered, and waits for the rest. Returns when it began, and a run
/// that lacks its probes.
async fn load(
    target: &Arc<Target>,
    concurrency: usize,
) -> Result<(Instant, Run), Failure> {
    let mut flying = JoinSet::new();
    let request = |is_first: bool| {
        let (target, sent) = (target.clone(), Instant::now());
        async move { (is_first, sent, target.blocking().await, Instant::now()) }
    };
    let start = Instant::now();
    let (blocking, probes) = Default::default();
    let mut run = Run { blocking, until_ms: 0.0, probes };
    let mut waiting = concurrency;
    for _ in 0..concurrency {
        flying.spawn(request(true));
    }
    while let Some(answer) = flying.join_next().await {
        let (is_first, sent, answer, answered) = answer?;
        let counted = answer?;
        if waiting == 0 {
            continue;
        }
        run.blocking.push(Request {
            sent_ms: milliseconds(sent - start),
            took_ms: milliseconds(answered - sent),
            counted,
        });
        run.until_ms = milliseconds(answered - start);
        waiting -= usize::from(is_first);
        if waiting > 0 {
            flying.spawn(request(false));
        }
    }
    Ok((start, run))
}

/// A probe of a run that began at `start`.
fn sample(probe: probe::Probe, start: Instant) -> Probe {
    let since = probe.intended.saturating_duration_since(start);
    let before = start.saturating_duration_since(probe.intended);
    let latency = probe.latency.as_ref();
    Probe {
        at_ms: milliseconds(since) - milliseconds(before),
        late_ms: milliseconds(probe.late),
        latency_ms: latency.ok().map(|time| milliseconds(*time)),
        error: latency.err().map(failure),
    }
}

/// Why a server failed: if it has ended, how, and its last line.
async fn last_words(
    server: Option<harness::Server>,
    error: Failure,
) -> Failure {
    let Some(mut server) = server else { return error };
    let start = Instant::now();
    while !server.has_ended() {
        if start.elapsed() > LAST_BREATH {
            return error;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let ended = match spawn_blocking(|| server.kill()).await {
        Ok(ended) => ended,
        Err(error) => return error.into(),
    };
    let last = match last_line(&ended.stderr) {
        Some(line) => format!("its last words: {line}"),
        None => "it printed nothing".into(),
    };
    format!("it ended ({}); {last}", ended.status).into()
}
