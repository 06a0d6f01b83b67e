/// Hands out a share, which is under way from then on. To drop what is
/// returned is to stop it.
pub fn submit(
    &self,
    pool: &Pool,
    task: Task,
) -> impl Future<Output = Result<Answer, Lost>> + use<> {
    let progress = self.progress.clone();
    let receiver = match self.requests.workers.0.clone() {
        None => pool.submit(&self.permit, move || Ok(task.run(&progress))),
        Some(engine) => {
            let (sender, receiver) = oneshot::channel();
            spawn(carry(engine, task, progress, sender));
            receiver
        }
    };
    receiver.map(|answer| answer.unwrap_or(Err(Lost::Failed)))
}
