/// Brings a share to a worker, and its answer back. When nobody waits for that
/// any more, neither the queue nor a worker keeps the share.
async fn carry(
    engine: Arc<Engine>,
    task: Task,
    progress: Arc<Progress>,
    mut sender: oneshot::Sender<Result<Answer, Lost>>,
) {
    let (size, patient) = (task.size(), matches!(task, Task::Summary(_)));
    let inbox = engine.client.new_inbox();
    let sent = async {
        let reports = engine.client.subscribe(inbox.clone()).await;
        let share = Share { inbox: inbox.clone(), task };
        let gone = || sender.is_closed();
        let number = engine.publish(&share, patient, gone).await?;
        Ok((reports.map_err(|_| Lost::NoEngine)?, number))
    };
    let answer = match sent.await {
        Err(lost) => Err(lost),
        Ok((reports, number)) => {
            let seen = |done: u64, worker| {
                let done = done.min(size);
                progress.see(number, Seen { size, done, worker });
            };
            let answer = select! {
                answer = follow(&engine, reports, size, seen) => answer,
                () = sender.closed() => Err(Lost::TooOld),
            };
            match answer {
                Ok(_) => seen(size, String::new()),
                Err(_) => engine.take_back(number).await,
            }
            answer
        }
    };
    sender.send(answer).ok();
}
