//! Threads that compute can have a lower priority than the server thread: what you
//! gain while requests compute, and what you pay in a storm of requests.
//!
//! With `serve low` or `serve normal` and a number of slots, this is step 5's
//! server with a pool of that priority. Without arguments, it measures both.

#[allow(dead_code)] // Not everything is used here.
mod figures;
#[allow(dead_code)] // This server has no `/pool`.
mod pool {
    include!("../../step5-back-pressure/src/pool.rs");
}

use std::{
    env,
    io::{self, Read, Write},
    net::TcpStream,
    thread::{self, available_parallelism},
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpResponse, HttpServer, Result,
    error::{ErrorInternalServerError, ErrorServiceUnavailable},
    web::{Data, get},
};
use common::count;
use figures::{print, three_digits};
use harness::Server;
use pool::Pool;
use serde_json::{Value, json};

/// How far a request counts, which takes some 30 ms.
const ROUNDS: u64 = 100_000_000;

/// How long each measurement takes, and how many there are of each kind.
const TIME: Duration = Duration::from_secs(3);
const RUNS: usize = 5;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, priority, slots] = &arguments[..]
        && serve == "serve"
    {
        return run_server(priority, slots.parse().expect("a number")).await;
    }
    let mut samples = [const { [const { Vec::new() }; 3] }; 2];
    // In turns, so that a disturbance affects both.
    for _ in 0..RUNS {
        for (priority, samples) in ["low", "normal"].iter().zip(&mut samples) {
            for (sample, samples) in measure(priority)?.into_iter().zip(samples)
            {
                samples.push(sample);
            }
        }
    }
    let columns = [
        "the pool's priority",
        "p99 of /non-blocking at 4 in flight (ms)",
        "at 32 in flight (ms)",
        "goodput of 200 clients, 8 slots",
    ];
    let row = |(priority, samples): (&str, [Vec<f64>; 3])| {
        let mut row = vec![json!(priority)];
        row.extend(samples.map(spread));
        Value::Array(row)
    };
    let rows = ["low", "normal"].into_iter().zip(samples).map(row).collect();
    print("priority", &columns, rows);
    Ok(())
}

/// The median, and the range of the runs.
fn spread(mut samples: Vec<f64>) -> Value {
    samples.sort_by(f64::total_cmp);
    let [min, median, max] = [0, RUNS / 2, RUNS - 1].map(|at| samples[at]);
    let [min, median, max] = [min, median, max].map(three_digits);
    json!(format!("{median} ({min} to {max})"))
}

/// The two percentiles, and the share of its capacity that a server keeps in a
/// storm.
fn measure(priority: &str) -> io::Result<[f64; 3]> {
    let server = start(priority, 64);
    let at_4 = p99(server.address(), 4)?;
    let at_32 = p99(server.address(), 32)?;
    drop(server);
    let server = start(priority, 8);
    let capacity = done_by(server.address(), 4)?;
    let goodput = done_by(server.address(), 200)?;
    Ok([at_4, at_32, goodput as f64 / capacity as f64])
}

/// Starts this program as a server.
fn start(priority: &str, slots: usize) -> Server {
    let program = env::current_exe().expect("it runs");
    let mut command = harness::command(program);
    command.args(["serve", priority, &slots.to_string()]);
    Server::start(&mut command).unwrap_or_else(|error| panic!("{error}"))
}

/// The 99th percentile of `/non-blocking` in milliseconds, requested every 10 ms
/// while each of the clients has a `/blocking` in flight.
fn p99(address: &str, clients: usize) -> io::Result<f64> {
    let probe = || {
        let mut connection = TcpStream::connect(address)?;
        let (end, mut times) = (Instant::now() + TIME, Vec::new());
        let mut due = Instant::now();
        while due < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            assert_eq!(get_status(&mut connection, "/non-blocking")?, 200);
            // Counted from when it was due: a late probe has waited too.
            times.push(due.elapsed());
            due += Duration::from_millis(10);
        }
        times.sort();
        Ok(times[times.len() * 99 / 100].as_secs_f64() * 1e3)
    };
    thread::scope(|scope| {
        let load = scope.spawn(|| done_by(address, clients));
        let p99 = probe();
        load.join().expect("it doesn't panic").and(p99)
    })
}

/// How many requests are done if each client sends the next as soon as it has a
/// response.
fn done_by(address: &str, clients: usize) -> io::Result<usize> {
    let end = Instant::now() + TIME;
    let client = || -> io::Result<usize> {
        let (mut connection, mut done) = (TcpStream::connect(address)?, 0);
        while Instant::now() < end {
            match get_status(&mut connection, "/blocking")? {
                200 => done += 1,
                status => assert_eq!(status, 503),
            }
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..clients).map(|_| scope.spawn(client)).collect();
        let done = clients.into_iter().map(|client| client.join());
        done.map(|done| done.expect("it doesn't panic")).sum()
    })
}

/// Sends a GET. Returns the response's status.
fn get_status(connection: &mut TcpStream, path: &str) -> io::Result<u16> {
    write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    // It's so short that it arrives in one piece.
    let mut response = [0; 1024];
    let length = connection.read(&mut response)?;
    let response = String::from_utf8_lossy(&response[..length]);
    let status = response.get(9..12).and_then(|status| status.parse().ok());
    status.ok_or(io::ErrorKind::UnexpectedEof.into())
}

/// The pool, and whether its threads have a low priority.
type Shared = Data<(Pool, bool)>;

/// Step 5's server, as far as it is measured.
async fn run_server(priority: &str, slots: usize) -> io::Result<()> {
    let pool = Pool::start(available_parallelism()?, slots)?;
    let shared = Data::new((pool, priority == "low"));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .route("/non-blocking", get().to(HttpResponse::Ok))
            .route("/blocking", get().to(blocking))
    })
    .workers(1)
    .bind(("127.0.0.1", 0))?;
    println!("priority listening on http://{}", server.addrs()[0]);
    server.run().await
}

/// Lowers the priority of this thread.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // On Linux, that's the thread which calls this, not its process.
    let lowered = rustix::process::setpriority_process(None, 19);
    lowered.expect("everyone may lower it");
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {
    panic!("this measures Linux, where a single thread can be nice");
}

async fn blocking(shared: Shared) -> Result<String> {
    let (pool, is_low) = (&shared.0, shared.1);
    let permit = pool.admit().ok_or_else(|| ErrorServiceUnavailable("busy"))?;
    let receiver = pool.submit(&permit, move || {
        if is_low {
            lower_priority();
        }
        count(ROUNDS)
    });
    let result = receiver.await.map_err(ErrorInternalServerError)?;
    Ok(format!("Result is {result}"))
}
