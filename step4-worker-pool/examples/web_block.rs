//! Step 4 with actix-web's own `web::block`.
//!
//! What you get: one line, a result, an error for a job that panics.
//! What is missing, compared with step 4: a fixed number of threads that are
//! started once; compared with step 5: a bound, and a status. Its threads also read files
//! and look up names: up to 512 divided by the cores for each server thread, made
//! for waiting, not for computing. With many requests, hundreds of threads share
//! a few cores.
//! Diff, in the folder of this crate:
//! git diff --no-index src/main.rs examples/web_block.rs

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpServer, Result,
    error::{BlockingError, ErrorInternalServerError},
    rt::time::sleep,
    web::{Data, ServiceConfig, block, get},
};
use common::{
    Report, ThreadSettings, count, read_settings, serve, shares, stop_signal,
};
use futures::future::try_join_all;

/// What all handlers share.
struct State {
    settings: ThreadSettings,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 4 with actix-web's `web::block`.";
    let settings: ThreadSettings = read_settings("step4-web-block", idea);
    let state = Data::new(State { settings });
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
async fn failing() -> Result<&'static str> {
    let result = block(|| panic!("/failing panics on purpose"));
    result.await.map_err(worker_failed)
}

/// Has one thread count each share. Threads are started when they're needed, and
/// end after ten idle seconds.
async fn count_all(state: &State) -> Result<u64> {
    let results = shares(state.settings.iterations, state.settings.threads)
        .map(|share| block(move || count(share)))
        .collect::<Vec<_>>();
    let counts = try_join_all(results).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn worker_failed(_: BlockingError) -> Error {
    ErrorInternalServerError("The worker failed; the server is still running.")
}
