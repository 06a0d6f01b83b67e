//! Shows results: on the terminal, and in the files of the report.

pub mod chart;
mod findings;
mod report;
pub mod table;
mod timeline;

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

pub use findings::{machine, settings};

use crate::results::Results;

/// All output fits into this many columns.
const WIDTH: usize = 80;

/// Prints what was measured, whether or not it can be kept in the folder.
///
/// # Errors
/// When a file of the report can't be written, or the results can't be
/// printed.
pub fn all(results: &Results, folder: &Path) -> Result<(), String> {
    let written = report::write(results, folder);
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
    let mut parts = vec![
        lines([machine(results), settings(results)]),
        table::EXPLAINED.to_owned(),
        table::text(table::SERVERS, &table::servers(results)),
        timeline::timeline(results),
    ];
    if !results.scaling.is_empty() {
        parts.push(table::text(table::SCALING, &table::scaling(results)));
    }
    parts.push(lines(findings::findings(results)));
    parts
}

/// Each sentence in lines that fit, all but its first indented.
fn lines(sentences: impl IntoIterator<Item = String>) -> String {
    // Names and paths with hyphens stay whole.
    let options = textwrap::Options::new(WIDTH - 1)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent("  ");
    let sentences = sentences.into_iter();
    let filled = sentences.map(|text| textwrap::fill(&text, &options));
    filled.collect::<Vec<_>>().join("\n")
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
        assert!(widest <= Some(WIDTH), "{text}");
        assert_eq!(text + "\n", include_str!("printed.txt"));
    }
}
