//! The freeze and its cure in actix-web: `/before` computes in its handler,
//! `/after` on another thread, if there is room.

use std::{io, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer, Result,
    error::{ErrorInternalServerError, ErrorServiceUnavailable},
    http::KeepAlive,
    web::{Data, get},
};
use common::{Settings, count};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// How many may be in the house, and how many of them compute at once.
struct Limits {
    places: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "The freeze and its cure in actix-web.";
    let settings = Settings::from_args("cure-actix", idea, "threads queue");
    let limits = Data::new(Limits {
        places: Arc::new(Semaphore::new(settings.queue)),
        cores: Arc::new(Semaphore::new(settings.threads.get())),
    });
    let settings = Data::new(settings);
    let shared = (settings.clone(), limits);

    let server = HttpServer::new(move || {
        let (settings, limits) = shared.clone();
        App::new()
            .app_data(settings)
            .app_data(limits)
            .route("/non-blocking", get().to(non_blocking))
            .route("/before", get().to(before))
            .route("/after", get().to(after))
    })
    .workers(1)
    // Who waits through a freeze is answered after it, however long it was.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(KeepAlive::Os)
    .bind(settings.address())
    .unwrap_or_else(|error| settings.cannot_listen(error));

    settings.announce(&server.addrs());
    server.run().await
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn before(settings: Data<Settings>) -> String {
    heavy(settings.iterations)
}

async fn after(
    settings: Data<Settings>,
    limits: Data<Limits>,
) -> Result<String> {
    let full = |_| ErrorServiceUnavailable("No room. Try again later.");
    let place = limits.places.clone().try_acquire_owned().map_err(full)?;
    let failed = |_| ErrorInternalServerError("The work failed.");
    let core = limits.cores.clone().acquire_owned().await.map_err(failed)?;
    let work = spawn_blocking(move || {
        // Given back when the work ends, not when the waiting does.
        let _held = (place, core);
        heavy(settings.iterations)
    });
    work.await.map_err(|_| ErrorInternalServerError("The work failed."))
}

/// Stands for your own work.
fn heavy(iterations: u64) -> String {
    format!("Result is {}", count(iterations))
}
