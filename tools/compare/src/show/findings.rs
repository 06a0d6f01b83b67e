//! What the measurements show, in sentences.

use crate::{
    format::{counted, percent, short},
    results::{BASELINE, Results, Server, Settings, Times},
};

/// A server that answers at least this share in time is live.
const LIVE: f64 = 0.9;

/// One that answers at most this share in time, and makes a client wait for
/// half of /blocking, is frozen.
const FROZEN: f64 = 0.1;

/// Runs that differ by more than this were disturbed.
const DISTURBED: f64 = 0.25;

/// They run the same loop, each on one thread.
const ONE_LOOP: [&str; 2] = [BASELINE, "step2-single-worker"];

/// If these two differ by more than this, it is the machine that differs.
const CHANGED: f64 = 0.5;

/// A prober that runs later than this is mentioned.
const LATE_MS: f64 = 1.0;

/// What it was measured on.
pub fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let cores = counted(machine.cores, "core");
    format!("{}, {cores} available, {}", machine.cpu, machine.os)
}

/// What was asked for.
pub fn settings(results: &Results) -> String {
    let it = &results.settings;
    format!(
        "{} build, {} iterations, {}, {} /blocking in flight, {}, a probe \
         every {} ms on a fresh connection",
        results.machine.profile,
        it.iterations,
        counted(it.threads, "thread"),
        it.concurrency,
        counted(it.runs, "run"),
        it.interval_ms,
    )
}

/// Everything that follows from the measurements, and the reasons to doubt them.
pub fn findings(results: &Results) -> Vec<String> {
    let mut findings = Vec::new();
    for server in &results.servers {
        findings.extend(verdict(server, &results.settings));
        findings.extend(lack(server));
    }
    for scaled in &results.scaling {
        let threads = counted(scaled.threads, "thread");
        let error = scaled.error.as_ref();
        findings.extend(error.map(|error| format!("{threads}: {error}")));
    }
    findings.extend(doubts(results));
    findings
}

fn verdict(server: &Server, settings: &Settings) -> Option<String> {
    let (name, blocking) = (&server.name, server.blocking()?);
    let probes = server.during().count();
    if probes == 0 {
        return None;
    }
    let in_time = server.during().filter(|probe| probe.is_in_time()).count();
    let share = in_time as f64 / probes as f64;
    let slowest = server.latencies().map(|times| times.percentile(100));
    let waits = slowest.is_none_or(|ms| ms >= blocking.median() / 2.0);
    let state = match share {
        ..=FROZEN if waits => "froze",
        ..LIVE => "stuttered",
        _ => "stayed live",
    };
    let mut sentence = format!(
        "{name} {state}: {} of {probes} /non-blocking requests were answered \
         within {} ms",
        percent(share),
        settings.in_time_ms,
    );
    if let Some(ms) = slowest {
        sentence += &format!("; the slowest took {}", short(ms));
    }
    let mut errors = server.during().filter_map(|probe| probe.error.as_ref());
    if let Some(error) = errors.next() {
        sentence += &format!("; {} failed: {error}", 1 + errors.count());
    }
    if !server.counts_to(settings.iterations) {
        sentence += "; it counts to a different number, so its times can't be \
                     compared";
    }
    Some(sentence + ".")
}

/// Why not everything could be measured.
fn lack(server: &Server) -> Option<String> {
    let name = &server.name;
    match &server.error {
        Some(error) => Some(format!("{name} {error}")),
        None if !server.is_complete() => Some(format!(
            "{name} was too fast: /blocking was over before it could be \
             probed; raise --iterations"
        )),
        None => None,
    }
}

/// The reasons to doubt the measurements.
fn doubts(results: &Results) -> Vec<String> {
    let mut doubts = Vec::new();
    let times = results.servers.iter().filter_map(Server::blocking);
    let more = times.map(|times| longer(&times)).fold(0.0, f64::max);
    // Requests that are in flight together wait for each other.
    let is_alone = results.settings.concurrency == 1;
    if is_alone && more > DISTURBED {
        doubts.push(format!(
            "The same server took up to {:.0} % longer in one run than in \
             another: the machine had other work. End that, and measure again.",
            more * 100.0
        ));
    }
    let both =
        results.servers.iter().filter(|it| ONE_LOOP.contains(&&*it.name));
    let medians = both.filter_map(|server| Some(server.blocking()?.median()));
    let more = Times::new(medians).map_or(0.0, |times| longer(&times));
    if is_alone && more > CHANGED {
        doubts.push(format!(
            "Steps 1 and 2 run the same loop on one thread, but one took \
             {:.0} % longer than the other: the machine changed its speed. \
             Measure again on a quiet machine.",
            more * 100.0
        ));
    }
    let late = results.servers.iter().filter_map(|server| {
        let late = Times::new(server.during().map(|probe| probe.late_ms))?;
        Some(late.percentile(99))
    });
    let late = late.fold(0.0, f64::max);
    if late >= LATE_MS {
        doubts.push(format!(
            "The prober needs a core too and didn't always get one: it was up \
             to {} late (p99). The latencies include that.",
            short(late)
        ));
    }
    doubts
}

/// How much longer the longest took than the shortest: 1 is twice as long.
fn longer(times: &Times) -> f64 {
    times.percentile(100) / times.percentile(0) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{comparison, live, run, server};

    #[test]
    fn sentences_follow_the_measurements_not_the_names() {
        let mut results = comparison();
        let stutters =
            |at: f64| Some(if at % 100.0 < 50.0 { 40.0 } else { 1.0 });
        results.servers = vec![
            server("step1-blocking", vec![live(1_000.0)]),
            server("step2-single-worker", vec![run(1_490.0, stutters)]),
            server("step3-multi-worker", vec![run(1_000.0, |_| None)]),
        ];
        results.scaling.clear();
        let [first, second, third] = &findings(&results)[..] else { panic!() };
        assert!(first.starts_with("step1-blocking stayed live"));
        assert!(second.starts_with("step2-single-worker stuttered"));
        assert!(third.starts_with("step3-multi-worker froze: 0 % of "));

        results.servers[1].runs = vec![live(1_510.0)];
        let doubt = findings(&results).pop().unwrap();
        assert!(doubt.contains("one took 51 % longer"), "{doubt}");
        results.settings.concurrency = 2;
        assert_eq!(findings(&results).len(), 3, "step 1 counts one by one");
    }
}
