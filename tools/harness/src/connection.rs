use std::{
    fs,
    io::{Error, ErrorKind, Result},
};

use crate::Pending;

/// Whether the server has read the request, or has even ended the connection.
/// Linux reports that for both ends of a connection on this machine
/// (<https://docs.kernel.org/networking/proc_net_tcp.html>).
pub fn is_read(pending: &Pending) -> Result<bool> {
    let waits = |error: Error| error.kind() == ErrorKind::WouldBlock;
    if !pending.peek().is_err_and(waits) {
        return Ok(true);
    }
    let client = pending.stream.local_addr()?.port();
    let server = pending.stream.peer_addr()?.port();
    // Check this end first: data still on its way isn't unread at the other
    // end.
    let has_arrived = end(client, server)?.is_some_and(|end| end.unsent == 0);
    let is_taken = |end: End| end.is_accepted && end.unread == 0;
    Ok(has_arrived && end(server, client)?.is_some_and(is_taken))
}

/// One end of a connection.
struct End {
    is_accepted: bool,
    unsent: u64,
    unread: u64,
}

/// The end on port `local`, if the kernel knows it.
fn end(local: u16, remote: u16) -> Result<Option<End>> {
    let mut tables = fs::read_to_string("/proc/net/tcp")?;
    // A system without IPv6 has no such table.
    tables += &fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    Ok(tables.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let port = |field: &str| number(field.rsplit_once(':')?.1);
        let [_, from, to, _, queues, _, _, _, _, inode, ..] = fields[..] else {
            return None;
        };
        if (port(from)?, port(to)?) != (local.into(), remote.into()) {
            return None;
        }
        let (unsent, unread) = queues.split_once(':')?;
        Some(End {
            // Before that, no process has a handle for it.
            is_accepted: inode != "0",
            unsent: number(unsent)?,
            unread: number(unread)?,
        })
    }))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{PATIENCE, wait_until};

    #[test]
    fn a_request_is_read_once_the_server_has_taken_all_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /").unwrap();
        let pending = Pending { stream };
        assert!(!is_read(&pending).unwrap(), "nobody has accepted it");
        let (mut server, _) = listener.accept().unwrap();
        assert!(!is_read(&pending).unwrap(), "nobody has read it");
        server.read_exact(&mut [0; 4]).unwrap();
        assert!(!is_read(&pending).unwrap(), "a part of it is left");
        server.read_exact(&mut [0; 1]).unwrap();
        assert!(wait_until(PATIENCE, || is_read(&pending).unwrap()));
    }
}
