use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    thread,
};

use tokio::runtime::Builder;

/// For how many connections there must be room when a server starts.
const CONNECTIONS: usize = 8;

/// Starts what actix-web is about to start, and would panic without: a thread
/// that accepts, and one that serves, each with what it waits by; and takes
/// the file descriptors for some connections. All is given back.
///
/// # Errors
/// What the system doesn't give.
pub fn rehearse() -> io::Result<()> {
    on_a_thread(|| {
        let _accepts = Builder::new_current_thread().enable_all().build()?;
        on_a_thread(|| {
            let _serves = Builder::new_current_thread().enable_all().build()?;
            let socket = |_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
            let _connections =
                (0..CONNECTIONS).map(socket).collect::<io::Result<Vec<_>>>()?;
            Ok(())
        })
    })
}

fn on_a_thread(
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let thread = thread::Builder::new().spawn(work)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))
}
