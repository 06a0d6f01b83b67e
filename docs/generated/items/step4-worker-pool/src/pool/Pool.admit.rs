/// Lets a request in, or refuses it: the pool is full, or about to end.
pub fn admit(&self) -> Option<Arc<Permit>> {
    let Ok(place) = self.places.clone().try_acquire_owned() else {
        lock(&self.figures).refused += 1;
        return None;
    };
    lock(&self.figures).admitted += 1;
    let (jobs, figures) = (self.jobs.clone(), self.figures.clone());
    let failed = Mutex::new(false);
    Some(Arc::new(Permit { jobs, figures, failed, _place: place }))
}
