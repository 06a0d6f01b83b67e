//! One server: several runs of /blocking, probed meanwhile.

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
    programs::{self, Programs},
    progress::Progress,
};
use crate::{
    plan::{AFTER, BEFORE, Plan, Source, Subject},
    results::{Latencies, Probe, Request, Run, Server},
    words::{self, failure, last_line},
};

/// How long a process that has just broken a connection may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// Starts the server unless it runs already, measures it, and stops it.
pub async fn measure(
    subject: &Subject,
    plan: &Plan,
    programs: &Programs,
    progress: &mut Progress,
) -> Server {
    let name = &subject.name;
    let mut runs = Vec::new();
    let url = match &subject.source {
        Source::Url(url) => Some(url.as_str()),
        Source::Step | Source::Example | Source::Node => None,
    };
    let outcome = match url {
        Some(url) => run_all(name, url, None, plan, progress, &mut runs)
            .await
            .map_err(|error| format!("{url}: {error}").into()),
        None => run_program(name, plan, programs, progress, &mut runs).await,
    };
    let error = outcome.err().map(|error| {
        let (run, all) = (runs.len() + 1, plan.settings.runs);
        failure(format!("failed in run {run} of {all}: {error}"))
    });
    if let Some(error) = &error {
        progress.line(&format!("{name} {error}"));
    }
    Server::new(name, url, runs, error)
}

async fn run_program(
    name: &str,
    plan: &Plan,
    programs: &Programs,
    progress: &mut Progress,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    let iterations = plan.settings.iterations;
    let threads = plan.settings.threads;
    let server = programs::start(programs, name, iterations, threads).await;
    let server = server.map_err(words::ends)?;
    let (url, count) = (server.url(), Some(iterations));
    match run_all(name, url, count, plan, progress, runs).await {
        Ok(()) => Ok(()),
        Err(error) => Err(why(server, error).await),
    }
}

/// Measures the server at `url` and adds each run to `runs`. If `count` is
/// given, /blocking has to count as far as that.
async fn run_all(
    name: &str,
    url: &str,
    count: Option<u64>,
    plan: &Plan,
    progress: &mut Progress,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    let target = Arc::new(Target::find(url, plan.patience(), count).await?);
    target.non_blocking().await?;
    let interval = Duration::from_millis(plan.settings.interval_ms as u64);
    for run in 1..=plan.settings.runs {
        progress.begin(name, run);
        let load = async {
            // Then half of the interval, so that no probe is sent at the same
            // moment as /blocking.
            sleep(BEFORE + interval / 2).await;
            let load = load(&target, plan.settings.concurrency).await;
            sleep(AFTER).await;
            load
        };
        let tick = || progress.tick();
        let (load, probes) = probe_until(load, &target, interval, tick).await;
        let run = load?.probed(probes);
        progress.end(&said(&run));
        runs.push(run);
    }
    Ok(())
}

/// The requests to /blocking of one run.
struct Load {
    sent: Instant,
    until: Instant,
    requests: Vec<Request>,
}

/// Keeps `concurrency` requests to /blocking in flight until each of the
/// first is answered, and waits for the rest.
async fn load(
    target: &Arc<Target>,
    concurrency: usize,
) -> Result<Load, Failure> {
    let mut flying = JoinSet::new();
    let request = |is_first: bool| {
        let (target, sent) = (target.clone(), Instant::now());
        async move { (is_first, sent, target.blocking().await, Instant::now()) }
    };
    let start = Instant::now();
    let mut load = Load { sent: start, until: start, requests: Vec::new() };
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
        load.requests.push(Request {
            sent_ms: milliseconds(sent - start),
            took_ms: milliseconds(answered - sent),
            counted,
        });
        load.until = answered;
        waiting -= usize::from(is_first);
        if waiting > 0 {
            flying.spawn(request(false));
        }
    }
    Ok(load)
}

impl Load {
    fn probed(self, probes: Vec<probe::Probe>) -> Run {
        let since = |moment: Instant| {
            if moment < self.sent {
                -milliseconds(self.sent - moment)
            } else {
                milliseconds(moment - self.sent)
            }
        };
        let probes = probes.into_iter().map(|probe| {
            let latency = probe.latency.as_ref();
            Probe {
                at_ms: since(probe.intended),
                late_ms: milliseconds(probe.late),
                latency_ms: latency.ok().map(|it| milliseconds(*it)),
                error: latency.err().map(failure),
            }
        });
        Run {
            until_ms: since(self.until),
            probes: probes.collect(),
            blocking: self.requests,
        }
    }
}

fn said(run: &Run) -> String {
    let during = Latencies::of(run.during());
    let (in_time, all) =
        during.map_or((0, 0), |during| (during.in_time, during.probes));
    let took = words::short(run.until_ms);
    format!("/blocking {took}, {in_time} of {all} probes in time")
}

/// Why a step failed: it may have ended.
async fn why(mut server: harness::Server, error: Failure) -> Failure {
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
    let said = match last_line(&ended.stderr) {
        Some(line) => format!("its last words: {line}"),
        None => "it said nothing".into(),
    };
    format!("it ended ({}); {said}", ended.status).into()
}
