//! How large a server must be that computes.

/// How busy the cores may be: past that, requests that happen to come together
/// wait for long.
const BUSY: f64 = 0.7;

/// What has to be known of the work and of those who ask for it.
pub struct Load {
    /// How long one request keeps one core, in seconds.
    pub job: f64,
    /// How many cores a machine has for this work.
    pub cores: f64,
    /// How long a client is ready to wait, in seconds.
    pub patience: f64,
    /// How many requests come a second, when most come.
    pub rate: f64,
}

impl Load {
    /// How many requests a second one machine can do at the most.
    pub fn most(&self) -> f64 {
        self.cores / self.job
    }

    /// How many may be inside so that the last is done in time: `QUEUE`.
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
