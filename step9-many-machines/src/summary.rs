// A body of any size: cut at line ends, shared among threads, merged.

use std::{
    mem::replace,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use actix_web::{
    Error, Result,
    dev::Payload,
    error::{ErrorRequestTimeout, ErrorUnprocessableEntity, PayloadError},
    rt::time::timeout,
};
use common::{Settings, Summary, Table};
use futures::{TryStreamExt, future::try_join};
use memchr::memrchr;
use tokio::sync::{Semaphore, mpsc::unbounded_channel};

use crate::{pool::Pool, progress::Running, share::Task};

/// The most bytes of a piece.
const PIECE: usize = 512 * 1024;

/// Lets the pool summarise a body while it arrives. Returns that, and how many
/// lines there are.
///
/// Each piece has one of the server's `places`, at least until its job ends.
/// When there is none, the body isn't read on, and its client has to wait.
pub async fn summarise(
    settings: &Settings,
    body: Payload,
    places: Arc<Semaphore>,
    pool: &Pool,
    running: &Running<'_>,
) -> Result<(u64, Summary)> {
    let (sender, mut receivers) = unbounded_channel();
    let start = async move |piece: Vec<u8>| {
        let place = places.clone().acquire_owned().await;
        let task = Task::Summary(piece.into());
        let receiver = running.submit(pool, task, place);
        sender.send(receiver).ok();
    };
    // Each as far as it can: the body is read on while pieces are checked.
    let check = async {
        let (mut lines, mut table) = (0, Table::default());
        // In order: of several bad lines, the first is named.
        while let Some(receiver) = receivers.recv().await {
            let (answer, _place) = receiver.await?;
            let (more, part) = answer.summary().map_err(|bad| {
                let line = lines + bad.number;
                ErrorUnprocessableEntity(format!("Line {line}: {bad}"))
            })?;
            lines += more;
            table.merge(part);
        }
        Ok((lines, table))
    };
    let cut = cut(body, settings.body_timeout, start);
    let (bytes, (lines, table)) = try_join(cut, check).await?;
    running.progress.total.store(bytes, Relaxed);
    if lines == 0 {
        return Err(ErrorUnprocessableEntity(
            "There isn't a line in the body.",
        ));
    }
    let summary = table.summary();
    Ok((lines, summary.map_err(ErrorUnprocessableEntity)?))
}

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

/// Whether the body has ended too early: so the client has left.
pub fn has_left(error: &Error) -> bool {
    error.as_error::<PayloadError>().is_some()
}
