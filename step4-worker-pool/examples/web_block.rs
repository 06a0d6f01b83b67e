//! Step 4 with actix-web's own `web::block`.
//!
//! It gives: one line, an answer, an error for a job that panics.
//! It lacks: a bound, figures, a priority. Its threads are those that also
//! read files and look up names, up to 512 divided by the cores for each of
//! the server's workers: made for waiting, not for computing. When many
//! requests come, hundreds of threads share a few cores.
//! Diff, in the folder of this crate:
//! git diff --no-index src/main.rs examples/web_block.rs

use std::{
    io,
    time::{Duration, Instant},
};

use actix_web::{
    App, Error, HttpServer, Result,
    error::{BlockingError, ErrorInternalServerError},
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, block, get},
};
use common::{Report, Settings, count, page, shares, stop_signal};
use futures::future::try_join_all;
use serde_json::{Value, json};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 4 with actix-web's `web::block`.";
    let settings = Settings::from_args("step4-web-block", idea, "threads");
    let settings = Data::new(settings);
    let shared = settings.clone();

    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).configure(routes)
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

async fn blocking(settings: Data<Settings>) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing() -> Result<&'static str> {
    block(|| panic!("/failing panics on purpose")).await.map_err(worker_failed)
}

/// Nothing is known of these threads.
async fn figures() -> Json<Value> {
    Json(json!({}))
}

/// Lets a thread count each share. They are started one by one as they are
/// needed, and end after ten idle seconds.
async fn count_all(settings: &Settings) -> Result<u64> {
    let answers = shares(settings.iterations, settings.threads)
        .map(|share| block(move || count(share)));
    let counts = try_join_all(answers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn worker_failed(_: BlockingError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
