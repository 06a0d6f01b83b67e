impl Drop for StopGuard<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
