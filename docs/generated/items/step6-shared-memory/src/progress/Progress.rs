/// How far a request is, and how many threads count for it.
#[derive(Default, Serialize)]
pub struct Progress {
    id: String,
    total: u64,
    done: AtomicU64,
    busy: AtomicU64,
}
