//! The example with pictures: what comes back, and that nothing that is sent
//! can take more memory than there is for it.

#[path = "../examples/thumbnail/made.rs"]
mod made;

use std::{
    io::{Read, Write},
    path::PathBuf,
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use harness::{Pending, Server};
use image::{
    DynamicImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage,
    load_from_memory,
};
use made::{chunk, flag, hostile, jpeg, noise, png, with_segment, written};
use serde_json::Value;

fn start(settings: &[(&str, &str)]) -> Server {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        harness::program(env!("CARGO_PKG_NAME"), Some("thumbnail")).unwrap()
    });
    let mut command = harness::command(&*PROGRAM);
    // Else its threads come last on a busy machine.
    command.env("PRIORITY", "normal").env("THREADS", "2");
    command.envs(settings.iter().copied());
    Server::start(&mut command).unwrap()
}

/// A status, the head that it stands in, and the body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Sends the head of a request, and as much of its body.
fn begin(server: &Server, query: &str, length: usize, body: &[u8]) -> Pending {
    let head = format!(
        "POST /thumbnail?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    let mut pending = server.write(head);
    // It may be refused before it is sent.
    pending.stream().write_all(body).ok();
    pending
}

fn end(mut pending: Pending) -> Answer {
    let mut answer = Vec::new();
    // What came before the connection broke is read all the same.
    pending.stream().read_to_end(&mut answer).ok();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
    let body = answer.split_off(end.expect("there is an answer") + 4);
    let head = String::from_utf8(answer).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body }
}

fn post(server: &Server, query: &str, body: &[u8]) -> Answer {
    end(begin(server, query, body.len(), body))
}

/// The thumbnail of a picture.
fn small(server: &Server, width: u32, picture: &[u8]) -> DynamicImage {
    let answer = post(server, &format!("width={width}"), picture);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 200, "{text}");
    assert!(answer.head.contains("content-type: image/jpeg"));
    load_from_memory(&answer.body).unwrap()
}

/// What a refusal says, once it is one.
fn refused(answer: &Answer, status: u16) -> String {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{text}");
    assert!(text.ends_with('.') && text.len() < 100, "no sentence: {text}");
    let retry = answer.head.contains("retry-after: 1");
    assert_eq!(retry, status == 503, "{}", answer.head);
    text
}

/// What a camera writes down that is held so.
fn turned(jpeg: Vec<u8>, orientation: u8) -> Vec<u8> {
    let tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
    let rest = [orientation, 0, 0, 0, 0, 0, 0];
    with_segment(jpeg, 0xe1, &[&tiff[..], &rest].concat())
}

#[test]
fn a_picture_comes_back_as_a_smaller_jpeg() {
    let whole = start(&[]);
    let in_bands = start(&[("BANDS", "3")]);
    for (server, format) in [
        (&whole, ImageFormat::Jpeg),
        (&whole, ImageFormat::Png),
        (&in_bands, ImageFormat::Jpeg),
    ] {
        let picture = written(flag(80, 40), format);
        let small = small(server, 20, &picture).to_rgb8();
        assert_eq!(small.dimensions(), (20, 10));
        assert!(small.get_pixel(2, 5).0[0] > 200, "{small:?}");
        assert!(small.get_pixel(17, 5).0[2] > 200, "{small:?}");
        // It is never made larger.
        assert_eq!(self::small(server, 400, &picture).width(), 80);
    }
}

/// However its camera was held: these are the corners that it should have, if
/// the sensor saw red, green, blue and white.
#[test]
fn a_picture_is_turned_upright() {
    let server = start(&[]);
    let corners = |image: &RgbImage| {
        let (w, h) = image.dimensions();
        let [left, right, top, bottom] = [w / 4, w * 3 / 4, h / 4, h * 3 / 4];
        [(left, top), (right, top), (left, bottom), (right, bottom)].map(
            |(x, y)| match image.get_pixel(x, y).0.map(|it| it > 127) {
                [true, true, true] => 'w',
                [true, ..] => 'r',
                [_, true, _] => 'g',
                _ => 'b',
            },
        )
    };
    let seen = RgbImage::from_fn(80, 40, |x, y| {
        Rgb(match (x < 40, y < 20) {
            (true, true) => [255, 0, 0],
            (false, true) => [0, 255, 0],
            (true, false) => [0, 0, 255],
            (false, false) => [255; 3],
        })
    });
    let picture = written(seen, ImageFormat::Jpeg);
    let upright = [
        "rgbw", "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb",
    ];
    for (orientation, expected) in (0..).zip(upright) {
        let picture = turned(picture.clone(), orientation);
        let small = small(&server, 20, &picture).to_rgb8();
        let height = if orientation < 5 { 10 } else { 40 };
        assert_eq!(small.dimensions(), (20, height), "{orientation}");
        let corners = String::from_iter(corners(&small));
        assert_eq!(corners, expected, "orientation {orientation}");
    }
}

