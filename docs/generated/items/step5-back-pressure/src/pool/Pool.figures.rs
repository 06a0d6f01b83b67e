pub fn figures(&self) -> Figures {
    let Self { threads, places, .. } = *self;
    let admitted = places - self.free.available_permits();
    Figures { threads, queued: self.jobs.len(), places, admitted }
}
