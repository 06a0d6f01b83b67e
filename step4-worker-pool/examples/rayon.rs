//! Step 4 with rayon's pool.
//!
//! What you get: threads that are started once, work stealing, and much more for
//! work on collections (`par_iter`), which it is made for. Its `spawn`
//! neither returns a result nor reports a panic, so the channel is still ours,
//! and without a panic handler a panic ends the whole process.
//! What is missing, as in step 4: a bound, and a status.
//! Diff, in the folder of this crate:
//! git diff --no-index src/main.rs examples/rayon.rs

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, Error, HttpServer, Result,
    error::ErrorInternalServerError,
    rt::time::sleep,
    web::{Data, ServiceConfig, get},
};
use common::{
    Report, ThreadSettings, count, read_settings, serve, shares, stop_signal,
};
use futures::future::try_join_all;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot::{self, Receiver, error::RecvError};

/// What all handlers share.
struct State {
    settings: ThreadSettings,
    pool: ThreadPool,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings: ThreadSettings =
        read_settings("step4-rayon", "Step 4 with rayon's pool.");
    let pool = ThreadPoolBuilder::new()
        .num_threads(settings.threads.get())
        .thread_name(|number| format!("pool {number}"))
        // The message is already on standard error.
        .panic_handler(|_| ())
        .build()
        .map_err(io::Error::other)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let state = Data::new(State { settings, pool });
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
        .route("/failing", get().to(failing));
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
    let result = count_all(&state).await?;
    Ok(Report::new(result, start.elapsed()))
}

/// Work that panics on purpose, to see what its request gets.
async fn failing(state: Data<State>) -> Result<&'static str> {
    let receiver = submit(&state.pool, || panic!("/failing panics on purpose"));
    receiver.await.map_err(worker_failed)
}

/// Has the shares counted. All are handed out before a result is awaited:
/// otherwise they would take turns.
async fn count_all(state: &State) -> Result<u64> {
    let receivers = shares(state.settings.iterations, state.settings.threads)
        .map(|share| submit(&state.pool, move || count(share)))
        .collect::<Vec<_>>();
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}

/// Queues `work`. Returns where its result will arrive.
fn submit<T: Send + 'static>(
    pool: &ThreadPool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    pool.spawn(move || drop(sender.send(work())));
    receiver
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed; the server is still running.")
}
