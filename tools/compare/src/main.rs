//! Measures the steps side by side: see the library.

use std::process::ExitCode;

use compare::{
    measure::{Failure, carry_out, is_ready},
    options::Options,
    plan::Plan,
    show, stage,
};
use tokio::signal;

/// As a shell reports it for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = Options::read();
    let outcome = match options.diff() {
        Some((before, after)) => difference::print(before, after)
            .map(|()| ExitCode::SUCCESS)
            .map_err(Into::into),
        None => until_stopped(&options),
    };
    outcome.unwrap_or_else(|error: Failure| {
        common::log(format_args!("compare: {error}"));
        ExitCode::FAILURE
    })
}

#[tokio::main(flavor = "current_thread")]
async fn until_stopped(options: &Options) -> Result<ExitCode, Failure> {
    // Everything that `compare` has started is killed when it is dropped.
    tokio::select! {
        // It listens for signals before anything is started.
        biased;
        Ok(()) = stopped() => {
            common::log("stopped; nothing is left running");
            Ok(ExitCode::from(INTERRUPTED))
        }
        outcome = compare(options) => {
            Ok(ExitCode::from(u8::from(!outcome?)))
        }
    }
}

/// Measures, and returns whether everything could be measured.
async fn compare(options: &Options) -> Result<bool, Failure> {
    if options.live {
        return stage::run(options).await;
    }
    let plan = Plan::new(options);
    if options.ready {
        return is_ready(&plan).await;
    }
    let results = carry_out(&plan).await?;
    show::all(&results, &options.report)?;
    Ok(results.is_complete())
}

/// Waits for Ctrl-C, or for another signal that ends programs.
#[cfg(unix)]
async fn stopped() -> std::io::Result<()> {
    use signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        outcome = signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
use signal::ctrl_c as stopped;
