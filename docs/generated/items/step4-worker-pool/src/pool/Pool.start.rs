/// Starts the threads. They end when the pool is dropped, after all jobs
/// that are queued by then.
pub fn start(threads: NonZeroUsize) -> io::Result<Self> {
    let (jobs, queue) = unbounded();
    for number in 1..=threads.get() {
        let queue = queue.clone();
        thread::Builder::new()
            .name(format!("pool {number}"))
            .spawn(move || run_jobs(&queue))?;
    }
    Ok(Self { jobs })
}
