//! What chapters include from `docs/generated`: made when a chapter asks for
//! it, deleted when none does.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    RENEW, chapters::includes, diffs, figures, files, items, proofs, read,
    workspace,
};

const FOLDER: &str = "docs/generated";

/// The page that is generated as a whole.
const PROOFS: &str = "docs/src/proofs.md";

/// All that is generated: the path in the workspace, and the text.
///
/// # Errors
/// What chapters ask for and can't have, a line each.
pub fn all() -> Result<BTreeMap<PathBuf, String>, String> {
    let mut all = BTreeMap::new();
    let mut errors = Vec::new();
    for (chapter, path) in includes()? {
        let Ok(request) = path.strip_prefix(FOLDER) else { continue };
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

fn make(request: &Path) -> Result<String, String> {
    let request = request.to_string_lossy().replace('\\', "/");
    match request.split_once('/') {
        Some(("items", request)) => items::make(request),
        Some(("diffs", request)) => diffs::make(request),
        Some(("figures", request)) => figures::make(request),
        _ => Err("expected items/…, diffs/… or figures/…".into()),
    }
}

/// What is there now.
fn present() -> Vec<PathBuf> {
    ["rs", "diff", "html", "md", "svg", "txt"]
        .iter()
        .flat_map(|extension| files(FOLDER, extension))
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
    let failed = |path: &Path, error| format!("{}: {error}", path.display());
    for (path, text) in &all {
        if read(path).ok().as_ref() == Some(text) {
            continue;
        }
        let full = workspace(path);
        let folder = full.parent().unwrap_or(&full);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&full, text))
            .map_err(|error| failed(path, error))?;
        println!("{}", path.display());
    }
    for path in present().iter().filter(|path| !all.contains_key(*path)) {
        fs::remove_file(workspace(path))
            .map_err(|error| failed(path, error))?;
        println!("{} deleted: no chapter includes it", path.display());
    }
    Ok(())
}
