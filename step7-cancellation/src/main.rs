//! Step 7: a flag stops the work: the client left, or the time is up.
//!
//! New: a flag that threads check, a time limit, a graceful shutdown.
//! Watch: close a tab, or press Cancel: its threads are free at once.
//! Diff: git diff --no-index step6-shared-memory/src step7-cancellation/src

mod pool;
mod progress;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Responder, Result,
    error::{ErrorInternalServerError, InternalError},
    http::header::RETRY_AFTER,
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get},
};
use common::{
    LimitSettings, Report, RequestId, events, serve, settings, shares,
    stop_signal,
};
use futures::future::try_join_all;
use pool::{Permit, Pool, Status};
use progress::{Request, Requests, in_time};
use tokio::sync::oneshot::error::RecvError;
use tokio_util::sync::CancellationToken;

/// What all handlers share.
struct State {
    settings: LimitSettings,
    pool: Pool,
    requests: Requests,
    stop: CancellationToken,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings: LimitSettings = settings!();
    let pool = Pool::start(settings.threads, settings.queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let requests = Requests::default();
    let stop = stop_signal();
    let state = Data::new(State { settings, pool, requests, stop });
    let shared = state.clone();

    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).configure(routes)
    })
    // By default actix-web starts one server thread ("worker") per core. With
    // just one, all connections share it: when it's blocked, everyone waits.
    .workers(1)
    // A handler is dropped when its client leaves.
    .h1_allow_half_closed(false)
    .shutdown_signal(state.stop.clone().cancelled_owned())
    // This long after the signal, connections that are still open are closed.
    .shutdown_timeout(state.settings.shutdown_timeout.as_secs())
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
        .route("/pool", get().to(pool_status))
        .route("/progress", get().to(progress));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

/// Waits, as for a database, and computes nothing.
async fn waiting(state: Data<State>) -> Result<&'static str> {
    let wait = sleep(Duration::from_secs(3));
    in_time(&state.settings, &state.stop, Duration::MAX, wait).await?;
    Ok("This page waited for 3 seconds.")
}

async fn blocking(state: Data<State>, id: RequestId) -> Result<Report> {
    let start = Instant::now();
    let permit = admit(&state)?;
    let request = state.requests.begin(&id, state.settings.iterations);
    let work = count_all(&state, &permit, &request);
    let limit = state.settings.timeout;
    let result = in_time(&state.settings, &state.stop, limit, work).await?;
    let result = request.end(result)?;
    Ok(Report::new(result, start.elapsed()))
}

/// Work that panics on purpose, to see what its request gets.
async fn failing(state: Data<State>) -> Result<&'static str> {
    let permit = admit(&state)?;
    let request = state.requests.begin("", 1);
    let panic = || panic!("/failing panics on purpose");
    let receiver = state.pool.submit(&permit, panic);
    let limit = state.settings.timeout;
    let result = in_time(&state.settings, &state.stop, limit, receiver).await?;
    request.end(result.map_err(worker_failed))
}

async fn pool_status(state: Data<State>) -> Json<Status> {
    Json(state.pool.status())
}

/// How far the requests are, as a stream of events.
async fn progress(state: Data<State>) -> impl Responder {
    events(state.stop.clone(), move || state.requests.status())
}

/// Admits a request, or refuses it at once when all slots are taken.
fn admit(state: &State) -> Result<Permit> {
    state.pool.admit().ok_or_else(|| {
        state.requests.refuse();
        let response = HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "1"))
            .content_type("text/plain; charset=utf-8")
            .body("The server is busy. Try again later.");
        InternalError::from_response("busy", response).into()
    })
}

/// Has the shares counted. All are handed out before a result is awaited:
/// otherwise they would take turns.
async fn count_all(
    state: &State,
    permit: &Permit,
    request: &Request<'_>,
) -> Result<u64> {
    let receivers = shares(state.settings.iterations, state.settings.threads)
        .map(|share| {
            let progress = request.progress.clone();
            state.pool.submit(permit, move || progress.count(share))
        })
        .collect::<Vec<_>>();
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed; the server is still running.")
}
