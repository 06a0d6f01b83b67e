/// What an event of `GET /progress` tells.
#[derive(Serialize)]
struct Figures<'a> {
    #[serde(flatten)]
    ended: &'a Ended,
    running: Vec<Arc<Progress>>,
}
