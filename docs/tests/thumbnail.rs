//! The pictures that come back, and the limits on the resources a picture can
//! take.

use std::{
    io::{Cursor, Read, Write},
    sync::Arc,
    time::Duration,
};

use actix_web::{
    FromRequest, ResponseError,
    http::header::RETRY_AFTER,
    rt::{System, spawn, time::sleep},
    test::TestRequest,
    web::{Data, Payload},
};
use futures::FutureExt;
use harness::{Server, command, program};
use image::{ImageFormat, Rgb, RgbImage, load_from_memory};
use tokio::sync::Semaphore;

use super::{
    BUSY, FAILED, MEMORY_MIB, Refusal, State, TIMED_OUT, TOO_LARGE,
    on_a_thread, thumbnail,
};

fn start(timeout: &str) -> Server {
    let program = program("thumbnail").unwrap();
    Server::start(command(program).env("TIMEOUT", timeout)).unwrap()
}

/// Sends a picture, or the beginning of one of that length. Returns the
/// response's status, its head and its body.
fn post(
    server: &Server,
    length: usize,
    picture: &[u8],
) -> (u16, String, Vec<u8>) {
    let mut pending = server.write(format!(
        "POST /thumbnail/20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    ));
    // A refusal can arrive before the end of the body.
    pending.stream().write_all(picture).ok();
    let mut head = Vec::new();
    pending.stream().read_to_end(&mut head).ok();
    let end = head.windows(4).position(|end| end == b"\r\n\r\n");
    let body = head.split_off(end.expect("a response") + 4);
    let head = String::from_utf8(head).unwrap().to_lowercase();
    (head[9..12].parse().unwrap(), head, body)
}

/// Red on the left, blue on the right.
fn flag() -> Vec<u8> {
    let flag = RgbImage::from_fn(80, 40, |x, _| {
        if x < 40 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) }
    });
    let mut bytes = Cursor::new(Vec::new());
    flag.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// A JPEG in a single grey, in which each block of 8 by 8 pixels is four zero
/// bits.
fn grey(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    jpeg.extend([1; 64]);
    let ([w1, w2], [h1, h2]) = (width.to_be_bytes(), height.to_be_bytes());
    jpeg.extend([0xff, 0xc0, 0, 11, 8, h1, h2, w1, w2, 1, 1, 0x11, 0]);
    for table in [0x00, 0x10] {
        // One code, of two bits, for zero.
        jpeg.extend([0xff, 0xc4, 0, 20, table, 0, 1]);
        jpeg.extend([0; 15]);
    }
    jpeg.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    let blocks = |side: u16| usize::from(side).div_ceil(8);
    let bytes = (blocks(width) * blocks(height)).div_ceil(2);
    jpeg.resize(jpeg.len() + bytes, 0);
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

#[test]
fn a_picture_comes_back_smaller() {
    let flag = flag();
    let (status, head, small) = post(&start("30"), flag.len(), &flag);
    assert_eq!(status, 200);
    assert!(head.contains("image/jpeg"), "{head}");
    let small = load_from_memory(&small).unwrap().to_rgb8();
    assert_eq!(small.dimensions(), (20, 10));
    assert!(small.get_pixel(2, 5).0[0] > 200, "red on the left");
    assert!(small.get_pixel(17, 5).0[2] > 200, "blue on the right");
}

#[test]
fn a_picture_is_turned_upright() {
    let mut jpeg = flag();
    // The camera was held with its left side up.
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\
                 \x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    jpeg.splice(2..2, *exif);
    let (_, _, small) = post(&start("30"), jpeg.len(), &jpeg);
    let small = load_from_memory(&small).unwrap().to_rgb8();
    assert_eq!(small.dimensions(), (10, 20));
    assert!(small.get_pixel(5, 2).0[0] > 200, "red is above");
}

#[test]
fn a_file_that_is_no_picture_or_half_of_one_or_too_large_is_rejected() {
    let server = start("30");
    let mut half = grey(800, 600);
    half.truncate(half.len() / 2);
    let mut bomb = grey(8, 8);
    let frame = bomb.windows(2).position(|marker| marker == [0xff, 0xc0]);
    bomb[frame.unwrap() + 5..][..4].fill(0xff);
    assert_eq!(bomb.len(), 141);
    for (what, picture, expected) in [
        ("nothing", Vec::new(), 415),
        ("a PDF", b"%PDF-1.7".to_vec(), 415),
        ("a GIF", b"GIF89a\x08\0\x08\0".to_vec(), 415),
        ("a PNG", b"\x89PNG\r\n\x1a\n".to_vec(), 415),
        ("half a JPEG", half, 422),
        ("20 MiB and a byte", vec![0; (20 << 20) + 1], 413),
        ("a JPEG of 65,535 by 65,535", bomb, 413),
    ] {
        let (status, _, text) = post(&server, picture.len(), &picture);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(status, expected, "{what}: {text}");
        assert!(text.ends_with('.') && text.len() < 60, "{what}: {text}");
    }
}

fn state(limit: Duration) -> Data<State> {
    Data::new(State {
        limit,
        uploads: Arc::new(Semaphore::new(2)),
        threads: Arc::new(Semaphore::new(2)),
        memory: Semaphore::new(MEMORY_MIB as usize),
    })
}

#[test]
fn decoders_share_a_budget_of_memory() {
    let state = state(Duration::ZERO);
    let most = (MEMORY_MIB / 12) << 20;
    assert_eq!(state.take_memory(most + 1).err(), Some(TOO_LARGE));
    let held = state.take_memory(most).unwrap();
    assert_eq!(state.take_memory(1).err(), Some(BUSY));
    drop(held);
    assert!(state.take_memory(1).is_ok(), "it was given back");
}

#[test]
fn a_panic_in_a_decoder_gets_a_500_and_harms_nobody() {
    let threads = Arc::new(Semaphore::new(1));
    System::new().block_on(async {
        let panics = on_a_thread(&threads, || -> Result<(), Refusal> {
            panic!("a decoder's, on purpose")
        });
        assert_eq!(panics.await, Err(FAILED));
        assert_eq!(on_a_thread(&threads, || Ok(7)).await, Ok(7));
    });
}

#[test]
fn an_upload_that_stalls_gets_408() {
    assert_eq!(post(&start("1"), 1000, b"\xff\xd8").0, 408);
}

async fn reply(state: Data<State>, picture: Vec<u8>) -> Result<(), Refusal> {
    let request = TestRequest::default().set_payload(picture);
    let (request, mut body) = request.to_http_parts();
    let body = Payload::from_request(&request, &mut body).await.unwrap();
    thumbnail(state, 20.into(), body).await.map(drop)
}

#[test]
fn a_picture_that_takes_too_long_gets_504() {
    let reply = reply(state(Duration::ZERO), grey(1000, 1000));
    assert_eq!(System::new().block_on(reply), Err(TIMED_OUT));
}

/// A handler is dropped when its client leaves. Its decoder then ends before
/// another one that has less to do and began earlier.
#[test]
fn a_decoder_stops_when_its_handler_is_dropped() {
    let state = state(Duration::from_secs(600));
    let memory = || state.memory.available_permits();
    System::new().block_on(async {
        let stays = spawn(reply(state.clone(), grey(4000, 4000)));
        wait(|| memory() < MEMORY_MIB as usize).await;
        let before = memory();
        let leaves = spawn(reply(state.clone(), grey(5000, 5000)));
        wait(|| memory() < before).await;
        leaves.abort();
        wait(|| memory() >= before).await;
        assert!(!stays.is_finished(), "it decoded all of its picture");
        assert_eq!(stays.await.unwrap(), Ok(()));
    });
}

#[test]
fn uploads_have_a_limit_and_a_client_that_leaves_frees_its_slot() {
    let state = state(Duration::from_secs(600));
    let uploads = || state.uploads.available_permits();
    System::new().block_on(async {
        let _busy = state.threads.acquire_many(2).await.unwrap();
        let mut queued = Box::pin(reply(state.clone(), flag()));
        assert_eq!(queued.as_mut().now_or_never(), None);
        assert_eq!(uploads(), 1);
        let other = state.uploads.acquire().await;
        let refused = reply(state.clone(), flag()).await;
        assert_eq!(refused, Err(BUSY));
        assert!(BUSY.error_response().headers().contains_key(RETRY_AFTER));
        drop(other);
        drop(queued);
        assert_eq!(uploads(), 2);
    });
}

async fn wait(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(Duration::from_millis(1)).await;
    }
}
