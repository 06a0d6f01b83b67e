/// Takes the memory that a picture needs at most, from its header's word.
fn take(&self, header: &Header) -> Result<OwnedSemaphorePermit, Refusal> {
    let kib = usize::try_from(header.needs() / 1024 + 1);
    let kib = kib.ok().filter(|kib| *kib <= self.budget);
    let kib = kib.ok_or(TOO_MANY_PIXELS)?;
    let memory = self.memory.clone();
    memory.try_acquire_many_owned(kib as u32).map_err(|_| NO_ROOM)
}
