//! The book, and what keeps it true.
//!
//! What a reader reads, and where it comes from:
//!
//! | folder | holds | made by |
//! |---|---|---|
//! | `chapters/` | the book, in Markdown | hand, and `cargo run -p docs -- renew` |
//! | `results/` | what was measured | the command that each page names |
//! | `examples/` | programs that the chapters run, and those that measure | hand |
//! | `exercises/` | each exercise, with its hints and its solution | hand |
//! | `theme/`, `book.toml` | how mdBook shows it | hand |
//! | `../target/book/` | the book | `cargo run -p docs` |
//!
//! A chapter shows parts of other files between two comments. The first names
//! the source:
//!
//! ```text
//! <!-- from step1-blocking/src/main.rs: blocking -->
//! …
//! <!-- end -->
//! ```
//!
//! So you can read a whole chapter in its file. The modules in `src/`:
//!
//! - [`shown`]: what should be between the comments, and whether it is; made of
//!   code, of measurements (`figures`), differences and commands (`sessions`);
//! - [`build`]: mdBook, and then every link of what it has built.
//!
//! The tests check all of it: `tests/book.rs` the text and what it shows,
//! `tests/seam.rs` the steps next to each other, `tests/difference.rs` and
//! `tests/press.rs` the pages in a browser, `tests/own.rs` and `tests/watch.rs`
//! the servers that aren't steps. The exercises are tested in
//! `tools/learn/tests/learn/moves.rs`.

pub mod build;
mod figures;
mod sessions;
pub mod shown;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the chapters are, and their pictures.
pub const CHAPTERS: &str = "docs/chapters";

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

/// All files in a folder of the workspace with that extension, sorted, without
/// the hidden ones. If there is no such folder, there are none.
pub fn files(folder: impl Into<PathBuf>, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.into()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(workspace(&folder)).into_iter().flatten();
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
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

/// The chapters' Rust code, as doctests.
#[cfg(doctest)]
mod examples {
    macro_rules! test {
        ($($chapter:literal)*) => {
            $(
                #[doc = include_str!(concat!("../chapters/", $chapter, ".md"))]
                const _: () = ();
            )*
        };
    }
    test! {
        "README" "start" "settings" "step1" "step2" "step3" "step4" "step5"
        "step6" "step7" "step8" "step9" "beyond-one-broker"
        "overload" "type-it" "exercises" "comparison" "choosing" "find-the-freeze"
        "cure-it" "real-work" "how-many" "end" "from-node" "pitfalls"
        "corrections" "questions" "glossary" "proofs" "teaching"
        "handout"
    }
}
