/// What each thread does. It has a receiver of its own: with one in a lock, the
/// threads would take turns.
fn run_jobs(first: fn(), queue: &Receiver<Job>, figures: &Mutex<Figures>) {
    first();
    while let Ok(Some(job)) = queue.recv() {
        lock(figures).busy += 1;
        // Dropping an answer that no one wants may panic too.
        mem::forget(catch_unwind(AssertUnwindSafe(job)));
        lock(figures).busy -= 1;
    }
}
