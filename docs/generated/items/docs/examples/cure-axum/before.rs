async fn before(State((settings, _)): Shared) -> String {
    heavy(settings.iterations)
}
