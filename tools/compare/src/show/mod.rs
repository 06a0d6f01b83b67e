//! Shows results: on the terminal, and in the files of the report.

pub mod chart;
mod findings;
mod report;
pub mod table;
mod timeline;

use std::{
    io::{self, Write},
    path::Path,
};

pub use findings::{machine, settings};

use crate::{format::counted, results::Results};

/// All output fits into this many columns.
const WIDTH: usize = 80;

/// Prints what was measured, whether or not it can be kept in the folder.
///
/// # Errors
/// When a file of the report can't be written, or the text can't be printed.
pub fn all(results: &Results, folder: &Path) -> Result<(), String> {
    let written = report::write(results, folder);
    let mut text = parts(results).join("\n\n");
    if let Ok(page) = &written {
        text += &format!("\n\n{}", page.display());
    }
    print(&text)?;
    written.map(|_| ())
}

/// Prints whether every server has answered, and returns that.
///
/// # Errors
/// When it can't be printed.
pub fn is_ready(results: &Results) -> Result<bool, String> {
    let servers = counted(results.servers.len(), "server");
    let failed = results.servers.iter().filter(|it| it.error.is_some());
    let failed = failed.count();
    match failed {
        0 => print(&format!("ready: {servers} start and answer"))?,
        _ => print(&format!("not ready: {failed} of {servers}"))?,
    }
    Ok(failed == 0)
}

fn print(text: &str) -> Result<(), String> {
    match writeln!(io::stdout(), "{text}") {
        // The reader has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("can't print the results: {error}"))
        }
        _ => Ok(()),
    }
}

/// What the terminal shows.
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
    parts.retain(|part| !part.is_empty());
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
    use super::*;
    use crate::samples::comparison;

    #[test]
    fn everything_that_is_printed_fits_into_a_terminal() {
        let text = parts(&comparison()).join("\n\n") + "\n";
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDTH), "{text}");
        let is_as_before = text == include_str!("printed.txt");
        assert!(is_as_before, "printed.txt should be:\n{text}");
    }
}
