async fn after(
    State((settings, limits)): Shared,
) -> Result<String, (StatusCode, &'static str)> {
    let full = |_| (StatusCode::SERVICE_UNAVAILABLE, "Try again later.");
    let place = limits.places.clone().try_acquire_owned().map_err(full)?;
    let failed = |_| (StatusCode::INTERNAL_SERVER_ERROR, "The work failed.");
    let core = limits.cores.clone().acquire_owned().await.map_err(failed)?;
    let work = spawn_blocking(move || {
        // Given back when the work ends, not when the waiting does.
        let _held = (place, core);
        heavy(settings.iterations)
    });
    work.await
        .map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, "The work failed."))
}
