/// Lets a request in, or refuses it when all places are taken.
pub fn admit(&self) -> Option<Permit> {
    self.free.clone().try_acquire_owned().ok().map(Arc::new)
}
