//! Renews all that is generated for the book, and builds it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match renew() {
        Ok(page) => {
            println!("the book: {page}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn renew() -> Result<String, String> {
    #[cfg(unix)]
    docs::book::transcripts::renew()?;
    docs::book::generated::renew()?;
    let folder = docs::book::build::build(None)?;
    Ok(folder.join("index.html").display().to_string())
}
