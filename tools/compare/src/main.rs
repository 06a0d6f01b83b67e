//! Measures the steps side by side: see the library.

use std::{env, process::ExitCode};

use compare::{
    measure::{Failure, measure},
    options::Options,
    plan::Plan,
    show::{self, report::Report},
    stage,
};
use tokio::{signal, task::spawn_blocking};

/// Of everything, as a shell reports it for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    difference::terminal(env::args_os())
        .unwrap_or_else(|| until_stopped(&Options::read()))
}

#[tokio::main(flavor = "current_thread")]
async fn until_stopped(options: &Options) -> ExitCode {
    // Whatever `compare` has started is killed when it is dropped.
    let outcome = tokio::select! {
        outcome = compare(options) => outcome,
        () = stopped() => {
            common::log("stopped; nothing is left running");
            return ExitCode::from(INTERRUPTED);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            common::log(format_args!("compare: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures, and returns whether all that was asked for could be measured.
async fn compare(options: &Options) -> Result<bool, Failure> {
    if options.live {
        return stage::run(options).await;
    }
    let folder = options.report();
    let report = spawn_blocking(move || Report::create(&folder)).await??;
    let plan = Plan::of(options).await?;
    let results = measure(&plan, options.quiet).await?;
    let is_complete = results.is_complete();
    spawn_blocking(move || show::all(&results, &report)).await??;
    Ok(is_complete)
}

async fn stopped() {
    let interrupt = signal::ctrl_c();
    #[cfg(unix)]
    let terminate = async {
        use signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::hangup()];
        match kinds.map(signal) {
            [Ok(mut terminate), Ok(mut hangup)] => tokio::select! {
                _ = terminate.recv() => (),
                _ = hangup.recv() => (),
            },
            _ => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        Ok(()) = interrupt => (),
        _ = terminate => (),
        else => std::future::pending().await,
    }
}