#[test]
fn every_kind_of_jpeg_and_png_is_read() {
    let server = start(&[]);
    let adobe = b"Adobe\0\x64\0\0\0\0\0";
    let clear = RgbaImage::from_pixel(64, 64, Rgba([9, 9, 9, 0]));
    let white = small(&server, 8, &written(clear, ImageFormat::Png)).to_luma8();
    assert!(white.get_pixel(4, 4).0[0] > 250, "what is clear is white paper");
    let black = &chunk(b"PLTE", &[0, 0, 0]);
    // Adam7 of 64 by 64 pixels: 8, 8, 16, 16, 32, 32 and 64 pixels a line.
    let lines =
        [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)];
    let adam7 = lines.iter().map(|(width, lines)| lines * (1 + width)).sum();
    let deep = image::ImageBuffer::from_pixel(64, 64, Luma([40_000_u16]));
    for (what, picture) in [
        ("grey JPEG", jpeg(64, 64, 1)),
        ("two JPEGs in one", jpeg(64, 64, 3).repeat(2)),
        ("CMYK JPEG", with_segment(jpeg(64, 64, 4), 0xee, adobe)),
        ("PNG of 16 bits", written(deep, ImageFormat::Png)),
        ("palette", png((64, 64, [1, 3, 0, 0, 0]), black, 64 * 9)),
        ("Adam7", png((64, 64, [8, 0, 0, 0, 1]), b"", adam7)),
    ] {
        assert_eq!(small(&server, 8, &picture).width(), 8, "{what}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_hostile_picture_is_refused_or_harmless() {
    for (what, status, most, picture) in hostile(1) {
        let server = start(&[]);
        // What a server needs for its first picture isn't this one's.
        small(&server, 8, &jpeg(64, 64, 3));
        let before = server.status("VmHWM:");
        let answer = post(&server, "width=8", &picture);
        let grown = (server.status("VmHWM:") - before) / 1024;
        match status {
            200 => assert_eq!(answer.status, 200, "{what}"),
            _ => drop(refused(&answer, status)),
        }
        let most = most + 2 * (picture.len() as u64 >> 20);
        assert!(grown <= most, "{what}: {grown} MiB more");
        assert_eq!(server.get("/non-blocking").status(), 200, "{what}");
    }
}

/// `DynamicImage::from_decoder` doesn't look at `Limits::max_alloc`. If it ever
/// does, this picture needs another way to decode it.
#[test]
fn the_limit_for_what_stands_beside_the_pixels_isnt_for_the_pixels() {
    let server = start(&[]);
    let (width, height) = (2048, 2048);
    let lines = height as usize * (1 + 3 * width as usize);
    let picture = png((width, height, [8, 2, 0, 0, 0]), b"", lines);
    assert_eq!(small(&server, 8, &picture).width(), 8);
}

#[test]
fn a_picture_of_too_many_bytes_is_refused() {
    let server = start(&[]);
    let text = refused(&post(&server, "width=8", &[0xff; (20 << 20) + 1]), 413);
    assert!(text.contains("20 MiB"), "{text}");
}

#[test]
fn a_wrong_width_is_shown_with_what_is_right() {
    let server = start(&[]);
    for query in [
        "",
        "width=",
        "width=wide",
        "width=0",
        "width=65536",
        "width=8&width=8",
    ] {
        let text = refused(&post(&server, query, b""), 400);
        let expected = "expected one width from 1 to 65535, as in ?width=400.";
        assert_eq!(text, format!("?{query}: {expected}"));
    }
}

#[test]
fn slow_uploads_dont_hold_up_fast_ones_and_silent_ones_end() {
    let server = start(&[("SILENCE", "1")]);
    let picture = written(flag(80, 40), ImageFormat::Jpeg);
    let (half, rest) = picture.split_at(picture.len() / 2);
    let silent = begin(&server, "width=8", 1000, half);
    let mut slow: Vec<_> = (0..16)
        .map(|_| begin(&server, "width=8", picture.len(), half))
        .collect();
    assert_eq!(small(&server, 8, &picture).width(), 8);
    assert!(slow.iter().all(|it| !it.is_answered()), "they have time left");
    for slow in &mut slow {
        slow.stream().write_all(rest).unwrap();
    }
    for slow in slow {
        assert_eq!(end(slow).status, 200);
    }
    refused(&end(silent), 408);
}

#[test]
fn uploads_have_a_bound_and_give_their_slot_back() {
    let server = start(&[]);
    let picture = written(flag(80, 40), ImageFormat::Jpeg);
    let slow: Vec<_> =
        (0..32).map(|_| begin(&server, "width=8", 1000, b"")).collect();
    wait_until(|| post(&server, "width=8", &picture).status != 200);
    refused(&post(&server, "width=8", &picture), 503);
    drop(slow);
    wait_until(|| post(&server, "width=8", &picture).status == 200);
    for _ in 0..33 {
        assert_eq!(small(&server, 8, &picture).width(), 8);
    }
}

/// Sixteen large pictures at once, to be made that wide.
#[cfg(target_os = "linux")]
fn sixteen_large(width: u32) {
    let server = start(&[("MEMORY_MIB", "64"), ("THREADS", "8")]);
    // It needs 54 MB at most.
    let picture = jpeg(3000, 2000, 3);
    let before = server.status("VmHWM:");
    let query = format!("width={width}");
    let pending: Vec<_> = (0..16)
        .map(|_| begin(&server, &query, picture.len(), &picture))
        .collect();
    let answers: Vec<_> = pending.into_iter().map(end).collect();
    let grown = (server.status("VmHWM:") - before) / 1024;
    assert!(grown < 64, "{grown} MiB more");
    let (made, not): (Vec<_>, Vec<_>) =
        answers.iter().partition(|it| it.status == 200);
    assert!(!made.is_empty(), "none has been let in");
    assert!(!not.is_empty(), "all have been let in");
    not.into_iter().for_each(|it| drop(refused(it, 503)));
    assert_eq!(small(&server, 8, &picture).width(), 8, "it is given back");
}

#[cfg(target_os = "linux")]
#[test]
fn however_many_large_pictures_come_they_stay_within_the_budget() {
    sixteen_large(8);
}

#[cfg(target_os = "linux")]
#[test]
fn a_thumbnail_as_large_as_its_picture_is_counted_too() {
    sixteen_large(3000);
}

#[test]
fn who_doesnt_read_the_answer_keeps_a_slot_until_they_leave() {
    let server = start(&[("SILENCE", "600")]);
    let slow: Vec<_> =
        (0..31).map(|_| begin(&server, "width=8", 1000, b"")).collect();
    // More than the system takes for a client that doesn't read.
    let picture = noise(2600, 2600);
    let unread = begin(&server, "width=2600", picture.len(), &picture);
    wait_until(|| unread.is_answered());
    let small = jpeg(64, 64, 3);
    wait_until(|| post(&server, "width=8", &small).status == 503);
    drop(unread);
    wait_until(|| post(&server, "width=8", &small).status == 200);
    drop(slow);
}

#[cfg(target_os = "linux")]
#[test]
fn a_decoder_stops_when_its_client_goes_away() {
    // Enough for one of them, so the next has what the one before gave back.
    let server = start(&[("MEMORY_MIB", "320")]);
    let admitted = || {
        let figures = server.get("/pool");
        let figures: Value = serde_json::from_str(figures.body()).unwrap();
        figures["admitted"].as_u64().unwrap()
    };
    let lines = 5000 * (1 + 3 * 5000);
    for picture in
        [jpeg(6000, 6000, 1), png((5000, 5000, [8, 2, 0, 0, 0]), b"", lines)]
    {
        let start = Instant::now();
        assert_eq!(small(&server, 8, &picture).width(), 8);
        let whole = start.elapsed();

        let idle = server.status("VmRSS:");
        let client = begin(&server, "width=8", picture.len(), &picture);
        wait_until(|| server.status("VmRSS:") > idle + (8 << 10));
        let start = Instant::now();
        drop(client);
        wait_until(|| admitted() == 0);
        let rest = start.elapsed();
        assert!(rest < whole / 3, "it goes on for {rest:?} of {whole:?}");
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never is");
        thread::sleep(Duration::from_millis(5));
    }
}
