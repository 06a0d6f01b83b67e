//! Step 5: threads share atomics: progress comes out, cancellation goes in.
//!
//! New: a count and a stop flag that the threads of a request share.
//! Watch: the bars at /; close a tab, or press Cancel: its work stops at once.
//! Diff: git diff --no-index step4-worker-pool/src step5-shared-memory/src

mod pool;
mod shared;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    App, Error, HttpRequest, HttpResponse, HttpServer, Responder, Result,
    error::{ErrorGatewayTimeout, ErrorInternalServerError, InternalError},
    http::header::{CACHE_CONTROL, ContentType, RETRY_AFTER},
    rt::time::{sleep, timeout},
    web::{Bytes, Data, Json, ServiceConfig, get},
};
use common::{
    Priority, Report, Settings, count, page, settings, shares, stop_signal,
};
use futures::{
    FutureExt, StreamExt, TryFutureExt,
    future::{pending, try_join, try_join_all},
    stream::{once, try_unfold},
};
use pool::{Figures, Permit, Pool};
use shared::{CHUNK, StopGuard};
use thread_priority::{ThreadPriority, set_current_thread_priority};
use tokio::{select, sync::oneshot::error::RecvError};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = settings!(
        "threads",
        "queue",
        "priority",
        "shutdown_timeout",
        "timeout"
    );
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
    // A handler is dropped when its client goes away.
    .h1_allow_half_closed(false)
    .shutdown_signal(stop.clone())
    // Whatever was accepted is answered, however long it takes.
    .shutdown_timeout(u64::MAX)
    .bind(settings.address())
    .unwrap_or_else(|error| settings.cannot_listen(error));

    settings.announce(&server.addrs());
    let finish = finish(&pool, stop, settings.shutdown_timeout);
    select! {
        ended = server.run() => ended?,
        () = finish => (), // Those who don't read aren't waited for.
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
        .route("/pool", get().to(figures))
        .route("/progress", get().to(progress));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn blocking(
    settings: Data<Settings>,
    pool: Data<Pool>,
    request: HttpRequest,
) -> Result<Report> {
    let start = Instant::now();
    let permit = admit(&settings, &pool, &request)?;
    let result = count_all(&settings, &pool, &permit).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// The same with a job that panics on purpose: the other jobs stop too.
async fn failing(
    settings: Data<Settings>,
    pool: Data<Pool>,
    request: HttpRequest,
) -> Result<&'static str> {
    let permit = admit(&settings, &pool, &request)?;
    let panics = permit.submit(|_| {
        count(CHUNK);
        panic!("/failing panics on purpose")
    });
    let counts = count_all(&settings, &pool, &permit);
    let (text, _) = try_join(panics.map_err(worker_failed), counts).await?;
    Ok(text)
}

async fn figures(pool: Data<Pool>) -> Json<Figures> {
    Json(pool.figures())
}

/// Server-sent events: the figures whenever they have changed, at most ten
/// times a second, and a comment now and then when they haven't.
async fn progress(pool: Data<Pool>) -> impl Responder {
    let given_up = pool.given_up.clone().notified_owned();
    let last = event(pool.clone());
    let events = try_unfold(Bytes::new(), move |before| {
        let pool = pool.clone();
        async move {
            for _ in 0..50 {
                sleep(Duration::from_millis(100)).await;
                let now = event(pool.clone()).await?;
                if now != before {
                    return Ok(Some((now.clone(), now)));
                }
            }
            Ok(Some((Bytes::from(": nothing new\n\n"), before)))
        }
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // It asks for an event when it can send one: no reader has a queue.
        .streaming(events.take_until(given_up).chain(once(last)))
}

async fn event(pool: Data<Pool>) -> Result<Bytes> {
    let figures = serde_json::to_string(&pool.figures())?;
    Ok(Bytes::from(format!("data: {figures}\n\n")))
}

/// Lets each thread of the pool count a share. They stop when this future is
/// dropped: with its handler, when the client has gone away.
async fn count_all(
    settings: &Settings,
    pool: &Pool,
    permit: &Arc<Permit>,
) -> Result<u64> {
    let _guard = StopGuard(&permit.progress);
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| permit.submit(move |progress| progress.count(share)));
    select! {
        counts = try_join_all(receivers) => {
            let counts = counts.map_err(worker_failed)?;
            counts.into_iter().sum::<Option<_>>().ok_or_else(no_room)
        }
        time = limit(settings.timeout) => Err(too_late(time)),
        () = pool.given_up.notified() => Err(no_room()),
    }
}

/// When the server is asked to stop, lets the admitted requests finish. After
/// `time` it stops the others and answers them 503.
async fn finish(pool: &Pool, stop: impl Future, time: Duration) {
    stop.await;
    if timeout(time, pool.drain()).await.is_err() {
        let unfinished = pool.figures().admitted;
        eprintln!("{unfinished} requests are not finished after {time:?}");
    }
    pool.given_up.notify_waiters();
    sleep(Duration::from_secs(1)).await;
}

/// What a thread of the pool does first: it steps back behind the server's
/// own thread, which then answers quickly even when all cores count.
fn step_back() {
    if let Err(error) = set_current_thread_priority(ThreadPriority::Min) {
        eprintln!("can't lower the priority of a thread: {error:?}");
    }
}

/// Waits until the time is over, if there is a limit. Returns it.
async fn limit(time: Option<Duration>) -> Duration {
    match time {
        Some(time) => sleep(time).map(|()| time).await,
        None => pending().await,
    }
}

fn admit(
    settings: &Settings,
    pool: &Pool,
    request: &HttpRequest,
) -> Result<Arc<Permit>> {
    let query = request.query_string();
    pool.admit(query, settings.iterations).ok_or_else(no_room)
}

fn no_room() -> Error {
    let response = HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .content_type(ContentType::plaintext())
        .body("No room for this request now. Try again later.");
    InternalError::from_response("no room", response).into()
}

fn too_late(limit: Duration) -> Error {
    ErrorGatewayTimeout(format!(
        "It took longer than {limit:?}, and was stopped."
    ))
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
