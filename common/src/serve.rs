use std::{
    io::{self, Write},
    net::SocketAddr,
    process,
};

use actix_web::dev::Server;
use futures::future::{Either, ready, select};

use crate::{About, about, log};

/// Runs the server until it has shut down. As soon as its thread runs, prints one
/// line: where it listens, and its settings.
///
/// # Errors
/// Those of the running server. If it can't start, this ends the process with
/// status 1, and prints why.
pub async fn serve(
    addresses: Vec<SocketAddr>,
    server: Server,
) -> io::Result<()> {
    // The first poll starts the server threads, and waits for them.
    match select(server, ready(())).await {
        Either::Left((Err(error), _)) => cannot_serve(error),
        Either::Left((Ok(()), _)) => Ok(()),
        Either::Right(((), server)) => {
            announce(&addresses);
            server.await
        }
    }
}

/// Ends the process with status 1, and prints on standard error what the system
/// refused, and what to change.
pub(crate) fn cannot_serve(error: io::Error) -> ! {
    log(format!(
        "{}: can't serve: {error}\n\
         allow it more threads and open files (see `ulimit -a`)",
        about().step
    ));
    process::exit(1)
}

/// Prints one line: where the program listens, and its settings. For programs
/// that don't [`serve`] with actix-web.
pub fn announce(addresses: &[SocketAddr]) {
    let urls = addresses.iter().map(|address| format!("http://{address}"));
    let urls = urls.collect::<Vec<_>>().join(" ");
    print_start(&format!("listening on {urls}"));
}

/// Prints a process's start line.
pub(crate) fn print_start(doing: &str) {
    let About { step, settings, .. } = about();
    let line = format!("{step} {doing} ({})", settings.join(", "));
    // Not println!, which panics when standard output is closed.
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        log(format!("{line}\nstandard output: {error}"));
    }
}
