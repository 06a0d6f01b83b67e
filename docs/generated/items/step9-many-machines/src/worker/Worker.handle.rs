/// Does a share, and takes it off the queue. If this worker dies before
/// that, the engine gives it to another.
async fn handle(&self, message: Message) {
    let share = postcard::from_bytes(&message.payload).ok();
    let share = share.filter(|it: &Share| it.inbox.starts_with("_INBOX."));
    let Some(Share { inbox, task }) = share else {
        log("a share that can't be read was taken off the queue");
        message.ack().await.ok();
        return;
    };
    let progress = Arc::<Progress>::default();
    let shared = progress.clone();
    let work = move || task.run(&shared);
    let is_over = match message.info() {
        Ok(info) if info.delivered <= MOST_DELIVERIES => select! {
            answer = self.pool.submit(&self.permit, work) => {
                let report = answer.map_or(Report::Failed, Report::Done);
                self.deliver(&message, &inbox, &report).await
            }
            () = self.watch(&message, &inbox, &progress) => true,
        },
        _ => self.deliver(&message, &inbox, &Report::Failed).await,
    };
    progress.stopped.store(true, Relaxed);
    if is_over {
        message.ack().await.ok();
    }
}
