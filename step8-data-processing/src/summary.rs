// A body of any size: cut at line endings, and summarised piece by piece.

use std::{
    mem::take,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use actix_web::{
    Result,
    dev::Payload,
    error::{ErrorRequestTimeout, ErrorUnprocessableEntity},
    rt::time::timeout,
    web::Bytes,
};
use common::{
    BadLine, Rendered, SummaryReport, Table, TooManyNames, Upload,
    UploadSettings,
};
use futures::{Stream, TryFutureExt, TryStreamExt, stream::try_unfold};
use memchr::memrchr;

use crate::pool::{Permit, Pool};
use crate::progress::{Request, worker_failed};

/// The most bytes in a piece.
const PIECE: usize = 512 * 1024;

const TOO_SLOW: &str = "Timed out waiting for the rest of the body.";

/// Summarises a body while it arrives.
pub async fn summarise(
    settings: &UploadSettings,
    pool: &Pool,
    permit: &Permit,
    request: &Request<'_>,
    upload: Upload,
) -> Result<Rendered> {
    let (start, format) = (Instant::now(), upload.format);
    let tables = Arc::new(Tables::default());
    let start_job = |piece: Vec<u8>| {
        let (tables, progress) = (tables.clone(), request.progress.clone());
        let job = move || progress.work(piece.len(), || tables.add(&piece));
        pool.submit(permit, job).map_err(worker_failed)
    };
    // With this many jobs under way, reading pauses: the client waits.
    let most = 2 * settings.threads.get();
    let pieces = cut(upload.body, settings.body_timeout);
    let mut results = pin!(pieces.map_ok(start_job).try_buffered(most));
    let mut lines = 0;
    // In the body's order: of several bad lines, the first is reported.
    while let Some(result) = results.try_next().await? {
        lines += result.map_err(|bad| {
            let line = lines + bad.number;
            ErrorUnprocessableEntity(format!("Line {line}: {bad}"))
        })?;
    }
    if lines == 0 {
        return Err(ErrorUnprocessableEntity("The body is empty."));
    }
    // With many names this takes milliseconds: a job like the others.
    let tables = tables.clone();
    let render = move || {
        let summary = tables.merge().summary()?;
        let report = SummaryReport::new(lines, summary, start.elapsed());
        Ok::<_, TooManyNames>(report.render(format))
    };
    let rendered = pool.submit(permit, render).await;
    rendered.map_err(worker_failed)?.map_err(ErrorUnprocessableEntity)
}

/// Cuts a body into pieces: each has as many whole lines as fit.
fn cut(
    body: Payload,
    patience: Duration,
) -> impl Stream<Item = Result<Vec<u8>>> {
    let start = (body, Bytes::new(), Vec::with_capacity(PIECE));
    try_unfold(start, move |(mut body, mut chunk, mut piece)| async move {
        loop {
            let fits = chunk.len().min(PIECE - piece.len());
            piece.extend_from_slice(&chunk.split_to(fits));
            if !chunk.is_empty() {
                // A piece without a line end is a line that is too long.
                let end = memrchr(b'\n', &piece).map_or(PIECE, |at| at + 1);
                let mut rest = Vec::with_capacity(PIECE);
                rest.extend(piece.drain(end..));
                return Ok(Some((piece, (body, chunk, rest))));
            }
            let more = timeout(patience, body.try_next()).await;
            match more.map_err(|_| ErrorRequestTimeout(TOO_SLOW))?? {
                Some(more) => chunk = more,
                None if piece.is_empty() => return Ok(None),
                None => return Ok(Some((piece, (body, chunk, Vec::new())))),
            }
        }
    })
}

/// What the pieces come to: a table for each job that runs.
#[derive(Default)]
struct Tables(Mutex<Vec<Table>>);

impl Tables {
    fn add(&self, piece: &[u8]) -> Result<u64, BadLine> {
        let mut table = self.lock().pop().unwrap_or_default();
        let lines = table.add(piece);
        self.lock().push(table);
        lines
    }

    fn merge(&self) -> Table {
        let tables = take(&mut *self.lock());
        tables.into_iter().reduce(Table::merge).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Table>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}
