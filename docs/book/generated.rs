//! What chapters include from `docs/generated`: made when a chapter asks for
//! it, deleted when none does. Differences and sessions are made each time that
//! the book is built; all else is kept.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    RENEW, chapters::includes, diffs, figures, files, items, proofs, read,
    transcripts, workspace,
};

const FOLDER: &str = "docs/generated";

/// The page that is generated as a whole.
const PROOFS: &str = "docs/src/proofs.md";

/// All that is generated and kept: the path in the workspace, and the text.
///
/// # Errors
/// What chapters ask for and can't have, a line each.
pub fn all() -> Result<BTreeMap<PathBuf, String>, String> {
    let mut all = BTreeMap::new();
    let mut errors = Vec::new();
    for (chapter, path) in includes()? {
        let Ok(request) = path.strip_prefix(FOLDER) else { continue };
        if is_made_by_the_build(&path) {
            continue;
        }
        match make(request) {
            Ok(text) => drop(all.insert(path, text)),
            Err(error) => errors.push(format!(
                "{}: {}: {error}",
                chapter.display(),
                path.display(),
            )),
        }
    }
    match proofs::page() {
        Ok(page) => drop(all.insert(PROOFS.into(), page)),
        Err(error) => errors.push(error),
    }
    if errors.is_empty() { Ok(all) } else { Err(errors.join("\n")) }
}

fn is_made_by_the_build(path: &Path) -> bool {
    path.starts_with(diffs::FOLDER) || path.starts_with(transcripts::SESSIONS)
}

fn make(request: &Path) -> Result<String, String> {
    let request = request.to_string_lossy().replace('\\', "/");
    match request.split_once('/') {
        Some(("items", request)) => items::make(request),
        Some(("figures", request)) => figures::make(request),
        _ => Err("expected items/…, figures/… or diffs/…".into()),
    }
}

/// What is there now.
fn present() -> Vec<PathBuf> {
    ["rs", "diff", "html", "md", "svg", "txt"]
        .iter()
        .flat_map(|extension| files(FOLDER, extension))
        .filter(|path| !is_made_by_the_build(path))
        .collect()
}

/// Fails when a generated file isn't what it should be.
///
/// # Errors
/// The files, and the command that renews them.
pub fn check() -> Result<(), String> {
    let all = all()?;
    let mut errors = Vec::new();
    for (path, text) in &all {
        if read(path).ok().as_ref() != Some(text) {
            errors.push(format!("{} is stale", path.display()));
        }
    }
    for path in present() {
        if !all.contains_key(&path) {
            errors.push(format!("no chapter includes {}", path.display()));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nrenew it with: {RENEW}", errors.join("\n")))
}

/// Writes all of it, and deletes what no chapter asks for any more.
///
/// # Errors
/// As [`all`], or when a file can't be written.
pub fn renew() -> Result<(), String> {
    let all = all()?;
    for (path, text) in &all {
        if write(path, text)? {
            println!("{}", path.display());
        }
    }
    for path in present().iter().filter(|path| !all.contains_key(*path)) {
        fs::remove_file(workspace(path))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{} deleted: no chapter includes it", path.display());
    }
    Ok(())
}

/// Writes the differences and the sessions that chapters include, and the style
/// sheets of all that is drawn elsewhere.
///
/// # Errors
/// What chapters ask for and can't have, a line each, or when a file can't be
/// written.
pub fn made_by_the_build() -> Result<(), String> {
    write(
        &Path::new(diffs::FOLDER).join("difference.css"),
        &difference::html::style(),
    )?;
    write(&Path::new(FOLDER).join("chart.css"), figures::STYLE)?;
    let mut errors = Vec::new();
    for (chapter, path) in includes()? {
        let make = match path.parent() {
            Some(it) if it == Path::new(diffs::FOLDER) => diffs::make,
            Some(it) if it == Path::new(transcripts::SESSIONS) => {
                transcripts::session
            }
            _ => continue,
        };
        let request = path.file_name().unwrap_or_default().to_string_lossy();
        let made = make(&request);
        if let Err(error) = made.and_then(|text| write(&path, &text)) {
            errors.push(format!("{}: {error}", chapter.display()));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

/// Writes a file unless it is so already. Returns whether it wasn't.
fn write(path: &Path, text: &str) -> Result<bool, String> {
    if read(path).is_ok_and(|it| it == text) {
        return Ok(false);
    }
    let full = workspace(path);
    let folder = full.parent().unwrap_or(&full);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&full, text))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(true)
}
