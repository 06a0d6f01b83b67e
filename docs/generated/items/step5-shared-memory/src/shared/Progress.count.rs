/// Counts a share, chunk by chunk, to its end or until it's told to stop.
pub fn count(&self, share: u64) -> Option<u64> {
    self.begun.get_or_init(Instant::now);
    let mut result = 0;
    while result < share {
        // Relaxed: no other memory depends on it; late is soon enough.
        if self.stopped.load(Relaxed) {
            return None;
        }
        let chunk = count(CHUNK.min(share - result));
        // Relaxed: no addition is ever lost, and nothing else goes with it.
        self.done.fetch_add(chunk, Relaxed);
        result += chunk;
    }
    Some(result)
}
