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
