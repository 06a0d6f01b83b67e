impl Load {
    /// How many requests a second one machine can do at the most.
    pub fn most(&self) -> f64 {
        self.cores / self.job
    }

    /// How many may be in the house so that the last is done in time: `QUEUE`.
    pub fn places(&self) -> f64 {
        (self.patience * self.most()).floor()
    }

    /// Which part of one machine's time the work takes. Past 1, the queue
    /// never gets empty.
    pub fn busy(&self) -> f64 {
        self.rate / self.most()
    }

    /// How many machines keep their cores free enough.
    pub fn machines(&self) -> f64 {
        (self.busy() / BUSY).ceil().max(1.0)
    }
}
