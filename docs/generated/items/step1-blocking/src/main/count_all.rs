/// Counts right here, on the server's thread. Nothing in it awaits, so the
/// thread can't turn to another request: `async` doesn't mean non-blocking.
async fn count_all(settings: &Settings) -> Result<u64> {
    Ok(count(settings.iterations))
}
