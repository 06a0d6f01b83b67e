//! The freeze and its cure in actix-web: `/before` computes in its handler,
//! `/after` on another thread, if there is a free slot.

use std::{io, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer, Result,
    error::{ErrorInternalServerError, ErrorServiceUnavailable},
    http::KeepAlive,
    web::{Data, get},
};
use common::{QueueSettings, count, read_settings, serve, stop_signal};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// How many requests are admitted, and how many of them compute at once.
struct Limits {
    slots: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "The freeze and its cure in actix-web.";
    let settings: QueueSettings = read_settings("cure-actix", idea);
    let limits = Data::new(Limits {
        slots: Arc::new(Semaphore::new(settings.queue)),
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
            .route("/failing", get().to(failing))
    })
    .workers(1)
    // No request time-out: requests that arrive during the freeze are answered
    // after it.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(KeepAlive::Os)
    // When a client leaves, its handler is dropped. By default it isn't.
    .h1_allow_half_closed(false)
    // Ctrl-C finishes requests in progress, however long they take.
    .shutdown_signal(stop_signal().cancelled_owned())
    .shutdown_timeout(u64::MAX)
    .bind(settings.address())
    .unwrap_or_else(|error| settings.cannot_listen(error));

    serve(server.addrs(), server.run()).await
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn before(settings: Data<QueueSettings>) -> String {
    heavy(settings.iterations)
}

async fn after(
    settings: Data<QueueSettings>,
    limits: Data<Limits>,
) -> Result<String> {
    limits.run(move || heavy(settings.iterations)).await
}

/// Work that panics on purpose: its client gets 500, and its slot is released.
async fn failing(limits: Data<Limits>) -> Result<String> {
    limits.run(|| panic!("/failing panics on purpose")).await
}

impl Limits {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let busy = |_| ErrorServiceUnavailable("The server is busy.");
        let slot = self.slots.clone().try_acquire_owned().map_err(busy)?;
        let failed = |_| ErrorInternalServerError("The work failed.");
        let core = self.cores.clone().acquire_owned().await.map_err(failed)?;
        let work = spawn_blocking(move || {
            // Released when the work ends, not when the handler is dropped.
            let _held = (slot, core);
            work()
        });
        work.await.map_err(|_| ErrorInternalServerError("The work failed."))
    }
}

/// In place of your own work.
fn heavy(iterations: u64) -> String {
    format!("Result is {}", count(iterations))
}
