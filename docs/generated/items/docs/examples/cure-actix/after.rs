async fn after(
    settings: Data<Settings>,
    limits: Data<Limits>,
) -> Result<String> {
    let full = |_| ErrorServiceUnavailable("No room. Try again later.");
    let place = limits.places.clone().try_acquire_owned().map_err(full)?;
    let failed = |_| ErrorInternalServerError("The work failed.");
    let core = limits.cores.clone().acquire_owned().await.map_err(failed)?;
    let work = spawn_blocking(move || {
        // Given back when the work ends, not when the waiting does.
        let _held = (place, core);
        heavy(settings.iterations)
    });
    work.await.map_err(|_| ErrorInternalServerError("The work failed."))
}
