//! The freeze and its cure in axum: `/before` computes in its handler,
//! `/after` on another thread, if there is room.

use std::{io, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use common::{Settings, count};
use tokio::{net::TcpListener, sync::Semaphore, task::spawn_blocking};

/// How many may be in the house, and how many of them compute at once.
struct Limits {
    places: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

type Shared = State<(Settings, Arc<Limits>)>;

// With one thread, as in the steps, a freeze is no accident.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let idea = "The freeze and its cure in axum.";
    let settings = Settings::from_args("cure-axum", idea, "threads queue");
    let limits = Arc::new(Limits {
        places: Arc::new(Semaphore::new(settings.queue)),
        cores: Arc::new(Semaphore::new(settings.threads.get())),
    });

    let app = Router::new()
        .route("/non-blocking", get(non_blocking))
        .route("/before", get(before))
        .route("/after", get(after))
        .with_state((settings.clone(), limits));
    let listener = TcpListener::bind((&*settings.host, settings.port))
        .await
        .unwrap_or_else(|error| settings.cannot_listen(error));

    settings.announce(&[listener.local_addr()?]);
    axum::serve(listener, app).await
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn before(State((settings, _)): Shared) -> String {
    heavy(settings.iterations)
}

async fn after(
    State((settings, limits)): Shared,
) -> Result<String, (StatusCode, &'static str)> {
    let full = |_| (StatusCode::SERVICE_UNAVAILABLE, "Try again later.");
    let place = limits.places.clone().try_acquire_owned().map_err(full)?;
    let failed = |_| (StatusCode::INTERNAL_SERVER_ERROR, "The work failed.");
    let core = limits.cores.clone().acquire_owned().await.map_err(failed)?;
    let work = spawn_blocking(move || {
        // Given back when the work ends, not when the waiting does.
        let _held = (place, core);
        heavy(settings.iterations)
    });
    work.await
        .map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "The work failed."))
}

/// Stands for your own work.
fn heavy(iterations: u64) -> String {
    format!("Result is {}", count(iterations))
}
