//! Step 4 with rayon's pool.
//!
//! It gives: threads that are started once, work stealing, and much more for
//! work on collections (`par_iter`), which is what it is made for. Its
//! `spawn` neither returns an answer nor says that a job panicked, so a
//! channel is still ours.
//! It lacks: a bound (its queue grows as long as requests come), and figures.
//! A panic in `spawn` ends the whole process, unless there is a handler.
//! Diff, in the folder of this crate:
//! git diff --no-index src/main.rs examples/rayon.rs

use std::{
    io,
    time::{Duration, Instant},
};

use actix_web::{
    App, Error, HttpServer, Result,
    error::ErrorInternalServerError,
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get},
};
use common::{Priority, Report, Settings, count, page, shares, stop_signal};
use futures::future::try_join_all;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use tokio::sync::oneshot::{self, Receiver, error::RecvError};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 4 with rayon's pool.";
    let settings = Settings::from_args("step4-rayon", idea, "threads");
    let pool = ThreadPoolBuilder::new()
        .num_threads(settings.threads.get())
        .thread_name(|number| format!("pool {number}"))
        .start_handler(|_| Priority::Low.apply())
        // Standard error has the message already.
        .panic_handler(|_| ())
        .build()
        .map_err(io::Error::other)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let (settings, pool) = (Data::new(settings), Data::new(pool));
    let shared = (settings.clone(), pool.clone());

    let server = HttpServer::new(move || {
        let (settings, pool) = shared.clone();
        App::new().app_data(settings).app_data(pool).configure(routes)
    })
    // By default actix-web starts one single-threaded worker per core. With
    // just one, all connections share one thread, and a freeze is no accident.
    .workers(1)
    .shutdown_signal(stop_signal()?)
    // Whatever was accepted is answered, however long it takes.
    .shutdown_timeout(u64::MAX)
    .bind(settings.address())
    .unwrap_or_else(|error| settings.cannot_listen(error));

    settings.announce(&server.addrs());
    server.run().await
}

fn routes(config: &mut ServiceConfig) {
    config
        .configure(page)
        .route("/non-blocking", get().to(non_blocking))
        .route("/waiting", get().to(waiting))
        .route("/blocking", get().to(blocking))
        .route("/failing", get().to(failing))
        .route("/pool", get().to(figures));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

/// Waits, as for a database, and computes nothing.
async fn waiting() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "This page has waited for 3 seconds."
}

async fn blocking(
    settings: Data<Settings>,
    pool: Data<ThreadPool>,
) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings, &pool).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing(pool: Data<ThreadPool>) -> Result<&'static str> {
    submit(&pool, || panic!("/failing panics on purpose"))
        .await
        .map_err(worker_failed)
}

async fn figures(pool: Data<ThreadPool>) -> Json<Value> {
    Json(json!({ "threads": pool.current_num_threads() }))
}

/// Lets each thread of the pool count a share.
async fn count_all(settings: &Settings, pool: &ThreadPool) -> Result<u64> {
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| submit(pool, move || count(share)));
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn submit<T: Send + 'static>(
    pool: &ThreadPool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    pool.spawn(move || drop(sender.send(work())));
    receiver
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
