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
//! # Ok::<(), String>(())
//! ```

pub mod html;
mod items;
mod lexer;
mod markdown;
mod rows;
pub mod tasks;
mod terminal;

use std::collections::BTreeSet;

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

impl Difference {
    /// Compares the sources of two steps, given their numbers, counted from 1.
    ///
    /// # Errors
    /// When there is no such step, or a file can't be read.
    pub fn between(before: usize, after: usize) -> Result<Self, String> {
        let step = |number: usize| {
            let index = number.checked_sub(1);
            let step = index.and_then(|index| STEPS.get(index));
            let last = STEPS.len();
            step.copied().ok_or_else(|| {
                format!("there is no step {number}; the steps are 1 to {last}")
            })
        };
        let (old, new) = (step(before)?, step(after)?);
        let (old_files, new_files) = (sources(old)?, sources(new)?);
        let names = old_files.keys().chain(new_files.keys());
        let mut files = Vec::new();
        for name in BTreeSet::from_iter(names) {
            let (old, new) = (old_files.get(name), new_files.get(name));
            if old != new {
                let [old, new] = [old, new].map(|it| it.map(String::as_str));
                files.push(File::new(name, old, new));
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
        let parts = self.files.iter().flat_map(|file| &file.parts);
        let changed = parts.filter(|part| !part.folded);
        let changed: BTreeSet<_> = changed.map(|part| &*part.caption).collect();
        if let Some(other) = captions.iter().find(|it| !changed.contains(**it))
        {
            let changed = Vec::from_iter(changed).join(", ");
            return Err(format!(
                "nothing changed in `{other}`, but in: {changed}"
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
    pub fn all() -> Result<Vec<Self>, String> {
        let pairs = (2..=STEPS.len()).map(|after| (after - 1, after));
        pairs.map(|(before, after)| Self::between(before, after)).collect()
    }
}

/// A step's source files.
fn sources(step: &str) -> Result<Files, String> {
    let folder = harness::workspace().join(step).join("src");
    let files = tasks::sources(&folder).and_then(|files| match files.len() {
        0 => Err("there are no sources".into()),
        _ => Ok(files),
    });
    files.map_err(|why| {
        let folder = folder.display();
        format!(
            "can't read {folder}: {why}; build this again where the steps are \
             now"
        )
    })
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
