/// A worker that panics on purpose, to see what its request gets.
async fn failing() -> Result<&'static str> {
    spawn_worker(|| panic!("/failing panics on purpose"))?
        .await
        .map_err(worker_failed)
}
