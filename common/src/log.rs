use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says something on standard error, on a line of its own.
///
/// Nothing happens when standard error can't be written: it is closed, a
/// broken pipe, or full. `eprintln!` would panic then, and the request or the
/// thread that had something to say would be lost.
///
/// ```
/// common::log("can't start a worker: no memory is left");
/// ```
pub fn log(text: impl Display) {
    // Written at once: lines of two threads don't mix.
    io::stderr().write_all(format!("{text}\n").as_bytes()).ok();
}
