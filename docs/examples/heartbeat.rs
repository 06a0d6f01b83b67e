//! Step 1 with a heartbeat: a task that says when it was woken late, and so
//! when the server's thread was busy.

use std::io;
use std::time::{Duration, Instant};

use actix_web::{
    App, HttpServer,
    http::KeepAlive,
    rt::{spawn, time::sleep},
    web::{Data, get},
};
use common::{Settings, count, log};

/// How often the task wakes.
const BEAT: Duration = Duration::from_millis(50);

/// How late is worth a line.
const LATE: Duration = Duration::from_millis(100);

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 1 with a heartbeat.";
    let settings = Data::new(Settings::from_args("heartbeat", idea, ""));
    let shared = settings.clone();

    let server = HttpServer::new(move || {
        // Each worker calls this once, on its own thread: the one to watch.
        spawn(heartbeat());
        App::new()
            .app_data(shared.clone())
            .route("/non-blocking", get().to(non_blocking))
            .route("/waiting", get().to(waiting))
            .route("/blocking", get().to(blocking))
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

async fn heartbeat() {
    loop {
        let asleep = Instant::now();
        sleep(BEAT).await;
        let late = asleep.elapsed().saturating_sub(BEAT);
        if late > LATE {
            log(format!("the server's thread was busy for {late:.1?}"));
        }
    }
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn waiting() -> &'static str {
    sleep(Duration::from_secs(3)).await;
    "This page has waited for 3 seconds."
}

async fn blocking(settings: Data<Settings>) -> String {
    format!("Result is {}", count(settings.iterations))
}
