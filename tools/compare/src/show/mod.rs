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

/// `NO_COLOR` and `CLICOLOR_FORCE` control colours.
fn print(results: &Results, report: Option<&Path>) -> Result<(), String> {
    let mut parts = parts(results);
    parts.extend(report.map(|report| report.display().to_string()));
    match writeln!(anstream::stdout(), "{}", parts.join("\n\n")) {
        // The reader has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("can't print the results: {error}"))
        }
        _ => Ok(()),
    }
}

/// What the terminal shows, with the escape sequences for its colours.
fn parts(results: &Results) -> Vec<String> {
    let heading = [machine(results), settings(results)];
    let mut parts = vec![
        heading.map(|line| table::wrap(&line)).join("\n"),
        table::table(&table::servers(results)),
        timeline::timeline(results),
    ];
    if !results.scaling.is_empty() {
        parts.push(table::table(&table::scaling(results)));
    }
    parts.extend(findings::all(results).map(|text| table::wrap(&text)));
    parts
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::samples::comparison;

    #[test]
    fn everything_that_is_printed_fits_into_a_terminal() {
        let text = parts(&comparison()).join("\n\n");
        let text = strip_str(&text).to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(table::WIDTH), "{text}");
        insta::assert_snapshot!(text);
    }
}
