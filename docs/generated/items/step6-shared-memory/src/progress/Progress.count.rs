/// Counts a share, chunk by chunk, and says after each how far it is.
pub fn count(&self, share: u64) -> u64 {
    self.busy.fetch_add(1, Relaxed);
    let mut result = 0;
    while result < share {
        let chunk = count(CHUNK.min(share - result));
        self.done.fetch_add(chunk, Relaxed);
        result += chunk;
    }
    self.busy.fetch_sub(1, Relaxed);
    result
}
