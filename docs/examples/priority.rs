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
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    num::NonZeroUsize,
    sync::{Arc, Barrier},
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
use futures::future::join_all;
use harness::Server;
use pool::Pool;
use serde_json::{Value, json};
use thread_priority::{ThreadPriority, set_current_thread_priority};

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
        let mut connection = connect(address)?;
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
        let (mut connection, mut done) = (connect(address)?, 0);
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

fn connect(address: &str) -> io::Result<BufReader<TcpStream>> {
    TcpStream::connect(address).map(BufReader::new)
}

/// Sends a GET and reads the response. Returns its status.
fn get_status(
    connection: &mut BufReader<TcpStream>,
    path: &str,
) -> io::Result<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes())?;
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if connection.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = head[start..].to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("it is a number");
        }
    }
    connection.read_exact(&mut vec![0; length])?;
    Ok(head[9..12].parse().expect("a status is a number"))
}

/// Step 5's server, as far as it is measured.
async fn run_server(priority: &str, slots: usize) -> io::Result<()> {
    let threads = available_parallelism()?;
    let pool = Pool::start(threads, slots)?;
    if priority == "low" {
        lower(&pool, threads).await;
    }
    let pool = Data::new(pool);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(pool.clone())
            .route("/non-blocking", get().to(HttpResponse::Ok))
            .route("/blocking", get().to(blocking))
    })
    .workers(1)
    .bind(("127.0.0.1", 0))?;
    println!("priority listening on http://{}", server.addrs()[0]);
    server.run().await
}

async fn blocking(pool: Data<Pool>) -> Result<String> {
    let permit = pool.admit().ok_or_else(|| ErrorServiceUnavailable("busy"))?;
    let receiver = pool.submit(&permit, || count(ROUNDS));
    let result = receiver.await.map_err(ErrorInternalServerError)?;
    Ok(format!("Result is {result}"))
}

/// Lowers the priority of each of the pool's threads. Thanks to the barrier, none
/// takes a second job before each has one.
async fn lower(pool: &Pool, threads: NonZeroUsize) {
    let permit = pool.admit().expect("nothing is admitted yet");
    let meeting = Arc::new(Barrier::new(threads.get()));
    let jobs = (0..threads.get()).map(|_| {
        let meeting = meeting.clone();
        pool.submit(&permit, move || {
            meeting.wait();
            set_current_thread_priority(ThreadPriority::Min)
        })
    });
    for lowered in join_all(jobs).await {
        lowered.expect("it doesn't panic").expect("the system allows it");
    }
}
