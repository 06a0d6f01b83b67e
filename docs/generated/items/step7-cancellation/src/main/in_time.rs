/// Drops the handler of a request that takes too long, or that the server's end
/// doesn't leave the time for: its threads stop.
async fn in_time(
    settings: Data<Settings>,
    requests: Data<Requests>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>> {
    let limit = OptionFuture::from(settings.timeout.map(sleep));
    // The rest of the time is for the answers to leave.
    let time = settings.shutdown_timeout.mul_f64(0.9);
    let end = requests.stop.clone().then(|()| sleep(time));
    select! {
        answer = next.call(request) => answer,
        Some(()) = limit => Err(too_late()),
        () = end => Err(no_room()),
    }
}
