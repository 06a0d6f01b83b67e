//! Small servers that have the two routes, each with a character.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

/// How far `/blocking` counts.
pub const COUNT: u64 = 1_000_000_000;

/// A window title and its bell, a cleared screen, a C1 sequence, and characters
/// that are two columns wide.
const HOSTILE: &str = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\
    \u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\
    \u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\
    \u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\
    \u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}\u{4e16}";

/// A server on a free port, until the test is over.
pub struct Peer {
    url: String,
}

impl Peer {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A thread for each connection.
    pub fn live() -> Self {
        Self::serve(|stream, path| {
            let path = path.to_owned();
            thread::spawn(move || answer(stream, &path));
            true
        })
    }

    /// One connection after another.
    pub fn frozen() -> Self {
        Self::serve(|stream, path| {
            answer(stream, path);
            true
        })
    }

    /// It ends when somebody asks for /blocking.
    pub fn dies() -> Self {
        Self::serve(|stream, path| {
            let lives = path != "/blocking";
            if lives {
                answer(stream, path);
            }
            lives
        })
    }

    /// It has other pages.
    pub fn wrong() -> Self {
        Self::serve(|stream, _| {
            respond(stream, "404 Not Found", "no such page");
            true
        })
    }

    /// It answers what a terminal would obey, in an error and in a page.
    pub fn hostile() -> Self {
        Self::serve(|stream, path| {
            match path {
                "/non-blocking" => respond(stream, "200 OK", HOSTILE),
                _ => respond(stream, "500 Internal Server Error", HOSTILE),
            }
            true
        })
    }

    fn serve(
        accept: impl Fn(TcpStream, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accept = Arc::new(accept);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut head = BufReader::new(&stream).lines();
                let Some(Ok(first)) = head.next() else {
                    continue;
                };
                // The rest of the head isn't needed, but has to be read.
                head.take_while(|line| {
                    line.as_ref().is_ok_and(|line| !line.is_empty())
                })
                .count();
                let path = first.split(' ').nth(1).unwrap_or("");
                if !accept(stream, path) {
                    return;
                }
            }
        });
        Self { url }
    }
}

fn answer(stream: TcpStream, path: &str) {
    match path {
        "/non-blocking" => {
            respond(stream, "200 OK", "This page is non-blocking");
        }
        _ => {
            thread::sleep(Duration::from_millis(400));
            respond(stream, "200 OK", &format!("result is {COUNT}"));
        }
    }
}

fn respond(mut stream: TcpStream, status: &str, body: &str) {
    let length = body.len();
    // A client that has gone doesn't want it.
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .ok();
}
