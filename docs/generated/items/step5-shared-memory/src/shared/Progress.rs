/// How far a request is, and whether it goes on.
pub struct Progress {
    pub id: u64,
    query: String,
    total: u64,
    begun: OnceLock<Instant>,
    done: AtomicU64,
    stopped: AtomicBool,
    failed: AtomicBool,
}
