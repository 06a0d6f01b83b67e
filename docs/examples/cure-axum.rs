//! The freeze and its cure in axum: `/before` computes in its handler,
//! `/after` on another thread, if there is a free slot.

use std::{io, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use common::{QueueSettings, announce, count, read_settings, stop_signal};
use tokio::{net::TcpListener, sync::Semaphore, task::spawn_blocking};

/// How many requests are admitted, and how many of them compute at once.
struct Limits {
    slots: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

type Failed = (StatusCode, &'static str);

type Shared = State<(QueueSettings, Arc<Limits>)>;

// On one thread, as in the steps, you can count on the freeze.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let idea = "The freeze and its cure in axum.";
    let settings: QueueSettings = read_settings("cure-axum", idea);
    let limits = Arc::new(Limits {
        slots: Arc::new(Semaphore::new(settings.queue)),
        cores: Arc::new(Semaphore::new(settings.threads.get())),
    });

    let app = Router::new()
        .route("/non-blocking", get(non_blocking))
        .route("/before", get(before))
        .route("/after", get(after))
        .route("/failing", get(failing))
        .with_state((settings.clone(), limits));
    let listener = TcpListener::bind((&*settings.host, settings.port))
        .await
        .unwrap_or_else(|error| settings.cannot_listen(error));

    announce(&[listener.local_addr()?]);
    // Ctrl-C finishes requests in progress, however long they take.
    let stopped = stop_signal().cancelled_owned();
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn before(State((settings, _)): Shared) -> String {
    heavy(settings.iterations)
}

async fn after(State((settings, limits)): Shared) -> Result<String, Failed> {
    limits.run(move || heavy(settings.iterations)).await
}

/// Work that panics on purpose: its client gets 500, and its slot is released.
async fn failing(State((_, limits)): Shared) -> Result<String, Failed> {
    limits.run(|| panic!("/failing panics on purpose")).await
}

impl Limits {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failed> {
        let busy = |_| (StatusCode::SERVICE_UNAVAILABLE, "The server is busy.");
        let slot = self.slots.clone().try_acquire_owned().map_err(busy)?;
        let failed =
            |_| (StatusCode::INTERNAL_SERVER_ERROR, "The work failed.");
        let core = self.cores.clone().acquire_owned().await.map_err(failed)?;
        let work = spawn_blocking(move || {
            // Released when the work ends, not when the handler is dropped.
            let _held = (slot, core);
            work()
        });
        work.await.map_err(|_| {
            (StatusCode::INTERNAL_SERVER_ERROR, "The work failed.")
        })
    }
}

/// In place of your own work.
fn heavy(iterations: u64) -> String {
    format!("Result is {}", count(iterations))
}
