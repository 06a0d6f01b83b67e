/// What each thread does. It has a receiver of its own: with one in a lock, the
/// threads would take turns.
fn run_jobs(queue: &Receiver<Job>) {
    for job in queue {
        // A panic ends the job, not the thread. What it carries is forgotten:
        // to drop it may panic once more.
        mem::forget(catch_unwind(AssertUnwindSafe(job)));
    }
}
