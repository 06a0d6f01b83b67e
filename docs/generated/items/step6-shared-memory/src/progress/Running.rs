/// A request from its admission to its end.
pub struct Running<'a> {
    pub permit: Permit,
    pub progress: Arc<Progress>,
    requests: &'a Requests,
}
