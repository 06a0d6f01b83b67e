/// What each thread does. It has a receiver of its own: with one in a lock, the
/// threads would take turns.
fn run_jobs(queue: &Receiver<Job>, priority: Priority) {
    priority.apply();
    for job in queue {
        // A panic ends the job, not the thread. What it carries is dropped, and
        // if that panics once more, what that one carries is forgotten.
        let ended = catch_unwind(AssertUnwindSafe(job));
        mem::forget(catch_unwind(AssertUnwindSafe(|| drop(ended))));
    }
}
