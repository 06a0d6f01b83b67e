//! The book, and what keeps it true.

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
        "src/real-work.md"
        "src/from-node.md"
        "src/pitfalls.md"
        "src/corrections.md"
        "src/questions.md"
        "src/proofs.md"
        "src/teaching.md"
        "src/handout.md"
    }
}
