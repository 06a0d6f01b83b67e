pub struct Pool {
    jobs: Sender<Job>,
}
