//! The difference between two steps, as a learner reads it.
//!
//! [`Difference::between`] compares; [`print()`] and [`html`] show the result.
//!
//! | module | what it contains |
//! |---|---|
//! | `lexer` | Rust as words, each with its colour |
//! | `units` | a file's functions and types |
//! | `rows` | two files' lines, each beside its counterpart |
//! | `terminal` | what the terminal shows |
//! | [`html`] | what the book and the projector show |
//! | `markdown` | what a chapter shows where it isn't built |
//! | [`tasks`] | the moves from step 1 to step 4, and the exercises |
//!
//! ```
//! let difference = difference::Difference::between(1, 2)?;
//! let main = &difference.files[0];
//! let captions = main.parts.iter().filter(|part| !part.folded);
//! assert!(captions.map(|part| &part.caption).any(|name| name == "count_all"));
//! # Ok::<(), difference::Error>(())
//! ```

pub mod html;
mod lexer;
mod markdown;
mod rows;
pub mod tasks;
mod terminal;
mod units;

use std::{
    collections::BTreeSet,
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use harness::STEPS;

pub use lexer::Kind;
pub use markdown::markdown;
pub use rows::{Change, File, Line, Part, Piece, Row};
pub use terminal::print;
pub use units::{Item, items};

/// The changes that turn one step into the next.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The numbers of the two steps, the earlier first.
    pub numbers: (usize, usize),
    /// Their names.
    pub steps: (&'static str, &'static str),
    /// The files that differ: first the ones in both steps, beginning with
    /// `main.rs`, and then the ones that are new or gone.
    pub files: Vec<File>,
}

/// Why two steps can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No step has that number.
    #[error("there is no step {number}; the steps are {first} to {last}", first = steps().start(), last = steps().end())]
    NoStep {
        /// The number.
        number: usize,
    },
    /// A file can't be read.
    #[error(
        "can't read {path}: {source}; build this again where the steps are now"
    )]
    Unreadable {
        /// Where it is.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The numbers of all steps.
pub fn steps() -> RangeInclusive<usize> {
    1..=STEPS.len()
}

impl Difference {
    /// Compares the sources of two steps, given their numbers, counted from 1.
    ///
    /// # Errors
    /// When there is no such step, or a file can't be read.
    pub fn between(before: usize, after: usize) -> Result<Self, Error> {
        let step = |number: usize| {
            let index = number.checked_sub(1);
            let step = index.and_then(|index| STEPS.get(index));
            step.copied().ok_or(Error::NoStep { number })
        };
        let (old, new) = (step(before)?, step(after)?);
        let folder = |step| harness::workspace().join(step).join("src");
        let (old_folder, new_folder) = (folder(old), folder(new));
        let mut paths = BTreeSet::new();
        list(&old_folder, &old_folder, &mut paths)?;
        list(&new_folder, &new_folder, &mut paths)?;
        let mut files = Vec::new();
        for path in paths {
            let name = path.to_string_lossy().replace('\\', "/");
            let old = read(&old_folder.join(&path))?;
            let new = read(&new_folder.join(&path))?;
            if old != new {
                files.push(File::new(name, old.as_deref(), new.as_deref()));
            }
        }
        // New items come last: the lesson leads to them.
        files.sort_by_key(|file| {
            (!(file.in_old && file.in_new), file.name != "main.rs")
        });
        Ok(Self { numbers: (before, after), steps: (old, new), files })
    }

    /// Only the parts with these captions.
    ///
    /// # Errors
    /// When one of them doesn't exist: the captions that do.
    pub fn only(mut self, captions: &[&str]) -> Result<Self, String> {
        let shown = self.files.iter().flat_map(|file| &file.parts);
        let shown = shown.filter(|part| !part.folded);
        let all: BTreeSet<_> =
            shown.map(|part| part.caption.as_str()).collect();
        if let Some(other) =
            captions.iter().find(|caption| !all.contains(**caption))
        {
            let all: Vec<_> = all.into_iter().collect();
            return Err(format!(
                "nothing changed in `{other}`, but in: {}",
                all.join(", ")
            ));
        }
        for file in &mut self.files {
            file.parts.retain(|part| captions.contains(&part.caption.as_str()));
        }
        self.files.retain(|file| !file.parts.is_empty());
        Ok(self)
    }

    /// The differences of all neighbouring steps.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn all() -> Result<Vec<Self>, Error> {
        steps().skip(1).map(|after| Self::between(after - 1, after)).collect()
    }
}

/// The source files in a folder, as paths from `root`, without the files that
/// editors and systems leave there: `.main.rs.swp`, `main.rs~`.
fn list(
    root: &Path,
    folder: &Path,
    found: &mut BTreeSet<PathBuf>,
) -> Result<(), Error> {
    let failed = |source| Error::Unreadable { path: folder.into(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            list(root, &path, found)?;
        } else if let (true, Ok(path)) =
            (name.ends_with(".rs"), path.strip_prefix(root))
        {
            found.insert(path.into());
        }
    }
    Ok(())
}

/// A file's text; nothing if it doesn't exist.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        // As git may write it on Windows.
        Ok(text) => Ok(Some(text.replace("\r\n", "\n"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Unreadable { path: path.into(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_an_editor_leaves_behind_do_not_count() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for name in ["main.rs", ".main.rs.swp", "main.rs~", ".#main.rs"] {
            fs::write(folder.path().join(name), b"\xff")
                .expect("it can be written");
        }
        let mut found = BTreeSet::new();
        list(folder.path(), folder.path(), &mut found).expect("it can be read");
        assert_eq!(found, BTreeSet::from([PathBuf::from("main.rs")]));
    }
}
