/// Counts a share, chunk by chunk, to its end or until it's told to stop.
pub fn count(&self, share: u64) -> u64 {
    self.busy.fetch_add(1, Relaxed);
    let mut result = 0;
    // Relaxed: no other memory depends on it; late is soon enough.
    while result < share && !self.stopped.load(Relaxed) {
        let chunk = count(CHUNK.min(share - result));
        self.done.fetch_add(chunk, Relaxed);
        result += chunk;
    }
    self.busy.fetch_sub(1, Relaxed);
    result
}
