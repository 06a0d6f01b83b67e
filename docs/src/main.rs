//! Builds the book; with `renew`, first renews what the chapters show.

use std::process::ExitCode;

use clap::Parser;
use docs::{build, shown};

#[derive(Parser)]
#[command(about, next_line_help = true)]
struct Options {
    /// renew: renew what the chapters show, then build the book
    #[arg(value_parser = ["renew"], hide_possible_values = true)]
    first: Option<String>,
}

fn main() -> ExitCode {
    let renewed = Options::parse().first.map_or(Ok(()), |_| shown::renew());
    match renewed.and_then(|()| build::build(None)) {
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
