/// What a thread of the pool does first: it steps back behind the server's
/// own thread, which then answers quickly even when all cores count.
fn step_back() {
    if let Err(error) = set_current_thread_priority(ThreadPriority::Min) {
        eprintln!("can't lower the priority of a thread: {error:?}");
    }
}
