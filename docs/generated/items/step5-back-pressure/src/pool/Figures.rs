/// What `GET /pool` answers: jobs that wait for a thread, then requests.
#[derive(Serialize)]
pub struct Figures {
    threads: NonZeroUsize,
    queued: usize,
    places: usize,
    admitted: usize,
}
