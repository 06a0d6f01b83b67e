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
    options::{Options, Subject},
    results::{Probe, Request, Run},
};

/// How long a server is probed idle, before /blocking is sent.
const BEFORE: Duration = Duration::from_millis(500);

/// How long a process that has just broken a connection may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// How long it is still probed after /blocking was answered.
const AFTER: Duration = Duration::from_millis(300);

/// Starts the server unless it runs already, measures it once, and stops it.
///
/// # Errors
/// When it can't be measured: why, and what the server printed last.
pub async fn run(
    subject: &Subject,
    options: &Options,
    programs: &Programs,
) -> Result<Run, Failure> {
    let reached =
        reach(subject, options.iterations, options.threads, options, programs);
    let (server, target) = reached.await?;
    let measured = load_and_probe(target, options).await;
    let (Err(_), Some(mut server)) = (&measured, server) else {
        return measured;
    };
    let start = Instant::now();
    while !server.has_ended() {
        if start.elapsed() > LAST_BREATH {
            return measured;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let ended = spawn_blocking(|| server.kill()).await?;
    let last = last_line(&ended.stderr).unwrap_or("nothing");
    let status = ended.status;
    Err(format!("it ended ({status}); its last words: {last}").into())
}

async fn load_and_probe(
    target: Target,
    options: &Options,
) -> Result<Run, Failure> {
    let target = Arc::new(target);
    target.non_blocking().await?;
    let interval = options.interval();
    let load = async {
        // Then half of the interval, so that no probe is sent at the same
        // moment as /blocking.
        sleep(BEFORE + interval / 2).await;
        let start = Instant::now();
        let requests = (0..options.concurrency).map(|_| async {
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
