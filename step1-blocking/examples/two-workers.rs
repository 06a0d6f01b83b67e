//! Step 1 with two workers: the freeze isn't cured, it is only rarer.
//!
//! New: a second worker, with a thread and with connections of its own.
//! Watch: while /blocking counts, every second connection waits.
//! Diff: git diff --no-index step1-blocking/src/main.rs step1-blocking/examples/two-workers.rs

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, HttpServer, Result,
    http::KeepAlive,
    rt::time::sleep,
    web::{Data, ServiceConfig, get},
};
use common::{Report, Settings, count, page, settings, stop_signal};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Data::new(settings!());
    let shared = settings.clone();

    let server = HttpServer::new(move || {
        App::new().app_data(shared.clone()).configure(routes)
    })
    // By default actix-web starts one single-threaded worker per core. With
    // two, every second connection meets the freeze, and it looks random.
    .workers(2)
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
        .route("/blocking", get().to(blocking));
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

/// Waits, as for a database, and computes nothing.
async fn waiting() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "This page has waited for 3 seconds."
}

async fn blocking(settings: Data<Settings>) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}

/// Counts right here, on the server's thread. Nothing in it awaits, so the
/// thread can't turn to another request: `async` doesn't mean non-blocking.
async fn count_all(settings: &Settings) -> Result<u64> {
    Ok(count(settings.iterations))
}
