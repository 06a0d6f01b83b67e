// A body of any size: cut at line ends, shared among threads, merged.

use std::{
    mem::{replace, take},
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
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

use crate::{pool::Pool, progress::Running, worker_failed};

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
    // As many as jobs run at once: each takes one, and puts it back.
    let tables = Arc::new(Mutex::new(Vec::<Table>::new()));
    let shared = tables.clone();
    let (sender, mut receivers) = unbounded_channel();
    let start = async move |piece: Vec<u8>| {
        let place = places.clone().acquire_owned().await;
        let (tables, progress) = (shared.clone(), running.progress.clone());
        let receiver = pool.submit(&running.permit, move || {
            let mut table = with(&tables, Vec::pop).unwrap_or_default();
            let size = piece.len() as u64;
            let lines = progress.work(size, || table.add(&piece));
            with(&tables, |it| it.push(table));
            drop((piece, place));
            lines
        });
        sender.send(receiver).ok();
    };
    // Each as far as it can: the body is read on while pieces are checked.
    let check = async {
        let mut lines = 0;
        // In order: of several bad lines, the first is named.
        while let Some(receiver) = receivers.recv().await {
            let more = receiver.await.map_err(worker_failed)?;
            lines += more.map_err(|bad| {
                let line = lines + bad.number;
                ErrorUnprocessableEntity(format!("Line {line}: {bad}"))
            })?;
        }
        Ok(lines)
    };
    let cut = cut(body, settings.body_timeout, start);
    let (bytes, lines) = try_join(cut, check).await?;
    running.progress.total.store(bytes, Relaxed);
    if lines == 0 {
        return Err(ErrorUnprocessableEntity(
            "There isn't a line in the body.",
        ));
    }
    // Put together.
    let tables = with(&tables, take).into_iter();
    let table = tables.reduce(|mut all, table| {
        all.merge(table);
        all
    });
    let summary = table.unwrap_or_default().summary();
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

fn with<T, U>(mutex: &Mutex<T>, work: impl FnOnce(&mut T) -> U) -> U {
    work(&mut mutex.lock().expect("nobody panics while holding it"))
}
