/// Lets the pool summarise a body while it arrives. Returns that, and how many
/// lines there are.
///
/// Each piece has one of the server's `places`, at least until its job ends.
/// When there is none, the body isn't read on, and its client has to wait.
pub async fn summarise(
    settings: &Settings,
    body: Payload,
    places: Arc<Semaphore>,
    pool: &Pool,
    running: &Running<'_>,
) -> Result<(u64, Summary)> {
    // As many as jobs run at once: each takes one, and puts it back.
    let tables = Arc::new(Mutex::new(Vec::<Table>::new()));
    let shared = tables.clone();
    let (sender, mut receivers) = unbounded_channel();
    let start = async move |piece: Vec<u8>| {
        let place = places.clone().acquire_owned().await;
        let (tables, progress) = (shared.clone(), running.progress.clone());
        let receiver = pool.submit(&running.permit, move || {
            let mut table = with(&tables, Vec::pop).unwrap_or_default();
            let size = piece.len() as u64;
            let lines = progress.work(size, || table.add(&piece));
            with(&tables, |it| it.push(table));
            drop((piece, place));
            lines
        });
        sender.send(receiver).ok();
    };
    // Each as far as it can: the body is read on while pieces are checked.
    let check = async {
        let mut lines = 0;
        // In order: of several bad lines, the first is named.
        while let Some(receiver) = receivers.recv().await {
            let more = receiver.await.map_err(worker_failed)?;
            lines += more.map_err(|bad| {
                let line = lines + bad.number;
                ErrorUnprocessableEntity(format!("Line {line}: {bad}"))
            })?;
        }
        Ok(lines)
    };
    let cut = cut(body, settings.body_timeout, start);
    let (bytes, lines) = try_join(cut, check).await?;
    running.progress.total.store(bytes, Relaxed);
    if lines == 0 {
        return Err(ErrorUnprocessableEntity(
            "There isn't a line in the body.",
        ));
    }
    // Put together.
    let tables = with(&tables, take).into_iter();
    let table = tables.reduce(|mut all, table| {
        all.merge(table);
        all
    });
    let summary = table.unwrap_or_default().summary();
    Ok((lines, summary.map_err(ErrorUnprocessableEntity)?))
}
