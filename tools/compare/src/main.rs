//! Measures the steps side by side: see the library.

use std::process::ExitCode;

use compare::{
    measure::{Failure, carry_out},
    options::Options,
    show, stage,
};
use tokio::signal;

/// As a shell reports it for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::read();
    if let Some((before, after)) = options.diff() {
        let shown = difference::print(before, after);
        return status(shown.map(|()| ExitCode::SUCCESS).map_err(Into::into));
    }
    // Everything that `compare` has started is killed when it is dropped.
    let complete = tokio::select! {
        // It listens for signals before anything is started.
        biased;
        Ok(()) = stopped() => {
            common::log("stopped; nothing is left running");
            return ExitCode::from(INTERRUPTED);
        }
        complete = run(&options) => complete,
    };
    status(complete.map(|is_complete| ExitCode::from(u8::from(!is_complete))))
}

fn status(outcome: Result<ExitCode, Failure>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        common::log(format!("compare: {error}"));
        ExitCode::FAILURE
    })
}

/// Does what is asked for, and returns whether all of it could be done.
async fn run(options: &Options) -> Result<bool, Failure> {
    if options.live {
        return stage::run(options).await;
    }
    let results = carry_out(options).await?;
    if options.ready {
        return Ok(show::is_ready(&results)?);
    }
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
