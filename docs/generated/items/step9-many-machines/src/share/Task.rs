/// A closure can't travel; this can.
#[derive(Serialize, Deserialize)]
pub enum Task {
    Count(u64),
    Summary(ByteBuf),
    Fail,
}
