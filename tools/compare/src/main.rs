//! Runs the steps one after another and measures what their users feel.
//!
//! | module | what it holds |
//! |---|---|
//! | `options` | the command line |
//! | `steps` | the list of steps; building and starting them |
//! | `probe` | requests on a fixed schedule |
//! | `measure` | one server, from its start to its end |
//! | `scaling` | the time of step 3 against its threads |
//! | `stats` | percentiles, median, spread |
//! | `results` | all that was measured: what `results.json` holds |
//! | `table`, `timeline`, `findings` | what the terminal shows |
//! | `chart`, `report` | SVG and HTML |
//! | `progress`, `machine` | what runs now, and on what |

mod chart;
mod findings;
mod machine;
mod measure;
mod options;
mod probe;
mod progress;
mod report;
mod results;
#[cfg(test)]
mod samples;
mod scaling;
mod stats;
mod steps;
mod table;
mod timeline;

use std::{
    error::Error,
    io::{ErrorKind, Write},
    path::Path,
    process::ExitCode,
};

use machine::Machine;
use options::Options;
use progress::Progress;
use report::Report;
use results::Results;
use tokio::{signal, task::spawn_blocking};

/// Of everything, as a shell reports it for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if let Some(code) = difference::terminal(std::env::args_os()) {
        return code;
    }
    let options = Options::read();
    // Whatever `compare` has started is killed when it is dropped.
    let outcome = tokio::select! {
        outcome = compare(&options) => outcome,
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
async fn compare(options: &Options) -> Result<bool, Box<dyn Error>> {
    let folder = options.report();
    let report = spawn_blocking(move || Report::create(&folder)).await??;
    let programs = steps::build(options).await?;
    let mut progress = Progress::start(options).await?;

    let mut servers = Vec::new();
    for subject in options.subjects(&programs) {
        servers.push(measure::measure(&subject, options, &mut progress).await);
    }
    let scaling = scaling::measure(&programs, options, &mut progress).await;
    progress.finish();

    let machine = Machine::this();
    let results = Results::new(machine, options.settings(), servers, scaling);
    let is_complete = results.is_complete();
    spawn_blocking(move || show(&results, &report)).await??;
    Ok(is_complete)
}

/// What was measured is shown, whether or not it can be kept.
fn show(results: &Results, report: &Report) -> Result<(), String> {
    let written = report.write(results);
    print(results, written.as_deref().ok())?;
    written.map(|_| ())
}

/// Colours go where they are wanted: see `NO_COLOR` and `CLICOLOR_FORCE`.
fn print(results: &Results, report: Option<&Path>) -> Result<(), String> {
    let mut parts = vec![
        report::heading(results).map(|it| table::wrap(&it)).join("\n"),
        table::servers(results),
        timeline::timeline(results),
    ];
    let mut sentences = findings::findings(results);
    if !results.scaling.is_empty() {
        parts.push(table::scaling(results));
        sentences.extend(findings::scaling(results));
    }
    sentences.extend(findings::doubts(results));
    parts.extend(sentences.iter().map(|sentence| table::wrap(sentence)));
    parts.extend(report.map(|report| report.display().to_string()));
    match writeln!(anstream::stdout(), "{}", parts.join("\n\n")) {
        // Whoever reads has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("can't print the results: {error}"))
        }
        _ => Ok(()),
    }
}

async fn stopped() {
    let interrupt = signal::ctrl_c();
    #[cfg(unix)]
    let terminate = async {
        use signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => terminate.recv().await,
            Err(_) => std::future::pending().await,
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
