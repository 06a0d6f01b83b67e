/// Queues `work`. The receiver gets its answer, or an error if it panics.
pub fn submit<T: Send + 'static>(
    self: &Arc<Self>,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    let permit = self.clone();
    let job = move || {
        let answer = catch_unwind(AssertUnwindSafe(work));
        *lock(&permit.failed) |= answer.is_err();
        // First the place, then the answer: who has it may ask again.
        drop(permit);
        answer.map(|answer| sender.send(answer).ok()).ok();
    };
    // When the threads have ended, this drops the sender: an error too.
    self.jobs.send(Some(Box::new(job))).ok();
    receiver
}
