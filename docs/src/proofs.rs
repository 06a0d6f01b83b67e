//! The table of what is taught, where, and what backs it up.

use std::fmt::Write;

use regex::Regex;
use serde::Deserialize;

use crate::{
    chapters::{Block, blocks, id},
    read, workspace,
};

const SOURCE: &str = "docs/proofs.toml";

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proofs {
    /// What the book teaches.
    pub concept: Vec<Claim>,
    /// What the handbook gets wrong.
    pub correction: Vec<Claim>,
    /// What people ask in public trackers.
    pub question: Vec<Claim>,
}

/// Something that the book says, and why one should believe it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name, in a few words.
    pub name: String,
    /// Where it is taught: a chapter and its heading, `step1.md#the-freeze`.
    pub taught: String,
    /// What backs it up: one or more of
    /// a test (`path/to/file.rs::function`), a program (`path/to/file.rs`), an
    /// example or commands in a chapter (`step1.md#the-freeze`), measurements
    /// (`docs/results/name.json`).
    pub proof: Vec<String>,
}

/// Reads the table.
///
/// # Errors
/// When it isn't TOML, or has other fields.
pub fn load() -> Result<Proofs, String> {
    toml::from_str(&read(SOURCE)?).map_err(|error| format!("{SOURCE}: {error}"))
}

/// What is wrong with a claim's proofs, a line each.
pub fn mistakes(claim: &Claim) -> Vec<String> {
    let mut mistakes: Vec<String> = claim
        .proof
        .iter()
        .filter_map(|proof| {
            let why = link(proof).err()?;
            Some(format!("{}: {proof}: {why}", claim.name))
        })
        .collect();
    if claim.proof.is_empty() {
        mistakes.push(format!("{}: nothing backs it up", claim.name));
    }
    mistakes
}

/// The tables as a page shows them.
///
/// # Errors
/// When they can't be read, or a proof doesn't exist.
pub fn tables() -> Result<String, String> {
    let proofs = load()?;
    let mut tables = String::new();
    let mut errors = Vec::new();
    for (title, claims) in [
        ("What is taught", &proofs.concept),
        ("What the handbook gets wrong", &proofs.correction),
        ("What people ask", &proofs.question),
    ] {
        let _ = write!(
            tables,
            "\n## {title}\n\n| | | what backs it up |\n|--:|---|---|\n"
        );
        for (number, claim) in (1..).zip(claims) {
            errors.extend(mistakes(claim));
            let Claim { name, taught, proof } = claim;
            let proofs: Vec<String> =
                proof.iter().filter_map(|it| link(it).ok()).collect();
            let proofs = proofs.join("<br>");
            let _ = writeln!(
                tables,
                "| {number} | [{name}]({taught}) | {proofs} |"
            );
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
    // Its attributes may be several.
    let declared = format!(
        r"(?m)^\s*#\[[\w:]*test\b.*\]\n(\s*#\[.*\]\n)*\s*(async )?fn {test}\("
    );
    let declared = Regex::new(&declared).map_err(|error| error.to_string())?;
    match declared.is_match(&read(path)?) {
        true => Ok(link(&test.replace('_', " "))),
        false => Err("there is no such test".into()),
    }
}
