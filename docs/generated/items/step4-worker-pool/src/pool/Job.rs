type Job = Box<dyn FnOnce() + Send>;
