#[derive(Default, Serialize)]
struct Ended {
    refused: AtomicU64,
    failed: AtomicU64,
    done: AtomicU64,
}
