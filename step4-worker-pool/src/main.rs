//! Step 4: threads are started once and reused.
//!
//! New: a pool, whose threads take one job at a time from a queue.
//! Watch: a thousand requests at once, and not one thread more.
//! Diff: git diff --no-index step3-multi-worker/src step4-worker-pool/src

mod pool;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpServer, Result,
    error::ErrorInternalServerError,
    rt::time::sleep,
    web::{Data, ServiceConfig, get},
};
use common::{
    Report, ThreadSettings, count, serve, settings, shares, stop_signal,
};
use futures::future::try_join_all;
use pool::Pool;
use tokio::sync::oneshot::error::RecvError;

/// What all handlers share.
struct State {
    settings: ThreadSettings,
    pool: Pool,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings: ThreadSettings = settings!();
    let pool = Pool::start(settings.threads)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let state = Data::new(State { settings, pool });
    let shared = state.clone();

    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).configure(routes)
    })
    // By default actix-web starts one server thread ("worker") per core. With
    // just one, all connections share it: when it's blocked, everyone waits.
    .workers(1)
    .shutdown_signal(stop_signal().cancelled_owned())
    // Requests in progress are finished, however long it takes.
    .shutdown_timeout(u64::MAX)
    .bind(state.settings.address())
    .unwrap_or_else(|error| state.settings.cannot_listen(error));

    serve(server.addrs(), server.run()).await
}

fn routes(config: &mut ServiceConfig) {
    config
        .configure(page::routes)
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
    "This page waited for 3 seconds."
}

async fn blocking(state: Data<State>) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&state).await?;
    Ok(Report::new(result, start.elapsed()))
}

/// Work that panics on purpose, to see what its request gets.
async fn failing(state: Data<State>) -> Result<&'static str> {
    let receiver = state.pool.submit(|| panic!("/failing panics on purpose"));
    receiver.await.map_err(worker_failed)
}

/// Has the shares counted. All are handed out before a result is awaited:
/// otherwise they would take turns.
async fn count_all(state: &State) -> Result<u64> {
    let receivers = shares(state.settings.iterations, state.settings.threads)
        .map(|share| state.pool.submit(move || count(share)))
        .collect::<Vec<_>>();
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed; the server is still running.")
}
