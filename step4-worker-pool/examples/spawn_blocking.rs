//! Step 4 with tokio's `spawn_blocking`, and a semaphore for the bound.
//!
//! What you get: a result, an error for a job that panics, and with a semaphore
//! the bound of step 5.
//! What is missing, compared with step 4: a queue that a fixed number of threads
//! serve (here each job gets a thread, up to a limit of hundreds); compared with
//! step 5: the number of queued jobs. A closure that has started can't be aborted.
//! Diff, in the folder of this crate:
//! git diff --no-index ../step5-back-pressure/src/main.rs \
//!     examples/spawn_blocking.rs

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Result,
    error::{ErrorInternalServerError, InternalError},
    http::header::RETRY_AFTER,
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get},
};
use common::{
    QueueSettings, Report, count, read_settings, serve, shares, stop_signal,
};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
};

/// What all handlers share.
struct State {
    settings: QueueSettings,
    free: Arc<Semaphore>,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 4 with tokio's `spawn_blocking`.";
    let settings: QueueSettings = read_settings("step4-spawn-blocking", idea);
    let free = Arc::new(Semaphore::new(settings.queue));
    let state = Data::new(State { settings, free });
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
        .route("/failing", get().to(failing))
        .route("/pool", get().to(pool_status));
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
    let permit = admit(&state)?;
    let result = count_all(&state, &permit).await?;
    Ok(Report::new(result, start.elapsed()))
}

/// Work that panics on purpose, to see what its request gets.
async fn failing(state: Data<State>) -> Result<&'static str> {
    let permit = admit(&state)?;
    let job = spawn_blocking(move || {
        let _permit = permit;
        panic!("/failing panics on purpose")
    });
    job.await.map_err(worker_failed)
}

async fn pool_status(state: Data<State>) -> Json<Value> {
    let slots = state.settings.queue;
    let admitted = slots - state.free.available_permits();
    Json(json!({ "slots": slots, "admitted": admitted }))
}

/// Admits a request, or refuses it at once when all slots are taken.
fn admit(state: &State) -> Result<Arc<OwnedSemaphorePermit>> {
    let permit = state.free.clone().try_acquire_owned().map(Arc::new);
    permit.map_err(|_| {
        let response = HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .content_type("text/plain; charset=utf-8")
            .body("The server is busy. Try again later.");
        InternalError::from_response("busy", response).into()
    })
}

/// Has one thread count each share. A permit travels inside each job, so the slot
/// is released when the work ends.
async fn count_all(
    state: &State,
    permit: &Arc<OwnedSemaphorePermit>,
) -> Result<u64> {
    let jobs = shares(state.settings.iterations, state.settings.threads)
        .map(|share| {
            let permit = permit.clone();
            spawn_blocking(move || {
                let result = count(share);
                drop(permit);
                result
            })
        })
        .collect::<Vec<_>>();
    let counts = try_join_all(jobs).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn worker_failed(_: JoinError) -> Error {
    ErrorInternalServerError("The worker failed; the server is still running.")
}
