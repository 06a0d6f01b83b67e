async fn heartbeat() {
    loop {
        let asleep = Instant::now();
        sleep(BEAT).await;
        let late = asleep.elapsed().saturating_sub(BEAT);
        if late > LATE {
            log(format!("the server's thread was busy for {late:.1?}"));
        }
    }
}
