/// Starts a thread that does `work`. Returns where its answer will arrive.
fn spawn_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("worker".into())
        // Sending fails when nobody waits any more: then nobody is told. If
        // `work` panics, the sender is dropped, and the receiver is told.
        .spawn(move || sender.send(work()).ok())
        .map_err(|error| {
            log(format!("can't start a worker: {error}"));
            ErrorServiceUnavailable("No thread is free. Try again later.")
        })?;
    Ok(receiver)
}
