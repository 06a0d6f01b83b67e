//! How many threads, how many slots, how many machines.

mod plan;

use std::{env, process::ExitCode};

use plan::Load;

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
