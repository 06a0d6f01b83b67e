//! Builds the book; with `renew`, first renews what the chapters show.

use std::{env, process::ExitCode};

use docs::{RENEW, build, shown};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let arguments: Vec<_> =
        arguments.iter().map(|it| it.to_string_lossy()).collect();
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let done = match arguments[..] {
        [] => build::build(None),
        ["renew"] => shown::renew().and_then(|()| build::build(None)),
        _ => Err(format!(
            "{arguments:?}: expected nothing, to build the book, or `renew`, \
             to renew what the chapters show before: {RENEW}"
        )),
    };
    match done {
        Ok(folder) => {
            println!("the book: {}", folder.join("index.html").display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
