//! Step 9: a closure can't travel, data can: shares go to other machines.
//!
//! New: tasks as data, a broker that queues them, workers that do them.
//! Watch: kill a worker in the middle of a share; the result is still exact.
//! Diff: git diff --no-index step8-data-processing/src step9-many-machines/src

mod broker;
mod pool;
mod progress;
mod share;
mod summary;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, HttpResponse, HttpServer, Responder, Result,
    error::InternalError,
    http::header::RETRY_AFTER,
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get, post},
};
use broker::Broker;
use common::{
    BrokerSettings, Rendered, Report, RequestId, Upload, client_left, events,
    serve, settings, shares, stop_signal,
};
use futures::future::try_join_all;
use pool::{Permit, Pool, Status};
use progress::{Request, Requests, in_time};
use share::{Answer, Lost, Task};
use summary::summarise;
use tokio_util::sync::CancellationToken;

/// What all handlers share.
struct State {
    settings: BrokerSettings,
    pool: Pool,
    broker: Option<Broker>,
    requests: Requests,
    stop: CancellationToken,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings: BrokerSettings = settings!();
    if settings.role.is_some() {
        return broker::work(&settings).await;
    }
    let pool = Pool::start(settings.threads, settings.queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let broker = Broker::connect(&settings).await;
    let requests = Requests::default();
    let stop = stop_signal();
    let state = Data::new(State { settings, pool, broker, requests, stop });
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
        .route("/progress", get().to(progress))
        .route("/summary", post().to(summary));
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
    let receiver = submit(&state, &permit, &request, Task::Fail);
    let limit = state.settings.timeout;
    let result = in_time(&state.settings, &state.stop, limit, receiver).await?;
    request.end(result).map(|_| "It didn't panic.")
}

async fn pool_status(state: Data<State>) -> Json<Status> {
    Json(state.pool.status())
}

/// How far the requests are, as a stream of events.
async fn progress(state: Data<State>) -> impl Responder {
    events(state.stop.clone(), move || state.requests.status())
}

/// Summarises a file of measurements while it arrives.
async fn summary(state: Data<State>, upload: Upload) -> Result<Rendered> {
    let permit = admit(&state)?;
    let request = state.requests.begin(&upload.id, upload.length);
    let submit = |task| submit(&state, &permit, &request, task);
    let work = summarise(&state.settings, &state.pool, &permit, submit, upload);
    let limit = state.settings.timeout;
    match in_time(&state.settings, &state.stop, limit, work).await? {
        Err(error) if client_left(&error) => Err(error),
        result => request.end(result),
    }
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
        .map(async |share| -> Result<u64> {
            match submit(state, permit, request, Task::Count(share)).await? {
                Answer::Count(count) => Ok(count),
                _ => Err(Lost::Failed.into()),
            }
        });
    let counts = try_join_all(receivers).await?;
    Ok(counts.iter().sum())
}

/// Hands out a share: to a worker process, or without a broker to a thread.
async fn submit(
    state: &State,
    permit: &Permit,
    request: &Request<'_>,
    task: Task,
) -> Result<Answer> {
    let progress = request.progress.clone();
    if let Some(broker) = &state.broker {
        return Ok(broker.submit(task, &progress).await?);
    }
    let receiver = state.pool.submit(permit, move || task.run(&progress));
    receiver.await.map_err(|_| Lost::Failed.into())
}
