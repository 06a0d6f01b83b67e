async fn before(settings: Data<Settings>) -> String {
    heavy(settings.iterations)
}
