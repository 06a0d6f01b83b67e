//! One server: several runs of /blocking, probed meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use crate::{
    options::Options,
    probe::{self, Failure, Target, probe_until},
    progress::Progress,
    results::{Probe, Request, Run, Server, in_words, milliseconds, plain},
    stats::Latencies,
    steps::{self, Subject},
};

/// How long a server is probed idle, before /blocking is sent.
pub const BEFORE: Duration = Duration::from_secs(1);

/// How long it is probed on, after /blocking was answered.
pub const AFTER: Duration = Duration::from_millis(300);

/// How long a process that has just broken a connection may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// What is said of a failure may be so many characters long.
const LONGEST: usize = 400;

/// Starts the server if it is a step, measures it, and stops it.
pub async fn measure(
    subject: &Subject<'_>,
    options: &Options,
    progress: &mut Progress,
) -> Server {
    let mut runs = Vec::new();
    let (name, url) = (subject.name(), subject.url());
    let outcome = match subject {
        Subject::Peer { url, .. } => {
            run_all(name, url, None, options, progress, &mut runs)
                .await
                .map_err(|error| format!("{url}: {error}").into())
        }
        Subject::Step { program, .. } => {
            let iterations = options.iterations.get();
            let threads = options.threads.get();
            match steps::start(program, iterations, threads).await {
                Ok(server) => {
                    let (url, count) = (server.url(), Some(iterations));
                    let all =
                        run_all(name, url, count, options, progress, &mut runs);
                    match all.await {
                        Ok(()) => Ok(()),
                        Err(error) => Err(why(server, error).await),
                    }
                }
                Err(error) => Err(ends(&error.to_string()).into()),
            }
        }
    };
    let error = outcome.err().map(|error| {
        let (run, all) = (runs.len() + 1, options.runs);
        plain(&format!("failed in run {run} of {all}: {error}"), LONGEST)
    });
    if let Some(error) = &error {
        progress.line(&format!("{name} {error}"));
    }
    Server::new(name, url, runs, error)
}

/// Measures the server at `url` and adds each run to `runs`. If `count` is
/// given, /blocking has to count as far as that.
async fn run_all(
    name: &str,
    url: &str,
    count: Option<u64>,
    options: &Options,
    progress: &mut Progress,
    runs: &mut Vec<Run>,
) -> Result<(), Failure> {
    let target = Target::find(url, progress.patience(), count).await?;
    let target = Arc::new(target);
    target.non_blocking().await?;
    for run in 1..=options.runs.get() {
        progress.begin(name, run);
        let load = async {
            // Then half of the interval, so that no probe is sent at the same
            // moment as /blocking.
            sleep(BEFORE + options.interval() / 2).await;
            let load = load(&target, options.concurrency.get()).await;
            sleep(AFTER).await;
            load
        };
        let (load, probes) =
            probe_until(load, &target, options.interval(), || progress.tick())
                .await;
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
                error: latency.err().map(|it| plain(&it.to_string(), LONGEST)),
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
    let took = in_words(run.until_ms);
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

/// The first and the last line of a long message.
pub fn ends(message: &str) -> String {
    let first = message.lines().next().unwrap_or("");
    match last_line(message).filter(|last| *last != first) {
        Some(last) => plain(&format!("{first}; {last}"), LONGEST),
        None => plain(first, LONGEST),
    }
}

/// The last line with something in it. What a panic adds about backtraces
/// says nothing.
fn last_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| !line.is_empty() && !line.starts_with("note: "))
}
