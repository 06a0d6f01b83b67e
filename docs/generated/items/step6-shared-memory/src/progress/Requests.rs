/// The admitted requests, and how many others there were.
pub struct Requests {
    running: Mutex<Vec<Arc<Progress>>>,
    ended: Ended,
    stop: StopSignal,
}
