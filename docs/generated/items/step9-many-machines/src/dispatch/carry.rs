/// Brings a share to a worker, and its answer back. When nobody waits for that
/// any more, neither the queue nor a worker keeps the share.
async fn carry<T>(
    engine: &Engine,
    task: Task,
    progress: &Progress,
    sender: &mut oneshot::Sender<T>,
) -> Result<Answer, Lost> {
    engine.check().await?;
    let (size, mut patient) = (task.size(), matches!(task, Task::Summary(_)));
    let inbox = engine.client.new_inbox();
    let reports = engine.client.subscribe(inbox.clone()).await;
    let mut reports = reports.map_err(|_| Lost::NoEngine)?;
    let share = postcard::to_stdvec(&Share { inbox, task });
    let share = Bytes::from(share.map_err(|_| Lost::Failed)?);
    let (mut first, lost) = (None, engine.is_lost());
    pin!(lost);
    loop {
        let gone = || sender.is_closed();
        let number = engine.publish(&share, patient, gone).await?;
        let first = *first.get_or_insert(number);
        let seen = |done: u64, worker| {
            let done = done.min(size);
            progress.see(first, Seen { size, done, worker });
        };
        let answer = select! {
            answer = follow(engine, &mut reports, size, seen) => answer,
            lost = &mut lost => Err(lost),
            () = sender.closed() => Err(Lost::TooOld),
            () = engine.is_gone(number, &share) => {
                patient = true;
                continue;
            }
        };
        match answer {
            Ok(_) => seen(size, String::new()),
            Err(_) => {
                engine.queue.delete_message(number).await.ok();
            }
        }
        return answer;
    }
}
