//! Step 5: what waits has a bound; who doesn't fit in is refused at once.
//!
//! New: a place for each request, and an answer that says "later".
//! Watch: a thousand requests at once: a few wait, the rest get 503; /pool
//! Diff: git diff --no-index step4-worker-pool/src step5-back-pressure/src

mod pool;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Result,
    error::{ErrorInternalServerError, InternalError},
    http::{KeepAlive, header::RETRY_AFTER},
    rt::time::sleep,
    web::{Data, Json, ServiceConfig, get},
};
use common::{Report, Settings, count, page, settings, shares, stop_signal};
use futures::future::try_join_all;
use pool::{Figures, Pool};
use tokio::sync::oneshot::error::RecvError;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Data::new(settings!("threads priority queue"));
    let Settings { threads, priority, queue, .. } = **settings;
    let pool = Pool::start(threads, priority, queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let shared = (settings.clone(), Data::new(pool));

    let server = HttpServer::new(move || {
        let (settings, pool) = shared.clone();
        App::new().app_data(settings).app_data(pool).configure(routes)
    })
    // By default actix-web starts one single-threaded worker per core. With
    // just one, all connections share one thread, and a freeze is no accident.
    .workers(1)
    // Who waits through a freeze is answered after it, however long it was.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(KeepAlive::Os)
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
    pool: Data<Pool>,
) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings, &pool).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A worker that panics on purpose, to see what its request gets.
async fn failing(pool: Data<Pool>) -> Result<&'static str> {
    let permit = pool.admit().ok_or_else(no_room)?;
    pool.submit(&permit, || panic!("/failing panics on purpose"))
        .await
        .map_err(worker_failed)
}

async fn figures(pool: Data<Pool>) -> Json<Figures> {
    Json(pool.figures())
}

/// Lets each thread count a share. All of them are queued before the first is
/// awaited: otherwise they would take turns.
async fn count_all(settings: &Settings, pool: &Pool) -> Result<u64> {
    let permit = pool.admit().ok_or_else(no_room)?;
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| pool.submit(&permit, move || count(share)));
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

fn no_room() -> Error {
    let response = HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .content_type("text/plain; charset=utf-8")
        .body("No room for this request now. Try again later.");
    InternalError::from_response("no room", response).into()
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
