//! Step 8: the job is data: cut it, share it, put the parts together.
//!
//! New: a body that is read piece by piece, jobs that own their piece.
//! Watch: drop a file of any size on the page; the memory stays what it was.
//! Diff: git diff --no-index step7-cancellation/src step8-data-processing/src

mod pool;
mod progress;
mod summary;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Responder, Result,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::{ErrorGatewayTimeout, ErrorInternalServerError, InternalError},
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
use pool::{Figures, Pool};
use progress::{Requests, Running, events};
use summary::{has_left, summarise};
use tokio::{
    select,
    sync::{Semaphore, oneshot::error::RecvError},
};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Data::new(settings!(
        "threads priority queue timeout shutdown_timeout body_timeout"
    ));
    let Settings { threads, priority, queue, .. } = **settings;
    let pool = Pool::start(threads, priority, queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let stop = stop_signal()?;
    let requests = Data::new(Requests::new(stop.clone()));
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
    "This page has waited for 3 seconds."
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
    pool.submit(&running.permit, || panic!("/failing panics on purpose"))
        .await
        .inspect_err(|_| running.failed.set(true))
        .map_err(worker_failed)
}

async fn figures(pool: Data<Pool>) -> Json<Figures> {
    Json(pool.figures())
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

/// Lets each thread count a share. All of them are queued before the first is
/// awaited: otherwise they would take turns.
async fn count_all(
    settings: &Settings,
    pool: &Pool,
    running: &Running<'_>,
) -> Result<u64> {
    let receivers =
        shares(settings.iterations, settings.threads).map(|share| {
            let progress = running.progress.clone();
            pool.submit(&running.permit, move || progress.count(share))
        });
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
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

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
