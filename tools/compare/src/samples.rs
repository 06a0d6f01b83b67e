//! Made-up measurements for the tests.

use crate::results::{
    IN_TIME_MS, Machine, Probe, Request, Results, Run, Scaled, Server, Settings,
};

pub const ITERATIONS: u64 = 10_000_000_000;

/// A run of a server that freezes while /blocking runs.
pub fn frozen(took_ms: f64) -> Run {
    run(took_ms, |at| {
        let freezes = (0.0..took_ms).contains(&at);
        Some(if freezes { took_ms - at + 0.4 } else { 0.4 })
    })
}

/// A run of a server that answers all the time.
pub fn live(took_ms: f64) -> Run {
    run(took_ms, |at| Some(if at > 0.0 { 1.2 } else { 0.4 }))
}

/// A run with a probe every 10 ms, each with this latency at its moment.
pub fn run(took_ms: f64, latency_ms: impl Fn(f64) -> Option<f64>) -> Run {
    let last = (took_ms / 10.0) as i32 + 30;
    let probe = |n: i32| {
        let at_ms = f64::from(n) * 10.0 + 5.0;
        let latency_ms = latency_ms(at_ms);
        Probe {
            at_ms,
            late_ms: 0.06,
            latency_ms,
            error: latency_ms.is_none().then(|| "connection closed".into()),
        }
    };
    Run {
        blocking: vec![Request { took_ms, counted: ITERATIONS }],
        until_ms: took_ms,
        probes: (-100..last).map(probe).collect(),
    }
}

pub fn server(name: &str, runs: Vec<Run>) -> Server {
    Server { name: name.into(), error: None, runs }
}

/// Two steps and four peers: one died, one counts further, one was disturbed,
/// and one was too fast to be probed.
pub fn comparison() -> Results {
    let mut late = live(1_500.0);
    for probe in &mut late.probes {
        probe.late_ms = 5.0;
    }
    let mut further = live(6_200.0);
    further.blocking[0].counted *= 2;
    let died = run(2_000.0, |at| (at < 1_000.0).then_some(30.0));
    let mut died = server("died <early>", vec![died]);
    let error = "failed in run 2 of 3: it ended (signal: 9); its last words: \
                 thread 'main' panicked at <main.rs>:17: out of & luck";
    died.error = Some(error.into());
    let scaled = |threads, runs_ms: &[f64]| Scaled {
        threads,
        error: runs_ms.is_empty().then(|| "no thread is free".into()),
        runs_ms: runs_ms.to_vec(),
    };
    Results {
        machine: Machine {
            cpu: "A CPU".into(),
            cores: 2,
            os: "An OS".into(),
            profile: "release".into(),
        },
        settings: Settings {
            iterations: ITERATIONS,
            threads: 2,
            concurrency: 1,
            runs: 3,
            interval_ms: 10,
            in_time_ms: IN_TIME_MS,
        },
        servers: vec![
            server("step1-blocking", vec![frozen(3_010.0), frozen(3_400.0)]),
            server("step2-single-worker", vec![live(3_020.0), live(3_030.0)]),
            died,
            server("a-peer-with-a-long-name", vec![further]),
            server("disturbed", vec![live(1_000.0), late]),
            server("short", vec![run(4.0, |_| Some(0.4))]),
        ],
        scaling: vec![
            scaled(1, &[3_000.0, 3_010.0, 2_990.0]),
            scaled(2, &[1_530.0, 1_500.0, 1_510.0]),
            scaled(8, &[]),
        ],
    }
}
