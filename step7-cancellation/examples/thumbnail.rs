//! Step 7 with real work: a JPEG or PNG in, a small JPEG out.
//!
//! New: one picture is one job, and its door counts memory, not heads.
//! Watch: press Ctrl-C in curl, and the decoder stops.
//! Send: curl --data-binary @photo.jpg 'localhost:3000/thumbnail?width=400'

#[path = "thumbnail/bands.rs"]
mod bands;
#[path = "thumbnail/picture.rs"]
mod picture;
#[path = "../src/pool.rs"]
mod pool;

use std::{env, io, process, sync::Arc, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    http::{StatusCode, header::RETRY_AFTER},
    rt::time::timeout,
    web::{Bytes, BytesMut, Data, Json, Payload, Query, get, post},
};
use bands::in_bands;
use common::{Settings, log, stop_signal};
use futures::StreamExt;
use image::codecs::jpeg::JpegEncoder;
use picture::{DAMAGED, Header, Refusal, TOO_MANY_PIXELS, Upload};
use pool::Pool;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes a picture may have as it comes.
const MOST_BYTES: usize = 20 << 20;

/// How many uploads may be under way, or wait for a thread.
const UPLOADS: usize = 32;

const SILENT: Refusal =
    (408, "No byte came for too long. Send the picture again.");
const TOO_MANY_BYTES: Refusal =
    (413, "The picture has more than 20 MiB. Send a smaller one.");
const FAILED: Refusal = (500, "The worker failed. The server goes on.");
const NO_ROOM: Refusal =
    (503, "No room for this picture now. Try again later.");

/// What stands between the clients and the memory of the machine.
struct Doors {
    uploads: Arc<Semaphore>,
    silence: Duration,
    /// How many threads shrink a picture: one, but to compare.
    bands: usize,
    /// What decoders may take together, in KiB.
    budget: usize,
    memory: Arc<Semaphore>,
}

#[derive(Deserialize)]
struct Wanted {
    width: u32,
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let idea = "Step 7 with pictures: POST /thumbnail?width=400.";
    let flags = "threads priority queue shutdown_timeout";
    let settings = Settings::from_args("step7-thumbnail", idea, flags);
    let Settings { threads, priority, queue, .. } = settings;
    let pool = Pool::start(threads, priority, queue)
        .unwrap_or_else(|error| settings.cannot_start_threads(error));
    let budget = setting("MEMORY_MIB", 512) << 10;
    let doors = Doors {
        uploads: Arc::new(Semaphore::new(UPLOADS)),
        silence: Duration::from_secs(setting("SILENCE", 10) as u64),
        bands: setting("BANDS", 1).max(1),
        budget,
        memory: Arc::new(Semaphore::new(budget)),
    };
    let (pool, doors) = (Data::new(pool), Data::new(doors));

    let server = HttpServer::new(move || {
        App::new()
            .app_data(pool.clone())
            .app_data(doors.clone())
            .route("/thumbnail", post().to(thumbnail))
            .route(
                "/pool",
                get().to(async |pool: Data<Pool>| Json(pool.figures())),
            )
            .route(
                "/non-blocking",
                get().to(async || "This page is non-blocking."),
            )
    })
    .workers(1)
    .h1_allow_half_closed(false)
    .shutdown_signal(stop_signal()?)
    .shutdown_timeout(settings.shutdown_timeout.as_secs())
    .bind(settings.address())
    .unwrap_or_else(|error| settings.cannot_listen(error));

    settings.announce(&server.addrs());
    server.run().await
}

async fn thumbnail(
    pool: Data<Pool>,
    doors: Data<Doors>,
    wanted: Query<Wanted>,
    body: Payload,
) -> HttpResponse {
    match admitted(&pool, doors, wanted.width, body).await {
        Ok(jpeg) => HttpResponse::Ok().content_type("image/jpeg").body(jpeg),
        Err((status, text)) => {
            let known = StatusCode::from_u16(status).unwrap_or_default();
            let mut response = HttpResponse::build(known);
            if known == StatusCode::SERVICE_UNAVAILABLE {
                response.insert_header((RETRY_AFTER, "1"));
            }
            response.content_type("text/plain; charset=utf-8").body(text)
        }
    }
}

async fn admitted(
    pool: &Pool,
    doors: Data<Doors>,
    width: u32,
    body: Payload,
) -> Result<Vec<u8>, Refusal> {
    let slot = doors.uploads.clone().try_acquire_owned();
    let slot = slot.map_err(|_| NO_ROOM)?;
    let bytes = upload(body, doors.silence).await?;
    let permit = pool.admit().ok_or(NO_ROOM)?;
    // Dropped with this future, however it ends: then the decoder stops.
    let asks = Arc::new(());
    let upload = Upload::new(bytes, &asks);
    let job = pool.submit(&permit, move || {
        // Bytes that wait for a thread are counted by their slot.
        let _slot = slot;
        shrink(upload, width, &doors)
    });
    job.await.unwrap_or(Err(FAILED))
}

/// Takes the picture in: from slow clients too, but not from silent ones.
async fn upload(
    mut body: Payload,
    silence: Duration,
) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    loop {
        let chunk = timeout(silence, body.next()).await;
        let Some(chunk) = chunk.map_err(|_| SILENT)? else {
            return Ok(bytes.freeze());
        };
        bytes.extend_from_slice(&chunk.map_err(|_| DAMAGED)?);
        if bytes.len() > MOST_BYTES {
            return Err(TOO_MANY_BYTES);
        }
    }
}

/// The whole job: one thread reads, decodes, shrinks, turns and encodes.
fn shrink(
    upload: Upload,
    width: u32,
    doors: &Doors,
) -> Result<Vec<u8>, Refusal> {
    let header = Header::read(upload)?;
    let memory = doors.take(&header)?;
    let small = header.decode()?.shrink(width, |image, width, height| {
        in_bands(image, width, height, doors.bands)
    });
    drop(memory);
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new(&mut jpeg);
    small.write_with_encoder(encoder).map_err(|_| DAMAGED)?;
    Ok(jpeg)
}

impl Doors {
    /// Takes the memory that a picture needs at most, from its header's word.
    fn take(&self, header: &Header) -> Result<OwnedSemaphorePermit, Refusal> {
        let kib = usize::try_from(header.needs() / 1024 + 1);
        let kib = kib.ok().filter(|kib| *kib <= self.budget);
        let kib = kib.ok_or(TOO_MANY_PIXELS)?;
        let memory = self.memory.clone();
        memory.try_acquire_many_owned(kib as u32).map_err(|_| NO_ROOM)
    }
}

/// A setting that only this example has, from the environment.
fn setting(name: &str, default: usize) -> usize {
    let Some(text) = env::var_os(name) else { return default };
    let text = text.to_string_lossy();
    text.parse::<u16>().map(usize::from).unwrap_or_else(|_| {
        log(format!("{name}={text}: expected a whole number up to 65535"));
        process::exit(2)
    })
}
