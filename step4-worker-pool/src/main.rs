//! Step 4: threads are started once and reused; a queue is bounded.
//!
//! New: a pool, a door that refuses what it can't hold, an orderly end.
//! Watch: a thousand requests at once: a few wait, the rest get 503 at once.
//! Diff: git diff --no-index step3-multi-worker/src step4-worker-pool/src

mod pool;

use std::{
    io, process,
    time::{Duration, Instant},
};

use actix_web::{
    App, Error, HttpResponse, HttpServer, Result,
    error::{ErrorInternalServerError, InternalError},
    http::header::{ContentType, RETRY_AFTER},
    rt::time::timeout,
    web::{Data, Json, ServiceConfig, get},
};
use common::{
    Priority, Report, Settings, count, page, settings, shares, stop_signal,
};
use futures::{
    FutureExt,
    future::{try_join, try_join_all},
};
use pool::{Figures, Pool};
use thread_priority::{ThreadPriority, set_current_thread_priority};
use tokio::{select, sync::oneshot::error::RecvError};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings =
        settings!("threads", "queue", "priority", "shutdown_timeout");
    let first: fn() = match settings.priority {
        Priority::Low => step_back,
        Priority::Normal => || (),
    };
    let pool = Pool::start(settings.threads.get(), settings.queue, first)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let (settings, pool) = (Data::new(settings), Data::new(pool));
    let shared = (settings.clone(), pool.clone());
    let stop = stop_signal()?.shared();

    let server = HttpServer::new(move || {
        let (settings, pool) = shared.clone();
        App::new().app_data(settings).app_data(pool).configure(routes)
    })
    // By default actix-web starts one single-threaded worker per core. With
    // just one, all connections share one thread, and a freeze is no accident.
    .workers(1)
    .shutdown_signal(stop.clone())
    // Whatever was accepted is answered, however long it takes.
    .shutdown_timeout(u64::MAX)
    .bind(settings.address())
    .unwrap_or_else(|error| settings.cannot_listen(error));

    settings.announce(&server.addrs());
    let finish = finish(&pool, stop, settings.shutdown_timeout);
    let ((), finished) = try_join(server.run(), finish).await?;
    if !finished {
        process::exit(0); // A job that runs can't be stopped in another way.
    }
    pool.join();
    Ok(())
}

fn routes(config: &mut ServiceConfig) {
    config
        .configure(page)
        .route("/non-blocking", get().to(non_blocking))
        .route("/blocking", get().to(blocking))
        .route("/failing", get().to(failing))
        .route("/pool", get().to(figures));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn blocking(
    settings: Data<Settings>,
    pool: Data<Pool>,
) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings, &pool).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// A job that panics on purpose, to see what its request gets.
async fn failing(pool: Data<Pool>) -> Result<&'static str> {
    let permit = pool.admit().ok_or_else(no_room)?;
    permit
        .submit(|| panic!("/failing panics on purpose"))
        .await
        .map_err(worker_failed)
}

async fn figures(pool: Data<Pool>) -> Json<Figures> {
    Json(pool.figures())
}

/// Lets each thread of the pool count a share, once the pool has room for the
/// request: for all of it, or for none.
async fn count_all(settings: &Settings, pool: &Pool) -> Result<u64> {
    let permit = pool.admit().ok_or_else(no_room)?;
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| permit.submit(move || count(share)));
    select! {
        counts = try_join_all(receivers) => {
            Ok(counts.map_err(worker_failed)?.iter().sum())
        }
        () = pool.given_up.notified() => Err(no_room()),
    }
}

/// When the server is asked to stop, lets the admitted requests finish. After
/// `time` it answers the others 503, and returns false.
async fn finish(
    pool: &Pool,
    stop: impl Future,
    time: Duration,
) -> io::Result<bool> {
    stop.await;
    let finished = timeout(time, pool.drain()).await.is_ok();
    if !finished {
        let unfinished = pool.figures().admitted;
        eprintln!("{unfinished} requests are not finished after {time:?}");
        pool.given_up.notify_waiters();
    }
    Ok(finished)
}

/// What a thread of the pool does first: it steps back behind the server's
/// own thread, which then answers quickly even when all cores count.
fn step_back() {
    if let Err(error) = set_current_thread_priority(ThreadPriority::Min) {
        eprintln!("can't lower the priority of a thread: {error:?}");
    }
}

fn no_room() -> Error {
    let response = HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .content_type(ContentType::plaintext())
        .body("No room for this request now. Try again later.");
    InternalError::from_response("no room", response).into()
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
