/// Lets each thread of the pool count a share. They stop when this future is
/// dropped: with its handler, when the client has gone away.
async fn count_all(
    settings: &Settings,
    pool: &Pool,
    permit: &Arc<Permit>,
) -> Result<u64> {
    let _guard = StopGuard(&permit.progress);
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| permit.submit(move |progress| progress.count(share)));
    select! {
        counts = try_join_all(receivers) => {
            let counts = counts.map_err(worker_failed)?;
            counts.into_iter().sum::<Option<_>>().ok_or_else(no_room)
        }
        time = limit(settings.timeout) => Err(too_late(time)),
        () = pool.given_up.notified() => Err(no_room()),
    }
}
