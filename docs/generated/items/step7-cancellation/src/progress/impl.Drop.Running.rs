impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Progress { total, done, .. } = &*self.progress;
        self.progress.stopped.store(true, Relaxed);
        let ended = &self.requests.ended;
        match done.load(Relaxed) == *total {
            true => ended.done.fetch_add(1, Relaxed),
            false if self.failed.get() => ended.failed.fetch_add(1, Relaxed),
            false => ended.cancelled.fetch_add(1, Relaxed),
        };
        self.requests.lock().retain(|it| !Arc::ptr_eq(it, &self.progress));
    }
}
