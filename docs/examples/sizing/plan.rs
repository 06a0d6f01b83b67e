//! How large a server that computes has to be.

/// How busy the cores may be. Beyond that, requests that happen to arrive
/// together wait long.
const BUSY: f64 = 0.7;

/// What you have to know about the work and its clients.
pub struct Load {
    /// How long one request keeps one core, in seconds.
    pub job: f64,
    /// How many cores a machine has for this work.
    pub cores: f64,
    /// How long a client is willing to wait, in seconds.
    pub patience: f64,
    /// How many requests arrive per second at the busiest time.
    pub rate: f64,
}

impl Load {
    /// How many requests per second one machine can handle.
    pub fn most(&self) -> f64 {
        self.cores / self.job
    }

    /// How many can be admitted so that the last is done in time: `QUEUE`.
    pub fn slots(&self) -> f64 {
        (self.patience * self.most()).floor()
    }

    /// The fraction of one machine's time that the work takes. Beyond 1, the
    /// queue never empties.
    pub fn busy(&self) -> f64 {
        self.rate / self.most()
    }

    /// How many machines it takes to keep the cores free enough.
    pub fn machines(&self) -> f64 {
        (self.busy() / BUSY).ceil().max(1.0)
    }
}
