//! The book, and the tests that keep it true.
