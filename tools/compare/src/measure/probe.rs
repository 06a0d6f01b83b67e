//! Requests: one at a time, or many on a fixed schedule.

use std::{
    error::Error,
    net::SocketAddr,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{CONNECTION, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
    task::JoinSet,
    time::timeout,
};

use crate::format::sanitized;

/// How many probes may wait for their answers at once. The others wait for a
/// free connection, and that time counts too.
const MOST_CONNECTIONS: usize = 100;

/// The answers are a line long.
const LONGEST_BODY: usize = 64 * 1024;

/// Why there is no answer.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An answer whose status isn't 200.
#[derive(Debug, thiserror::Error)]
#[error("{path} answered {status} {line}")]
pub struct Unsuccessful {
    path: String,
    /// Its status.
    pub status: StatusCode,
    line: String,
}

/// What every server's answer to /non-blocking must contain.
const NON_BLOCKING: &str = "This page is non-blocking";

/// A server that answers requests.
pub struct Target {
    address: SocketAddr,
    host: String,
    path: String,
    patience: Duration,
    count: Option<u64>,
    connections: Semaphore,
}

impl Target {
    /// Looks the host up, once, and takes the first address that accepts a
    /// connection: `localhost` may have two. A response may take as long as
    /// `patience`. If `count` is given, /blocking has to count to it.
    ///
    /// # Errors
    /// When none does.
    pub async fn find(
        url: &str,
        patience: Duration,
        count: Option<u64>,
    ) -> Result<Self, Failure> {
        let uri: Uri = url.parse()?;
        let name = uri.host().ok_or("the URL has no host")?;
        let port = uri.port_u16().unwrap_or(80);
        // A literal IPv6 address is in brackets.
        let bare = name.trim_matches(['[', ']']);
        let connection = TcpStream::connect((bare, port)).await;
        let address = connection
            .and_then(|connection| connection.peer_addr())
            .map_err(|error| format!("can't connect to {url}: {error}"))?;
        let host = format!("{name}:{port}");
        let path = uri.path().trim_end_matches('/').to_owned();
        let connections = Semaphore::new(MOST_CONNECTIONS);
        Ok(Self { address, host, path, patience, count, connections })
    }

    /// Requests /non-blocking.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub async fn non_blocking(&self) -> Result<(), Failure> {
        let body = self.get("/non-blocking").await?;
        if body.contains(NON_BLOCKING) {
            return Ok(());
        }
        Err(wrong("/non-blocking", &body, NON_BLOCKING))
    }

    /// Requests /blocking. Returns how far it has counted.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub async fn blocking(&self) -> Result<u64, Failure> {
        let body = self.get("/blocking").await?;
        let text = body.trim().to_lowercase();
        let count = text.strip_prefix("result is ");
        match (count.and_then(|count| count.parse().ok()), self.count) {
            (Some(count), None) => Ok(count),
            (Some(count), Some(right)) if count == right => Ok(count),
            (_, right) => {
                let right = right.map_or("…".into(), |it| it.to_string());
                Err(wrong("/blocking", &body, &format!("Result is {right}")))
            }
        }
    }

    /// Sends a GET on a fresh connection. Returns the body.
    ///
    /// A connection belongs to the server thread that accepted it, and one that
    /// is kept alive during a long freeze may be closed unanswered. A fresh one
    /// is what the next visitor has.
    ///
    /// # Errors
    /// When there is no answer, or its status isn't 200.
    pub async fn get(&self, path: &str) -> Result<String, Failure> {
        let answer = timeout(self.patience, self.exchange(path)).await;
        let answer = answer.map_err(|_| {
            format!("{path} didn't answer within {:?}", self.patience)
        })?;
        let (status, body) =
            answer.map_err(|error| format!("no answer to {path}: {error}"))?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let (path, line) = (path.to_owned(), line(&body));
        Err(Unsuccessful { path, status, line }.into())
    }

    async fn exchange(
        &self,
        path: &str,
    ) -> Result<(StatusCode, String), Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await?;
        // It ends when `sender` and the response are dropped, or before.
        tokio::spawn(connection);
        let request = Request::get(format!("{}{path}", self.path))
            .header(HOST, &self.host)
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, LONGEST_BODY).collect().await?;
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok((head.status, body))
    }
}

fn wrong(path: &str, body: &str, right: &str) -> Failure {
    format!("{path} answered `{}`, not `{right}`", line(body)).into()
}

/// As much of a wrong answer as fits into a message.
fn line(body: &str) -> String {
    sanitized(body.trim().lines().next().unwrap_or(""), 60)
}

/// A request that was due at a certain moment.
pub struct Probe {
    /// When it was due.
    pub intended: Instant,
    /// How much later this program began to send it.
    pub late: Duration,
    /// From the intended moment until the answer was complete.
    pub latency: Result<Duration, Failure>,
}

/// Probes /non-blocking on a fixed schedule until `work` is done, and waits for
/// the probes in flight.
///
/// A probe is sent whether or not earlier ones are answered, and its latency
/// counts from when it was due. So a server that freezes can't hide that by
/// slowing the probes down ("coordinated omission").
pub async fn probe_until<T>(
    work: impl Future<Output = T>,
    target: &Arc<Target>,
    interval: Duration,
) -> (T, Vec<Probe>) {
    let mut moments = schedule(interval);
    let mut flying = JoinSet::new();
    tokio::pin!(work);
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            Some(intended) = moments.recv() => {
                flying.spawn(probe(intended, target.clone()));
            }
        }
    };
    let mut probes = flying.join_all().await;
    probes.sort_by_key(|probe| probe.intended);
    (outcome, probes)
}

/// Sends one probe, once a connection is free.
pub fn probe(
    intended: Instant,
    target: Arc<Target>,
) -> impl Future<Output = Probe> {
    let late = intended.elapsed();
    async move {
        let _permit = target.connections.acquire().await;
        let answer = target.non_blocking().await;
        let latency = answer.map(|()| intended.elapsed());
        Probe { intended, late, latency }
    }
}

/// Moments at equal intervals from now on, each sent when it arrives.
pub fn schedule(interval: Duration) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    // A thread's sleep is exact to some 50 µs; tokio's to a millisecond.
    thread::spawn(move || {
        let mut next = Instant::now();
        while sender.send(next).is_ok() {
            next += interval;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    receiver
}
