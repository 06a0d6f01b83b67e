/// When the server is asked to stop, lets the admitted requests finish. After
/// `time` it answers the others 503, and returns false.
async fn finish(
    pool: &Pool,
    stop: impl Future,
    time: Duration,
) -> io::Result<bool> {
    stop.await;
    let finished = timeout(time, pool.drain()).await.is_ok();
    if !finished {
        let unfinished = pool.figures().admitted;
        eprintln!("{unfinished} requests are not finished after {time:?}");
        pool.given_up.notify_waiters();
    }
    Ok(finished)
}
