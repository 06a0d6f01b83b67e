async fn blocking(settings: Data<Settings>) -> Result<Report> {
    let start = Instant::now();
    let result = count_all(&settings).await?;
    Ok(Report::new(&settings, result, start.elapsed()))
}
