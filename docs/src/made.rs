//! What is made for a chapter when the book is built.

use std::collections::BTreeSet;

use crate::{chapters::MAKE, diffs, figures, items, proofs, transcripts};

/// A chapter with what it asks for in place of each `{{make …}}`.
///
/// # Errors
/// What can't be made, a line each.
pub fn fill(chapter: &str) -> Result<String, String> {
    let mut errors = BTreeSet::new();
    let filled = MAKE.replace_all(chapter, |found: &regex::Captures| {
        make(&found[1]).unwrap_or_else(|error| {
            errors.insert(format!("{}: {error}", &found[0]));
            String::new()
        })
    });
    match errors.is_empty() {
        true => Ok(filled.into_owned()),
        false => Err(Vec::from_iter(errors).join("\n")),
    }
}

fn make(request: &str) -> Result<String, String> {
    let made = match request.split_once('/') {
        Some(("diffs", request)) => diffs::make(request),
        Some(("figures", request)) => figures::make(request),
        Some(("items", request)) => items::make(request),
        Some(("sessions", request)) => transcripts::session(request),
        None if request == "proofs" => proofs::tables(),
        _ => {
            Err("expected diffs/…, figures/…, items/…, sessions/… or proofs"
                .into())
        }
    };
    // As an include has it, whose line ends behind the braces.
    made.map(|text| text.trim_end_matches('\n').to_owned())
}
