/// Lets each thread count a share. All of them run before the first is
/// awaited: otherwise they would take turns.
async fn count_all(settings: &Settings) -> Result<u64> {
    let receivers = shares(settings.iterations, settings.threads)
        .map(|share| spawn_worker(move || count(share)))
        .collect::<Result<Vec<_>>>()?;
    let counts = try_join_all(receivers).await.map_err(worker_failed)?;
    Ok(counts.iter().sum())
}
