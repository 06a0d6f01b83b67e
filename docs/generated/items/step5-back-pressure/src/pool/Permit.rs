/// A request's place in the pool. Its jobs share it: the last to end gives it
/// back, whether a handler still waits for the answer or not.
pub type Permit = Arc<OwnedSemaphorePermit>;
