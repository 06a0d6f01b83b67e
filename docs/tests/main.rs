//! The tests of the book. Most of them wait most of the time: in one program they
//! wait beside each other.

mod book;
mod difference;
mod english;
mod own;
mod press;
mod seam;
mod watch;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The book, built once for all tests.
fn built() -> &'static Path {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book");
    let built = BUILT.get_or_init(|| docs::build::build(Some(&folder)));
    built.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// The address of one of its pages, opened from a file.
fn page(name: &str) -> String {
    format!("file://{}", built().join(name).display())
}

/// A command that runs an example of this crate.
fn example(name: &str) -> Command {
    let program = harness::program(name);
    harness::command(program.unwrap())
}
