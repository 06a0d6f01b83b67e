//! Step 9: a closure can't travel, data can: shares go to other machines.
//!
//! New: tasks as data, an engine that keeps them, workers that take them.
//! Watch: kill a worker in the middle of a share; the answer is still exact.
//! Diff: git diff --no-index step8-data-processing/src step9-many-machines/src

mod dispatch;
mod engine;
mod pool;
mod presence;
mod progress;
mod share;
mod summary;
mod worker;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Responder, Result,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorGatewayTimeout, InternalError},
    http::header::RETRY_AFTER,
    middleware::{Next, from_fn},
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get, post},
};
use common::{
    Report, RequestId, Settings, SummaryReport, Upload, page, settings, shares,
    stop_signal,
};
use dispatch::{Figures, Workers};
use futures::future::{FutureExt, OptionFuture, try_join_all};
use pool::Pool;
use progress::{Requests, Running, events};
use share::Task;
use summary::{has_left, summarise};
use tokio::{select, sync::Semaphore};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Data::new(settings!(
        "threads priority queue timeout shutdown_timeout body_timeout engine"
    ));
    if settings.role.is_some() {
        return worker::work(&settings).await;
    }
    let Settings { threads, priority, queue, .. } = **settings;
    let pool = Pool::start(threads, priority, queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let workers = Workers::new(&settings).await;
    let stop = stop_signal()?;
    let requests = Data::new(Requests::new(stop.clone(), workers));
    // Of pieces of bodies that wait for a thread, or that one works on.
    let places = Data::new(Semaphore::new(2 * threads.get()));
    let shared = (settings.clone(), Data::new(pool), requests, places);

    let server = HttpServer::new(move || {
        let (settings, pool, requests, places) = shared.clone();
        let app = App::new().app_data(settings).app_data(pool);
        let app = app.app_data(requests).app_data(places);
        app.wrap(from_fn(in_time)).configure(routes)
    })
    // By default actix-web starts one single-threaded worker per core. With
    // just one, all connections share one thread, and a freeze is no accident.
    .workers(1)
    // A handler is dropped when its client goes away.
    .h1_allow_half_closed(false)
    .shutdown_signal(stop)
    // Then whoever is left, and doesn't read, isn't waited for any more.
    .shutdown_timeout(settings.shutdown_timeout.as_secs())
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
        .route("/pool", get().to(figures))
        .route("/progress", get().to(progress))
        .route("/summary", post().to(summary));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

/// Waits, as for a database, and computes nothing.
async fn waiting() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "This page waited for 3 seconds."
}

async fn blocking(
    settings: Data<Settings>,
    pool: Data<Pool>,
    requests: Data<Requests>,
    id: RequestId,
) -> Result<Report> {
    let start = Instant::now();
    let total = settings.iterations;
    let running = requests.begin(&pool, &id, total).ok_or_else(no_room)?;
    let result = count_all(&settings, &pool, &running).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing(
    pool: Data<Pool>,
    requests: Data<Requests>,
) -> Result<&'static str> {
    let running = requests.begin(&pool, "", 1).ok_or_else(no_room)?;
    let answer = running.submit(&pool, Task::Fail, ()).await;
    answer.inspect_err(|_| running.failed.set(true))?;
    Ok("It didn't fail.")
}

async fn figures(pool: Data<Pool>, requests: Data<Requests>) -> Json<Figures> {
    Json(requests.workers.figures(&pool).await)
}

/// How far the requests are, as a stream of events.
async fn progress(requests: Data<Requests>) -> impl Responder {
    events(requests)
}

/// Summarises a file of measurements while it arrives.
async fn summary(
    settings: Data<Settings>,
    pool: Data<Pool>,
    requests: Data<Requests>,
    places: Data<Semaphore>,
    Upload { id, length, body }: Upload,
) -> Result<SummaryReport> {
    let start = Instant::now();
    let running = requests.begin(&pool, &id, length).ok_or_else(no_room)?;
    let (rows, summary) =
        summarise(&settings, body, places.into_inner(), &pool, &running)
            .await
            .inspect_err(|error| running.failed.set(!has_left(error)))?;
    Ok(SummaryReport::new(&settings, rows, summary, start.elapsed()))
}

/// Lets each worker count a share. All of them are queued before the first is
/// awaited: otherwise they would take turns.
async fn count_all(
    settings: &Settings,
    pool: &Pool,
    running: &Running<'_>,
) -> Result<u64> {
    let answers = shares(settings.iterations, settings.threads)
        .map(|share| running.submit(pool, Task::Count(share), ()));
    let answers = try_join_all(answers).await?;
    Ok(answers.iter().map(|(it, ())| it.count()).sum())
}

/// Drops the handler of a request that takes too long, or that the server's end
/// doesn't leave the time for: its threads stop.
async fn in_time(
    settings: Data<Settings>,
    requests: Data<Requests>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>> {
    let limit = OptionFuture::from(settings.timeout.map(sleep));
    // The rest of the time is for the answers to leave.
    let time = settings.shutdown_timeout.mul_f64(0.9);
    let end = requests.stop.clone().then(|()| sleep(time));
    select! {
        answer = next.call(request) => answer,
        Some(()) = limit => Err(too_late()),
        () = end => Err(no_room()),
    }
}

fn no_room() -> Error {
    let response = HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .content_type("text/plain; charset=utf-8")
        .body("No room for this request now. Try again later.");
    InternalError::from_response("no room", response).into()
}

fn too_late() -> Error {
    ErrorGatewayTimeout("It took too long, and was stopped.")
}
