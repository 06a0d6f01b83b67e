//! The tests of the book. Most of them wait most of the time: in one program they
//! wait beside each other. The exercises build a lot: they have one of their own.

mod book;
mod dependencies;
mod difference;
mod inputs;
mod own;
mod press;
mod seam;
mod twenty_lines;
