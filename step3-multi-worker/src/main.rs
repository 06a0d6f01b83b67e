//! Step 3: N threads each do a share; their answers are joined.
//!
//! New: the work is divided, and several answers are awaited at once.
//! Watch: /blocking is done sooner; how much depends on your cores.
//! Diff: git diff --no-index step2-single-worker/src step3-multi-worker/src

use std::time::{Duration, Instant};
use std::{io, thread};

use actix_web::{
    App, Error, HttpServer, Result,
    error::{ErrorInternalServerError, ErrorServiceUnavailable},
    http::KeepAlive,
    rt::time::sleep,
    web::{Data, ServiceConfig, get},
};
use common::{
    Report, Settings, count, log, page, settings, shares, stop_signal,
};
use futures::future::try_join_all;
use tokio::sync::oneshot::{self, Receiver, error::RecvError};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Data::new(settings!("threads"));
    let shared = settings.clone();

    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).configure(routes)
    })
    // By default actix-web starts one single-threaded worker per core. With
    // just one, all connections share one thread, and a freeze is no accident.
    .workers(1)
    // Who waits through a freeze is answered after it, however long it was.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(KeepAlive::Os)
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
        .route("/failing", get().to(failing));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

/// Waits, as for a database, and computes nothing.
async fn waiting() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "This page has waited for 3 seconds."
}

async fn blocking(settings: Data<Settings>) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing() -> Result<&'static str> {
    spawn_worker(|| panic!("/failing panics on purpose"))?
        .await
        .map_err(worker_failed)
}

/// Lets each thread count a share. All of them run before the first is
/// awaited: otherwise they would take turns.
async fn count_all(settings: &Settings) -> Result<u64> {
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| spawn_worker(move || count(share)))
        .collect::<Result<Vec<_>>>()?;
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

/// Starts a thread that does `work`. Returns where its answer will arrive.
fn spawn_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("worker".into())
        // Sending fails when nobody waits any more: then nobody is told. If
        // `work` panics, the sender is dropped, and the receiver is told.
        .spawn(move || sender.send(work()).ok())
        .map_err(|error| {
            log(format!("can't start a worker: {error}"));
            ErrorServiceUnavailable("No thread is free. Try again later.")
        })?;
    Ok(receiver)
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
