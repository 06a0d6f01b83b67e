//! What the measurements show, in sentences.

use crate::{
    format::{counted, percent, short, tick},
    results::{BASELINE, Latencies, Results, Server, Settings},
};

/// Times that differ by less than this count as the same.
const NOISE: f64 = 0.1;

/// A server that answers at least this share in time is live.
const LIVE: f64 = 0.9;

/// One that answers at most this share in time, and makes a client wait for
/// half of /blocking, is frozen.
const FROZEN: f64 = 0.1;

/// Runs that differ by more than this were disturbed.
const DISTURBED: f64 = 0.25;

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

/// Everything that follows from the measurements.
pub fn all(results: &Results) -> impl Iterator<Item = String> {
    findings(results).into_iter().chain(doubts(results))
}

/// A sentence for each server that was measured.
pub fn findings(results: &Results) -> Vec<String> {
    let settings = &results.settings;
    let servers = results.servers.iter();
    servers.filter_map(|server| finding(server, settings)).collect()
}

fn finding(server: &Server, settings: &Settings) -> Option<String> {
    let (during, name) = (server.during?, &server.name);
    let (blocking, answered) = (server.blocking?, during.answered?);
    let waits = answered.worst_ms >= blocking.median_ms / 2.0;
    let state = match during.in_time_share() {
        ..=FROZEN if waits => "froze",
        ..LIVE => "stuttered",
        _ => "stayed live",
    };
    let rest = if state == "stayed live" {
        format!(", 99 % of them within {}", short(answered.p99_ms))
    } else {
        format!(", and the worst took {}", short(answered.worst_ms))
    };
    let failed = match server.failed_probes() {
        Some((count, why)) => {
            format!("; {} failed: {why}", counted(count, "probe"))
        }
        None => String::new(),
    };
    Some(format!(
        "{name} {state}: while /blocking ran ({}), {}{rest}{}{failed}.",
        short(blocking.median_ms),
        answers(&during, settings),
        speed(server, settings),
    ))
}

/// Why not everything could be measured.
pub fn lacks(server: &Server) -> Option<&str> {
    const TOO_SHORT: &str =
        "/blocking was over before it could be probed: raise --iterations";
    let too_short = server.during.is_none().then_some(TOO_SHORT);
    server.error.as_deref().or(too_short)
}

fn answers(during: &Latencies, settings: &Settings) -> String {
    let limit = tick(settings.in_time_ms);
    let probes = during.probes;
    match during.in_time {
        0 => format!("none of {probes} probes was answered within {limit}"),
        all if all == probes => {
            format!("all {probes} probes were answered within {limit}")
        }
        _ => {
            let share = percent(during.in_time_share());
            format!("{share} of {probes} probes were answered within {limit}")
        }
    }
}

fn speed(server: &Server, settings: &Settings) -> String {
    if !server.counts_to(settings.iterations) {
        return format!(
            "; it counts to another number than {}, so the times can't be \
             compared",
            settings.iterations
        );
    }
    let Some(speed_up) = server.speed_up.filter(|_| server.name != BASELINE)
    else {
        return String::new();
    };
    match speed_up {
        slower if slower < 1.0 / (1.0 + NOISE) => {
            format!("; it took {:.2} times as long as {BASELINE}", 1.0 / slower)
        }
        faster if faster > 1.0 + NOISE => {
            format!("; it was {faster:.2} times as fast as {BASELINE}")
        }
        _ => format!("; it took as long as {BASELINE}"),
    }
}

/// Reasons to doubt the measurements: the machine had other work, or the prober
/// was late.
fn doubts(results: &Results) -> impl Iterator<Item = String> {
    disturbance(results).into_iter().chain(lateness(results))
}

fn disturbance(results: &Results) -> Option<String> {
    let differ = |server: &Server| {
        let blocking = server.blocking?;
        let differ = blocking.max_ms / blocking.min_ms - 1.0;
        // Requests that are in flight together wait for each other.
        (results.settings.concurrency == 1).then_some(differ)
    };
    let most = results.servers.iter().filter_map(differ).fold(0.0, f64::max);
    (most > DISTURBED).then(|| {
        format!(
            "The same server took up to {:.0} % longer in one run than in \
             another: the machine had other work. End that, and measure again.",
            most * 100.0
        )
    })
}

/// How late the prober itself was, if at all.
fn lateness(results: &Results) -> Option<String> {
    let servers = results.servers.iter().filter_map(|server| {
        let late = server.during?.late.p99_ms;
        (late >= LATE_MS).then_some((late, server.name.as_str()))
    });
    let (late, names): (Vec<_>, Vec<_>) = servers.unzip();
    let worst = late.into_iter().reduce(f64::max)?;
    Some(format!(
        "The prober needs a core too and didn't always get one: it was up to \
         {} late (p99) while /blocking ran in {}. The latencies include it.",
        short(worst),
        names.join(", "),
    ))
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
            server("step2-single-worker", vec![run(1_000.0, stutters)]),
        ];
        let sentences = findings(&results);
        assert!(sentences[0].starts_with("step1-blocking stayed live"));
        assert!(sentences[1].starts_with("step2-single-worker stuttered"));
        assert_eq!(doubts(&results).next(), None);
    }
}
