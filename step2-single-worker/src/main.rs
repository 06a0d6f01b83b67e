//! Step 2: one thread runs the loop and sends its result back as a message.
//!
//! New: a thread, a channel, and what happens when a worker thread panics.
//! Watch: while /blocking counts, /non-blocking answers at once.
//! Diff: git diff --no-index step1-blocking/src step2-single-worker/src

use std::time::{Duration, Instant};
use std::{io, thread};

use actix_web::{
    App, Error, HttpServer, Result,
    error::{ErrorInternalServerError, ErrorServiceUnavailable},
    rt::time::sleep,
    web::{Data, ServiceConfig, get},
};
use common::{Report, Settings, count, log, serve, settings, stop_signal};
use tokio::sync::oneshot::{self, Receiver, error::RecvError};

/// What all handlers share.
struct State {
    settings: Settings,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let state = Data::new(State { settings: settings!() });
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
async fn failing() -> Result<&'static str> {
    let receiver = spawn_worker(|| panic!("/failing panics on purpose"))?;
    receiver.await.map_err(worker_failed)
}

/// Has a thread count, and awaits its message: the server thread is free for
/// other requests until then.
async fn count_all(state: &State) -> Result<u64> {
    let iterations = state.settings.iterations;
    let receiver = spawn_worker(move || count(iterations))?;
    receiver.await.map_err(worker_failed)
}

/// Starts a thread that does `work`. Returns where its answer will arrive.
fn spawn_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("worker".into())
        // `send` fails if the handler was dropped: there is no one to tell. If
        // `work` panics, the sender is dropped, and the receiver gets an error.
        .spawn(move || sender.send(work()).ok())
        .map_err(|error| {
            log(format!("can't start a worker: {error}"));
            ErrorServiceUnavailable(
                "The server can't start another thread right now.",
            )
        })?;
    Ok(receiver)
}

fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed; the server is still running.")
}
