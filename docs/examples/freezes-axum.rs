//! Freezes in axum, on a runtime of two threads, watched: for the tests of
//! watch.rs.

#[path = "watch/watch.rs"]
mod watch;
#[path = "watch/axum.rs"]
mod watch_axum;

use std::{io, thread, time::Duration};

use axum::{Router, middleware::from_fn, routing::get};
use tokio::{net::TcpListener, spawn, task::block_in_place, time::sleep};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> io::Result<()> {
    let app = Router::new()
        .route("/blocks", get(blocks))
        .route("/task", get(task))
        .route("/in-place", get(in_place))
        .layer(from_fn(watch_axum::mark));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("freezes-axum listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}

async fn blocks() {
    thread::sleep(Duration::MAX);
}

/// A timer wakes the task on the thread that drives timers and I/O for the others.
async fn task() {
    spawn(watch::marked("refresh the cache".into(), async {
        sleep(Duration::from_millis(50)).await;
        thread::sleep(Duration::MAX);
    }));
}

/// Blocks a thread that has already handed over its other work.
async fn in_place() {
    block_in_place(|| thread::sleep(Duration::MAX));
}
