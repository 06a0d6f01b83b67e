impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Progress { total, done, .. } = &*self.progress;
        let ended = &self.requests.ended;
        match done.load(Relaxed) == *total {
            true => ended.done.fetch_add(1, Relaxed),
            false => ended.failed.fetch_add(1, Relaxed),
        };
        self.requests.lock().retain(|it| !Arc::ptr_eq(it, &self.progress));
    }
}
