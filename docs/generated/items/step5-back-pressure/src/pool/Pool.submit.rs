/// Queues `work`. Returns where its answer will arrive.
pub fn submit<T: Send + 'static>(
    &self,
    permit: &Permit,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    let permit = permit.clone();
    // Sending fails when nobody waits any more: then nobody is told. If
    // `work` panics, the sender is dropped, and the receiver is told.
    let job = Box::new(move || {
        let answer = work();
        // First the place, then the answer: who has it may ask again.
        drop(permit);
        drop(sender.send(answer));
    });
    self.jobs.send(job).ok();
    receiver
}
