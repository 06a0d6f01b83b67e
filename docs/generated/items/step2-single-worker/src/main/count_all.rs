/// Lets a thread count and awaits its message: the server's thread is free
/// for other requests until then.
async fn count_all(settings: &Settings) -> Result<u64> {
    let iterations = settings.iterations;
    let receiver = spawn_worker(move || count(iterations))?;
    receiver.await.map_err(worker_failed)
}
