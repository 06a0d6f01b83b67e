//! What every example here prints: measurements for the book, as JSON.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Prints a table, the machine it was measured on, and the command.
pub fn print(example: &str, columns: &[&str], rows: Vec<Value>) {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let (cpu, os) = (harness::cpu(), harness::os());
    let figures = json!({
        "machine": format!("{cpu}, {cores} cores, {os}"),
        "command": format!(
            "cargo run --release -p {} --example {example} \
             > docs/results/{example}.json",
            env!("CARGO_PKG_NAME"),
        ),
        "columns": columns,
        "rows": rows,
    });
    println!("{figures:#}");
}

/// The median times of the runs, in microseconds, to three digits. The ways take
/// turns, so that a disturbance affects them all.
pub fn medians<const N: usize>(
    runs: usize,
    mut ways: [&mut dyn FnMut(); N],
) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..runs {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            let start = Instant::now();
            way();
            times.push(start.elapsed());
        }
    }
    times.map(|mut times: Vec<Duration>| {
        times.sort();
        three_digits(times[runs / 2].as_secs_f64() * 1e6)
    })
}

/// No measurement here is more precise than that.
pub fn three_digits(value: f64) -> f64 {
    let shown = format!("{value:.2e}");
    shown.parse().expect("it was a number before")
}
