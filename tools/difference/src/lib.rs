//! The difference between two steps, as a learner reads it.
//!
//! [`Difference::between`] compares; [`print()`] and [`html`] show the result.
//!
//! | module | what it contains |
//! |---|---|
//! | `lexer` | Rust as words, each with its colour |
//! | `items` | a file's functions and types |
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
mod items;
mod lexer;
mod markdown;
mod rows;
pub mod tasks;
mod terminal;

use std::{collections::BTreeSet, ops::RangeInclusive, path::PathBuf};

use harness::STEPS;
use tasks::Files;

pub use items::{Item, items};
pub use lexer::Kind;
pub use markdown::markdown;
pub use rows::{Change, File, Line, Part, Piece, Row};
pub use terminal::print;

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
    /// A step's sources can't be read: why, and where they should be.
    #[error(
        "can't read {}: {_0}; build this again where the steps are now",
        _1.display()
    )]
    Unreadable(String, PathBuf),
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
        let (old_files, new_files) = (sources(old)?, sources(new)?);
        let names = old_files.keys().chain(new_files.keys());
        let mut files = Vec::new();
        for name in BTreeSet::from_iter(names) {
            let text = |files: &'_ Files| files.get(name).cloned();
            let (old, new) = (text(&old_files), text(&new_files));
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

/// A step's source files.
fn sources(step: &str) -> Result<Files, Error> {
    let folder = harness::workspace().join(step).join("src");
    match tasks::sources(&folder) {
        Ok(files) if !files.is_empty() => Ok(files),
        Ok(_) => Err(Error::Unreadable("there are no sources".into(), folder)),
        Err(why) => Err(Error::Unreadable(why, folder)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_an_editor_leaves_behind_do_not_count() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for name in [".main.rs.swp", "main.rs~", ".#main.rs"] {
            fs::write(folder.path().join(name), b"\xff")
                .expect("it can be written");
        }
        assert_eq!(tasks::sources(folder.path()), Ok(Files::new()));
    }
}
