/// Hands out a share, which is under way from then on. To drop what is
/// returned is to stop it. Its `place` comes back with the answer.
pub fn submit<T: Send + 'static>(
    &self,
    pool: &Pool,
    task: Task,
    place: T,
) -> impl Future<Output = Result<(Answer, T), Lost>> + use<T> {
    let progress = self.progress.clone();
    let receiver = match self.requests.workers.0.clone() {
        None => pool
            .submit(&self.permit, move || Ok((task.run(&progress), place))),
        Some(engine) => {
            let (mut sender, receiver) = oneshot::channel();
            spawn(async move {
                let answer = carry(&engine, task, &progress, &mut sender);
                let answer = answer.await.map(|it| (it, place));
                sender.send(answer).ok();
            });
            receiver
        }
    };
    receiver.map(|answer| answer.unwrap_or(Err(Lost::Failed)))
}
