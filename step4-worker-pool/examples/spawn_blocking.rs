//! Step 5 with tokio's `spawn_blocking`, and a semaphore for the bound.
//!
//! It gives: an answer, an error for a job that panics, and with a semaphore
//! the same door as step 5: a permit moves into each closure, so that the place
//! is given back when the work ends.
//! It lacks: a queue that is served by as many threads as there are cores
//! (each job gets a thread, up to a limit of hundreds), a priority, figures.
//! A closure that has begun can't be aborted.
//! Diff: git diff --no-index step5-back-pressure/src/main.rs \
//!     step4-worker-pool/examples/spawn_blocking.rs

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Result,
    error::{ErrorInternalServerError, InternalError},
    http::header::RETRY_AFTER,
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get},
};
use common::{Report, Settings, count, page, shares, stop_signal};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 5 with tokio's `spawn_blocking`.";
    let flags = "threads queue";
    let settings = Settings::from_args("step4-spawn-blocking", idea, flags);
    let places = Arc::new(Semaphore::new(settings.queue));
    let (settings, places) = (Data::new(settings), Data::from(places));
    let shared = (settings.clone(), places);

    let server = HttpServer::new(move || {
        let (settings, places) = shared.clone();
        App::new().app_data(settings).app_data(places).configure(routes)
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
    places: Data<Semaphore>,
) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings, &places).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing(places: Data<Semaphore>) -> Result<&'static str> {
    let permit = admit(&places)?;
    spawn_blocking(move || {
        let _permit = permit;
        panic!("/failing panics on purpose")
    })
    .await
    .map_err(worker_failed)
}

async fn figures(
    settings: Data<Settings>,
    places: Data<Semaphore>,
) -> Json<Value> {
    let free = places.available_permits();
    Json(json!({ "admitted": settings.queue - free }))
}

/// Lets a thread count each share, once there is a place for the request.
async fn count_all(
    settings: &Settings,
    places: &Arc<Semaphore>,
) -> Result<u64> {
    let permit = Arc::new(admit(places)?);
    let answers = shares(settings.iterations, settings.threads).map(|share| {
        let permit = permit.clone();
        spawn_blocking(move || {
            let count = count(share);
            drop(permit);
            count
        })
    });
    let counts = try_join_all(answers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn admit(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    places.clone().try_acquire_owned().map_err(|_| no_room())
}

fn no_room() -> Error {
    let response = HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .content_type("text/plain; charset=utf-8")
        .body("No room for this request now. Try again later.");
    InternalError::from_response("no room", response).into()
}

fn worker_failed(_: JoinError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
