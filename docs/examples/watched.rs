//! Step 1, watched: reports the line that freezes, while it is frozen.
//!
//! New: two lines in `main`, and three files to copy from examples/watch/.
//! Watch: standard error, while /blocking counts.
//! Diff: git diff --no-index step1-blocking/src/main.rs docs/examples/watched.rs

#[path = "watch/watch.rs"]
mod watch;
#[path = "watch/actix.rs"]
mod watch_actix;

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, HttpServer, Result,
    http::KeepAlive,
    rt::time::sleep,
    web::{Data, ServiceConfig, get},
};
use common::{Report, Settings, count, serve, settings, stop_signal};

/// What all handlers share.
struct State {
    settings: Settings,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let state = Data::new(State { settings: settings!() });
    let shared = state.clone();

    let server = HttpServer::new(move || {
        watch::this_thread();
        App::new()
            .app_data(shared.clone())
            .configure(routes)
            .wrap_fn(watch_actix::mark)
    })
    // By default actix-web starts one server thread ("worker") per core. With
    // just one, all connections share it: when it's blocked, everyone waits.
    .workers(1)
    // No request time-outs: requests that arrive during the freeze are
    // answered after it.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(KeepAlive::Os)
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
        .route("/blocking", get().to(blocking));
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

/// Counts right here, on the server thread. Nothing in it awaits, so the thread
/// can't turn to another request: `async` doesn't mean non-blocking.
async fn count_all(state: &State) -> Result<u64> {
    Ok(count(state.settings.iterations))
}
