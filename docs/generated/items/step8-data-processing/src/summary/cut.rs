/// Reads the body, and starts work for each piece of it: as many whole lines
/// as fit. A byte is copied once, into its piece. Returns how many there are.
async fn cut(
    mut body: Payload,
    patience: Duration,
    start: impl AsyncFn(Vec<u8>),
) -> Result<u64> {
    let mut piece = Vec::with_capacity(PIECE);
    let mut bytes = 0;
    while let Some(chunk) =
        timeout(patience, body.try_next()).await.map_err(|_| {
            ErrorRequestTimeout("Nothing more of the body has arrived.")
        })??
    {
        bytes += chunk.len() as u64;
        let mut chunk = &chunk[..];
        while piece.len() + chunk.len() > PIECE {
            let (fits, rest) = chunk.split_at(PIECE - piece.len());
            piece.extend_from_slice(fits);
            chunk = rest;
            // A piece without a line end is a line that is too long.
            let end = memrchr(b'\n', &piece).map_or(PIECE, |at| at + 1);
            let mut begun = Vec::with_capacity(PIECE);
            begun.extend_from_slice(&piece[end..]);
            piece.truncate(end);
            start(replace(&mut piece, begun)).await;
        }
        piece.extend_from_slice(chunk);
    }
    if !piece.is_empty() {
        start(piece).await;
    }
    Ok(bytes)
}
