//! A photograph comes in, a small one goes out: one picture, one job. The number,
//! size and time of uploads are limited, and the number, memory and time of
//! decoders.
//! Try: curl --data-binary @photo.jpg -o small.jpg localhost:3000/thumbnail/400

#[cfg(test)]
#[path = "../tests/thumbnail.rs"]
mod tests;

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::{sync::Arc, thread::available_parallelism, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer, ResponseError,
    http::{StatusCode, header::RETRY_AFTER},
    rt::time::timeout,
    web::{Bytes, Data, Path, Payload, post},
};
use clap::Parser;
use common::stop_signal;
use image::{DynamicImage, ImageFormat, RgbImage, metadata::Orientation};
use tokio::{sync::Semaphore, sync::SemaphorePermit, task::spawn_blocking};
use tokio_util::sync::CancellationToken;
use zune_jpeg::{JpegDecoder, zune_core::options::DecoderOptions};

/// The memory that all decoders share.
const MEMORY_MIB: u64 = 1024;

/// A photograph comes in, a small one goes out.
#[derive(Parser)]
#[command(next_line_help = true)]
struct Settings {
    #[arg(long, env, default_value_t = 3000)]
    port: u16,
    /// Seconds for an upload, and for its work
    #[arg(long, env, default_value_t = 30)]
    timeout: u64,
}

struct State {
    limit: Duration,
    uploads: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    memory: Semaphore,
}

/// A status, and a sentence for the client.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{1}")]
struct Refusal(u16, &'static str);

const TOO_SLOW: Refusal = Refusal(408, "Timed out waiting for the picture.");
const TOO_LARGE: Refusal = Refusal(413, "The picture is too large.");
const OTHER_FORMAT: Refusal = Refusal(415, "Send a JPEG.");
const DAMAGED: Refusal = Refusal(422, "The picture is damaged.");
const FAILED: Refusal = Refusal(500, "The worker failed.");
const BUSY: Refusal = Refusal(503, "The server is busy. Try again later.");
const TIMED_OUT: Refusal = Refusal(504, "The picture took too long.");

impl ResponseError for Refusal {
    fn error_response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.0).unwrap_or_default();
        let mut response = HttpResponse::build(status);
        if *self == BUSY {
            response.insert_header((RETRY_AFTER, "1"));
        }
        response.content_type("text/plain; charset=utf-8").body(self.1)
    }
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let Settings { port, timeout } = Settings::parse();
    let state = Data::new(State {
        limit: Duration::from_secs(timeout),
        uploads: Arc::new(Semaphore::new(32)),
        threads: Arc::new(Semaphore::new(available_parallelism()?.get())),
        memory: Semaphore::new(MEMORY_MIB as usize),
    });
    let server = HttpServer::new(move || {
        let route = post().to(thumbnail);
        App::new().app_data(state.clone()).route("/thumbnail/{size}", route)
    })
    // A handler is dropped when its client leaves.
    .h1_allow_half_closed(false)
    .shutdown_signal(stop_signal().cancelled_owned())
    .bind(("127.0.0.1", port))?;
    println!("thumbnail listening on http://{}", server.addrs()[0]);
    server.run().await
}

async fn thumbnail(
    state: Data<State>,
    size: Path<u32>,
    body: Payload,
) -> Result<HttpResponse, Refusal> {
    let slot = state.uploads.clone().try_acquire_owned().map_err(|_| BUSY)?;
    let upload = timeout(state.limit, body.to_bytes_limited(20 << 20)).await;
    let upload = upload.map_err(|_| TOO_SLOW)?.map_err(|_| TOO_LARGE)?;
    let bytes = Cursor::new(upload.map_err(|_| DAMAGED)?);
    // Cancelled when this handler ends or is dropped.
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let shared = state.clone();
    let work = on_a_thread(&state.threads, move || {
        // Released when the work ends, not when the waiting does.
        let _slot = slot;
        shrink(Upload { bytes, stop }, *size, &shared)
    });
    let work = timeout(state.limit, work).await;
    let jpeg = work.map_err(|_| TIMED_OUT)??;
    Ok(HttpResponse::Ok().content_type("image/jpeg").body(jpeg))
}

/// Runs `work` on another thread, once one is free.
async fn on_a_thread<T: Send + 'static>(
    threads: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let thread = threads.clone().acquire_owned().await.map_err(|_| FAILED)?;
    let work = spawn_blocking(move || {
        let _thread = thread;
        work()
    });
    // An error means a panic, which has ended this work and nothing else.
    work.await.unwrap_or(Err(FAILED))
}

/// The whole job: decodes a photograph, shrinks it and turns it upright.
fn shrink(
    upload: Upload,
    size: u32,
    state: &State,
) -> Result<Vec<u8>, Refusal> {
    if !upload.bytes.get_ref().starts_with(b"\xff\xd8") {
        return Err(OTHER_FORMAT);
    }
    // Otherwise half a JPEG is a picture whose rest is grey.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder =
        JpegDecoder::new_with_options(BufReader::new(upload), options);
    decoder.decode_headers().map_err(|_| DAMAGED)?;
    let header = decoder.info().ok_or(DAMAGED)?;
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    let _memory = state.take_memory(u64::from(width) * u64::from(height))?;
    let pixels = decoder.decode().map_err(|_| DAMAGED)?;
    let photo = RgbImage::from_raw(width, height, pixels).ok_or(DAMAGED)?;
    let size = size.clamp(1, 1000).min(width.max(height));
    let mut small = DynamicImage::from(photo).thumbnail(size, size);
    let exif = header.exif_data.as_deref();
    if let Some(orientation) = exif.and_then(Orientation::from_exif_chunk) {
        small.apply_orientation(orientation);
    }
    let mut bytes = Cursor::new(Vec::new());
    small.write_to(&mut bytes, ImageFormat::Jpeg).map_err(|_| FAILED)?;
    Ok(bytes.into_inner())
}

impl State {
    /// Takes 12 bytes for each pixel, as many as a progressive JPEG can need,
    /// and at least 32 MiB: what is a pixel wide is decoded in whole blocks.
    fn take_memory(&self, pixels: u64) -> Result<SemaphorePermit<'_>, Refusal> {
        let mib = (12 * pixels.div_ceil(1 << 20)).max(32);
        if mib > MEMORY_MIB {
            return Err(TOO_LARGE);
        }
        self.memory.try_acquire_many(mib as u32).map_err(|_| BUSY)
    }
}

/// A picture's bytes. Reading fails once its handler is gone: the decoder stops.
struct Upload {
    bytes: Cursor<Bytes>,
    stop: CancellationToken,
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the handler is gone"));
        }
        self.bytes.read(buffer)
    }
}

impl Seek for Upload {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}
