pub mod build;
pub mod chapters;
mod diffs;
mod figures;
pub mod generated;
mod items;
pub mod proofs;
pub mod transcripts;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The command that renews all that is generated for the book.
pub const RENEW: &str = "cargo run -p docs -- renew";

/// A file or a folder of the workspace.
pub fn workspace(path: impl AsRef<Path>) -> PathBuf {
    harness::workspace().join(path)
}

/// The text of a file of the workspace.
///
/// # Errors
/// When it can't be read: the path, and why.
pub fn read(path: impl AsRef<Path>) -> Result<String, String> {
    let path = path.as_ref();
    fs::read_to_string(workspace(path))
        .map(|text| text.replace("\r\n", "\n"))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// All files below a folder of the workspace with that extension, sorted.
/// A folder that isn't there has none.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(workspace(&folder)).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            let path = folder.join(entry.file_name());
            if workspace(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Text as HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
