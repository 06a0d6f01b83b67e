//! The table of what is taught, where, and what backs it up.

use std::fmt::Write;

use regex::Regex;
use serde::Deserialize;

use crate::{
    chapters::{Block, blocks, id},
    read, workspace,
};

const SOURCE: &str = "docs/proofs.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proofs {
    /// What the book teaches.
    concept: Vec<Claim>,
    /// What the handbook gets wrong.
    correction: Vec<Claim>,
    /// What people ask in public trackers.
    question: Vec<Claim>,
}

/// A claim that the book makes, and the reason to believe it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// Its name, in a few words.
    name: String,
    /// Where it is taught: a chapter and its heading, `step1.md#the-freeze`.
    taught: String,
    /// What backs it up: one or more of
    /// a test (`path/to/file.rs::function`), a program (`path/to/file.rs`), an
    /// example or commands in a chapter (`step1.md#the-freeze`), measurements
    /// (`docs/results/name.json`).
    proof: Vec<String>,
}

/// The tables as a page shows them.
///
/// # Errors
/// When they can't be read, or a claim has no proof, or its proof doesn't
/// exist.
pub(crate) fn tables() -> Result<String, String> {
    let proofs: Proofs = toml::from_str(&read(SOURCE)?)
        .map_err(|error| format!("{SOURCE}: {error}"))?;
    let mut tables = String::new();
    let mut errors = Vec::new();
    for (title, claims) in [
        ("What is taught", proofs.concept),
        ("What the handbook gets wrong", proofs.correction),
        ("What people ask", proofs.question),
    ] {
        let _ = write!(
            tables,
            "\n## {title}\n\n| | | what backs it up |\n|--:|---|---|\n"
        );
        for (number, Claim { name, taught, proof }) in (1..).zip(claims) {
            if proof.is_empty() {
                errors.push(format!("{name}: nothing backs it up"));
            }
            let mut links = Vec::new();
            for proof in proof {
                match link(&proof) {
                    Ok(link) => links.push(link),
                    Err(why) => errors.push(format!("{name}: {proof}: {why}")),
                }
            }
            let links = links.join("<br>");
            let _ =
                writeln!(tables, "| {number} | [{name}]({taught}) | {links} |");
        }
    }
    if errors.is_empty() { Ok(tables) } else { Err(errors.join("\n")) }
}

/// A proof as a link.
fn link(proof: &str) -> Result<String, String> {
    if let Some((chapter, heading)) = proof.split_once(".md#") {
        let markdown = read(format!("docs/chapters/{chapter}.md"))?;
        let runs = |block: &Block| {
            let is = |word| block.words.iter().any(|it| it == word);
            is("rust") && !is("ignore") || is("console")
        };
        let under =
            |block: &Block| block.under.iter().any(|it| id(it) == heading);
        let blocks = blocks(&markdown);
        if !blocks.iter().filter(|it| runs(it)).any(under) {
            return Err("nothing under it is tested or run".into());
        }
        return Ok(format!("[example in the text]({proof})"));
    }
    let (path, test) = match proof.split_once("::") {
        Some((path, test)) => (path, Some(test)),
        None => (proof, None),
    };
    if !workspace(path).is_file() {
        return Err("there is no such file".into());
    }
    let link = |text: &str| format!("[{text}](../../{path})");
    let Some(test) = test else {
        return Ok(link(&format!("`{path}`")));
    };
    // There may be several attributes.
    let declared = format!(
        r"(?m)^\s*#\[[\w:]*test\b.*\]\n(\s*#\[.*\]\n)*\s*(async )?fn {test}\("
    );
    let declared = Regex::new(&declared).map_err(|error| error.to_string())?;
    match declared.is_match(&read(path)?) {
        true => Ok(link(&test.replace('_', " "))),
        false => Err("there is no such test".into()),
    }
}
