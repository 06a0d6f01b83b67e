/// Tells the threads to stop when it is dropped: with the handler that waits.
pub struct StopGuard<'a>(pub &'a Progress);
