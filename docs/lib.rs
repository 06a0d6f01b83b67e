//! The book, and what keeps it true.
//!
//! What a reader reads, and what it is made of:
//!
//! | folder | holds | made by |
//! |---|---|---|
//! | `src/` | the chapters, in Markdown | hand |
//! | `transcripts/` | commands and what they print | hand; what they print is renewed and tested |
//! | `results/` | figures that were measured | the command that each page names |
//! | `proofs.toml` | what is taught, where, and what runs behind it | hand |
//! | `examples/` | programs that the chapters run, and those that measure | hand |
//! | `solutions/` | each exercise's test, and its solution as a patch | hand |
//! | `generated/` | what chapters include: items of code, tables, differences, sessions | `cargo run -p docs -- renew`; differences and sessions each time that it is built |
//! | `theme/`, `book.toml` | how mdBook shows it | hand |
//! | `../target/book/` | the book | `cargo run -p docs` |
//!
//! What does that is the module [`book`], in the folder of its name; the program
//! `book` (`main.rs`) only calls it:
//!
//! - `chapters`: which chapters there are, what they include, their code blocks;
//! - `generated`: finds out what chapters ask for, and has it made by `items`
//!   (code), `figures` (tables and charts), `diffs` (differences), `transcripts`
//!   (sessions) and `proofs` (the page of proofs);
//! - `transcripts`: also runs the commands, and compares what they print;
//! - `build`: mdBook, and then every link of what it has built.
//!
//! The tests hold all of it: `tests/book.rs` what is said and shown,
//! `tests/exercises.rs` the exercises, `tests/seam.rs` the steps beside each
//! other, `tests/difference.rs` the pages in a browser, `tests/own.rs` and
//! `tests/twenty_lines.rs` the servers that aren't steps.

#[doc(hidden)]
#[path = "book/mod.rs"]
pub mod book;

/// The Rust that stands in the chapters, as doctests.
#[cfg(doctest)]
mod chapters {
    macro_rules! test {
        ($($chapter:literal)*) => {
            $(#[doc = include_str!($chapter)] const _: () = ();)*
        };
    }
    test! {
        "src/README.md"
        "src/start.md"
        "src/settings.md"
        "src/step1.md"
        "src/step2.md"
        "src/step3.md"
        "src/step4.md"
        "src/step5.md"
        "src/step6.md"
        "src/step7.md"
        "src/step8.md"
        "src/step9.md"
        "src/past-one-engine.md"
        "src/exercises.md"
        "src/comparison.md"
        "src/results.md"
        "src/choosing.md"
        "src/find-the-freeze.md"
        "src/cure-it.md"
        "src/real-work.md"
        "src/how-many.md"
        "src/end.md"
        "src/from-node.md"
        "src/pitfalls.md"
        "src/corrections.md"
        "src/questions.md"
        "src/bad-input.md"
        "src/soak.md"
        "src/proofs.md"
        "src/teaching.md"
        "src/handout.md"
    }
}
