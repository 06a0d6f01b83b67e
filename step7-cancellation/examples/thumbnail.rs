//! Step 7 with real work: a JPEG or PNG in, a small JPEG out.
//!
//! New: one picture is one job, and its door counts memory, not heads.
//! Watch: press Ctrl-C in curl, and the decoder stops.
//! Send: curl --data-binary @photo.jpg 'localhost:3000/thumbnail?width=400'

#[path = "thumbnail/bands.rs"]
mod bands;
#[path = "thumbnail/http.rs"]
mod http;
#[path = "thumbnail/picture.rs"]
mod picture;
#[path = "../src/pool.rs"]
mod pool;

use std::{env, io, num::NonZeroU16, process, sync::Arc, time::Duration};

use actix_web::{
    App, HttpResponse, HttpServer,
    rt::time::timeout,
    web::{Bytes, BytesMut, Data, Json, Payload, Query, get, post, to},
};
use bands::in_bands;
use common::{Settings, log, stop_signal};
use futures::StreamExt;
use http::{
    DAMAGED, FAILED, NO_ROOM, NO_SUCH_PAGE, ONLY_POST, Refusal, SILENT,
    TOO_MANY_BYTES, TOO_MUCH_MEMORY, Wanted, body_with, explained, refused,
};
use picture::{Picture, Upload, encode, size};
use pool::Pool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes a picture may have as it comes.
const MOST_BYTES: usize = 20 << 20;

/// How many requests may hold a picture, from its first byte on to the last
/// byte of the answer.
const SLOTS: usize = 32;

/// What stands between the clients and the memory of the machine.
struct Doors {
    slots: Arc<Semaphore>,
    silence: Duration,
    /// How many threads shrink a picture: one, but to compare.
    bands: usize,
    /// What decoders may take together, in KiB.
    budget: usize,
    memory: Arc<Semaphore>,
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
        slots: Arc::new(Semaphore::new(SLOTS)),
        silence: Duration::from_secs(setting("SILENCE", 10) as u64),
        bands: setting("BANDS", 1),
        budget,
        memory: Arc::new(Semaphore::new(budget)),
    };
    let (pool, doors) = (Data::new(pool), Data::new(doors));

    let server = HttpServer::new(move || {
        App::new()
            .app_data(pool.clone())
            .app_data(doors.clone())
            .app_data(explained())
            .route("/thumbnail", post().to(thumbnail))
            .route("/thumbnail", to(async || refused(ONLY_POST)))
            .route(
                "/pool",
                get().to(async |pool: Data<Pool>| Json(pool.figures())),
            )
            .route(
                "/non-blocking",
                get().to(async || "This page is non-blocking."),
            )
            .default_service(to(async || refused(NO_SUCH_PAGE)))
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
    match admitted(&pool, doors, wanted.width.get().into(), body).await {
        Ok((jpeg, slot)) => HttpResponse::Ok()
            .content_type("image/jpeg")
            .body(body_with(slot, jpeg)),
        Err(refusal) => refused(refusal),
    }
}

async fn admitted(
    pool: &Pool,
    doors: Data<Doors>,
    width: u32,
    body: Payload,
) -> Result<(Vec<u8>, OwnedSemaphorePermit), Refusal> {
    let slot = doors.slots.clone().try_acquire_owned();
    let slot = slot.map_err(|_| NO_ROOM)?;
    let bytes = upload(body, doors.silence).await?;
    let permit = pool.admit().ok_or(NO_ROOM)?;
    // Dropped with this future, however it ends: then the decoder stops.
    let asks = Arc::new(());
    let upload = Upload::new(bytes, &asks);
    // The slot goes where the bytes go: they may be left behind in the queue.
    let job = pool.submit(&permit, move || {
        shrink(upload, width, &doors).map(|jpeg| (jpeg, slot))
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
    let picture = Picture::open(upload)?;
    let _memory = doors.take(picture.needs)?;
    let (image, orientation) = picture.decode()?;
    let (width, height) = size(&image, orientation, width);
    let mut small = in_bands(&image, width, height, doors.bands);
    drop(image);
    small.apply_orientation(orientation);
    encode(small)
}

impl Doors {
    /// Takes the memory that a picture needs at most, from its header's word.
    fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Refusal> {
        let kib = usize::try_from(bytes / 1024 + 1);
        let kib = kib.ok().filter(|kib| *kib <= self.budget);
        let kib = kib.ok_or(TOO_MUCH_MEMORY)?;
        let memory = self.memory.clone();
        memory.try_acquire_many_owned(kib as u32).map_err(|_| NO_ROOM)
    }
}

/// A setting that only this example has, from the environment.
fn setting(name: &str, default: usize) -> usize {
    let Some(text) = env::var_os(name) else { return default };
    let text = text.to_string_lossy();
    let parsed = text.parse::<NonZeroU16>();
    parsed.map(|it| it.get().into()).unwrap_or_else(|_| {
        log(format!("{name}={text}: expected a whole number from 1 to 65535"));
        process::exit(2)
    })
}
