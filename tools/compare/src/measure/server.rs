//! One run: /blocking, with probes at the same time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use common::milliseconds;
use futures::future::try_join_all;
use tokio::{task::spawn_blocking, time::sleep};

use super::{
    probe::{self, Failure, Target, probe_until},
    programs::{Programs, reach},
};
use crate::{
    format::{failure, last_line},
    plan::{AFTER, BEFORE, Plan, Subject},
    results::{Probe, Request, Run},
};

/// Starts the server unless it runs already, measures it once, and stops it.
///
/// # Errors
/// When it can't be measured: why, and what the server printed last.
pub async fn run(
    subject: &Subject,
    plan: &Plan,
    programs: &Programs,
) -> Result<Run, Failure> {
    let count = plan.settings.iterations;
    let (server, target) = reach(subject, plan, programs, count).await?;
    let measured = load_and_probe(target, plan).await;
    let (Err(error), Some(server)) = (&measured, server) else {
        return measured;
    };
    let printed = spawn_blocking(|| server.kill().stderr).await?;
    match last_line(&printed) {
        Some(line) => Err(format!("{error}; its last words: {line}").into()),
        None => measured,
    }
}

async fn load_and_probe(target: Target, plan: &Plan) -> Result<Run, Failure> {
    let target = Arc::new(target);
    target.non_blocking().await?;
    let interval = Duration::from_millis(plan.settings.interval_ms as u64);
    let load = async {
        // Then half of the interval, so that no probe is sent at the same
        // moment as /blocking.
        sleep(BEFORE + interval / 2).await;
        let start = Instant::now();
        let requests = (0..plan.settings.concurrency).map(|_| async {
            let counted = target.blocking().await?;
            let took_ms = milliseconds(start.elapsed());
            Ok::<_, Failure>(Request { took_ms, counted })
        });
        let blocking = try_join_all(requests).await;
        sleep(AFTER).await;
        (start, blocking)
    };
    let ((start, blocking), probes) =
        probe_until(load, &target, interval).await;
    let blocking = blocking?;
    let until_ms = blocking.iter().map(|it| it.took_ms).fold(0.0, f64::max);
    let probes = probes.into_iter().map(|probe| sample(probe, start));
    Ok(Run { blocking, until_ms, probes: probes.collect() })
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
