use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints a line on standard error.
///
/// If standard error can't be written (it is closed, a broken pipe, or full),
/// nothing happens. `eprintln!` would panic, and take the request or the thread
/// with it.
///
/// ```
/// common::log("can't start a worker: no memory is left");
/// ```
pub fn log(text: impl Display) {
    // In one write, so that the lines of two threads don't mix.
    io::stderr().write_all(format!("{text}\n").as_bytes()).ok();
}
