//! Shows results: on the terminal, and in the files of the report.

pub mod chart;
pub mod figures;
mod findings;
pub mod report;
mod table;
mod timeline;

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

pub use findings::{machine, settings};
use report::Report;

use crate::results::Results;

/// Prints what was measured, whether or not it can be kept.
///
/// # Errors
/// When a file of the report can't be written, or the results can't be
/// printed.
pub fn all(results: &Results, report: &Report) -> Result<(), String> {
    let written = report.write(results);
    print(results, written.as_deref().ok())?;
    written.map(|_| ())
}

/// Colours go where they are wanted: see `NO_COLOR` and `CLICOLOR_FORCE`.
fn print(results: &Results, report: Option<&Path>) -> Result<(), String> {
    let heading = [machine(results), settings(results)];
    let mut parts = vec![
        heading.map(|line| table::wrap(&line)).join("\n"),
        table::table(&table::servers(results)),
        timeline::timeline(results),
    ];
    if !results.scaling.is_empty() {
        parts.push(table::table(&table::scaling(results)));
    }
    parts.extend(findings::all(results).map(|it| table::wrap(&it)));
    parts.extend(report.map(|report| report.display().to_string()));
    match writeln!(anstream::stdout(), "{}", parts.join("\n\n")) {
        // Whoever reads has read enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("can't print the results: {error}"))
        }
        _ => Ok(()),
    }
}
