//! How many threads, how many slots, how many machines.

use std::{env, process::ExitCode};

/// How busy the cores may be. Beyond that, requests that happen to arrive
/// together wait long.
const BUSY: f64 = 0.7;

/// What you have to know about the work and its clients.
struct Load {
    /// How long one request keeps one core, in seconds.
    job: f64,
    /// How many cores a machine has for this work.
    cores: f64,
    /// How long a client is willing to wait, in seconds.
    patience: f64,
    /// How many requests arrive per second at the busiest time.
    rate: f64,
}

fn main() -> ExitCode {
    let words = env::args().skip(1);
    let numbers: Option<Vec<f64>> = words
        .map(|word| word.parse().ok().filter(|it: &f64| *it > 0.0))
        .collect();
    let Some([job, cores, patience, rate]) = numbers.as_deref() else {
        eprintln!(
            "expected four numbers above 0: how many seconds a request keeps \
             one core, cores, how many seconds a client waits, requests a \
             second; for instance 0.4 2 4 3"
        );
        return ExitCode::from(2);
    };
    let load =
        Load { job: *job, cores: *cores, patience: *patience, rate: *rate };
    println!("threads   {}", load.cores);
    println!("at most   {:.1} requests a second", load.most());
    println!("slots     {}", load.slots());
    println!("busy      {:.0} % of one machine", 100.0 * load.busy());
    println!("machines  {}", load.machines());
    ExitCode::SUCCESS
}

impl Load {
    /// How many requests per second one machine can handle.
    fn most(&self) -> f64 {
        self.cores / self.job
    }

    /// How many can be admitted so that the last is done in time: `QUEUE`.
    fn slots(&self) -> f64 {
        (self.patience * self.most()).floor()
    }

    /// The fraction of one machine's time that the work takes. Beyond 1, the
    /// queue never empties.
    fn busy(&self) -> f64 {
        self.rate / self.most()
    }

    /// How many machines it takes to keep the cores free enough.
    fn machines(&self) -> f64 {
        (self.busy() / BUSY).ceil().max(1.0)
    }
}
