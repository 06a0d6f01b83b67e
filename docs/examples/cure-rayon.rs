//! The freeze and its cure with a rayon pool, the most common pattern in
//! production. What the work logs belongs to its request's span.

use std::{io, io::IsTerminal, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use common::{QueueSettings, announce, count, read_settings, stop_signal};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tracing::{Instrument, Span, info, info_span};

/// Its threads compute; its slots limit how many requests are admitted.
struct Pool {
    threads: ThreadPool,
    slots: Arc<Semaphore>,
}

type Shared = State<(QueueSettings, Arc<Pool>)>;

type Failed = (StatusCode, &'static str);

// On one thread, as in the steps, you can count on the freeze.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let idea = "The freeze and its cure with a rayon pool.";
    let settings: QueueSettings = read_settings("cure-rayon", idea);
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    log.with_ansi(io::stderr().is_terminal()).init();
    let threads = ThreadPoolBuilder::new()
        .num_threads(settings.threads.get())
        .thread_name(|number| format!("pool {number}"))
        // Without a handler, a panic ends the process.
        .panic_handler(|_| ())
        .build()
        .map_err(io::Error::other)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let slots = Arc::new(Semaphore::new(settings.queue));
    let pool = Arc::new(Pool { threads, slots });

    let app = Router::new()
        .route("/non-blocking", get(non_blocking))
        .route("/before", get(before))
        .route("/after", get(after))
        .route("/failing", get(failing))
        .with_state((settings.clone(), pool));
    let listener = TcpListener::bind((&*settings.host, settings.port))
        .await
        .unwrap_or_else(|error| settings.cannot_listen(error));

    announce(&[listener.local_addr()?]);
    let stopped = stop_signal().cancelled_owned();
    axum::serve(listener, app).with_graceful_shutdown(stopped).await
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn before(State((settings, _)): Shared) -> String {
    heavy(settings.iterations)
}

async fn after(State((settings, pool)): Shared) -> Result<String, Failed> {
    let work = pool.run(move || heavy(settings.iterations));
    work.instrument(info_span!("request", route = "/after")).await
}

/// Work that panics on purpose: its client gets 500, and its slot is released.
async fn failing(State((_, pool)): Shared) -> Result<String, Failed> {
    pool.run(|| panic!("/failing panics on purpose")).await
}

impl Pool {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failed> {
        let busy = |_| (StatusCode::SERVICE_UNAVAILABLE, "The server is busy.");
        let slot = self.slots.clone().try_acquire_owned().map_err(busy)?;
        let (sender, receiver) = oneshot::channel();
        let span = Span::current();
        self.threads.spawn(move || {
            let slot = slot;
            // If the client left while this was queued, nobody wants it.
            if !sender.is_closed() {
                let result = span.in_scope(work);
                // First: a client that retries at once gets in.
                drop(slot);
                sender.send(result).ok();
            }
        });
        let failed = (StatusCode::INTERNAL_SERVER_ERROR, "The work failed.");
        receiver.await.map_err(|_| failed)
    }
}

/// In place of your own work.
fn heavy(iterations: u64) -> String {
    let result = count(iterations);
    info!("counted to {result}");
    format!("Result is {result}")
}
