//! Step 9: a closure can't travel, data can: shares go to other machines.
//!
//! New: tasks as data, an engine that keeps them, workers that take them.
//! Watch: kill a worker in the middle of a share; the answer is still exact.
//! Diff: git diff --no-index step8-data-processing/src step9-many-machines/src

mod engine;
mod pool;
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
use futures::future::{FutureExt, OptionFuture, try_join_all};
use pool::Pool;
use progress::{Requests, Running, events};
use share::{Answer, Figures, Task, Workers};
use summary::{has_left, summarise};
use tokio::select;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Data::new(settings!(
        "threads priority queue timeout shutdown_timeout body_timeout engine \
         engine_ca replicas role"
    ));
    let Settings { threads, priority, queue, role, .. } = **settings;
    if role.is_some() {
        return worker::work(&settings).await;
    }
    let pool = Pool::start(threads, priority, queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let pool = Data::new(pool);
    let workers = Data::new(Workers::new(&settings, pool.clone()).await);
    let stop = stop_signal()?;
    let requests = Data::new(Requests::new(stop.clone()));
    let shared = (settings.clone(), pool, requests, workers);

    let server = HttpServer::new(move || {
        let (settings, pool, requests, workers) = shared.clone();
        let app = App::new().app_data(settings).app_data(pool);
        let app = app.app_data(requests).app_data(workers);
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
    "This page has waited for 3 seconds."
}

async fn blocking(
    settings: Data<Settings>,
    pool: Data<Pool>,
    requests: Data<Requests>,
    workers: Data<Workers>,
    id: RequestId,
) -> Result<Report> {
    let start = Instant::now();
    let total = settings.iterations;
    let running = requests.begin(&pool, &id, total).ok_or_else(no_room)?;
    let result = count_all(&settings, &workers, &running).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing(
    pool: Data<Pool>,
    requests: Data<Requests>,
    workers: Data<Workers>,
) -> Result<&'static str> {
    let running = requests.begin(&pool, "", 1).ok_or_else(no_room)?;
    let answer = workers.submit(&running, Task::Fail).await;
    answer.inspect_err(|_| running.failed.set(true))?;
    Ok("It has not failed.")
}

async fn figures(workers: Data<Workers>) -> Json<Figures> {
    Json(workers.figures().await)
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
    workers: Data<Workers>,
    Upload { id, length, body }: Upload,
) -> Result<SummaryReport> {
    let start = Instant::now();
    let running = requests.begin(&pool, &id, length).ok_or_else(no_room)?;
    let (rows, summary) = summarise(&settings, body, &workers, &running)
        .await
        .inspect_err(|error| running.failed.set(!has_left(error)))?;
    Ok(SummaryReport::new(&settings, rows, summary, start.elapsed()))
}

/// Lets workers count a share each. All of them are queued before the first is
/// awaited: otherwise they would take turns.
async fn count_all(
    settings: &Settings,
    workers: &Workers,
    running: &Running<'_>,
) -> Result<u64> {
    let answers = shares(settings.iterations, settings.threads)
        .map(|share| workers.submit(running, Task::Count(share)));
    let answers = try_join_all(answers).await?;
    Ok(answers.iter().map(Answer::count).sum())
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
