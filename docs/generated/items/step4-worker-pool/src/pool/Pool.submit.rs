/// Queues `work`. Returns where its answer will arrive.
pub fn submit<T: Send + 'static>(
    &self,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    // Sending fails when nobody waits any more: then nobody is told. If
    // `work` panics, the sender is dropped, and the receiver is told.
    let job = Box::new(move || drop(sender.send(work())));
    self.jobs.send(job).ok();
    receiver
}
