/// Lets a request for `total` rounds in, or refuses it.
pub fn begin(
    &self,
    pool: &Pool,
    id: &str,
    total: u64,
) -> Option<Running<'_>> {
    let Some(permit) = pool.admit() else {
        // Relaxed: no addition is ever lost, and nothing else goes with it.
        self.ended.refused.fetch_add(1, Relaxed);
        return None;
    };
    let id = id.to_owned();
    let progress = Progress { id, total, ..Progress::default() };
    let progress = Arc::new(progress);
    self.lock().push(progress.clone());
    Some(Running { permit, progress, requests: self })
}
