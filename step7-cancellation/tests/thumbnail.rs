//! The example with pictures: what comes back, and that nothing that is sent
//! can take more memory than there is for it.

use std::{
    io::{Cursor, Read, Write},
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
use serde_json::Value;

fn start(settings: &[(&str, &str)]) -> Server {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        harness::program(env!("CARGO_PKG_NAME"), Some("thumbnail")).unwrap()
    });
    let mut command = harness::command(&*PROGRAM);
    command.env("THREADS", "2").envs(settings.iter().copied());
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
    assert!(text.ends_with('.') && text.len() < 80, "no sentence: {text}");
    let retry = answer.head.contains("retry-after: 1");
    assert_eq!(retry, status == 503, "{}", answer.head);
    text
}

fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
        true => Rgb([255, 0, 0]),
        false => Rgb([0, 0, 255]),
    })
}

/// A JPEG of one grey, made by hand: it may say and be whatever it likes.
/// Each block of 8 by 8 pixels is four zero bits.
fn jpeg(width: u16, height: u16, components: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    bytes.extend([1; 64]);
    let ([w1, w2], [h1, h2]) = (width.to_be_bytes(), height.to_be_bytes());
    let length = 8 + 3 * components;
    bytes.extend([0xff, 0xc0, 0, length, 8, h1, h2, w1, w2, components]);
    bytes.extend((1..=components).flat_map(|it| [it, 0x11, 0]));
    for table in [0x00, 0x10] {
        // One code, of two bits, for zero.
        bytes.extend([0xff, 0xc4, 0, 20, table, 0, 1]);
        bytes.extend([0; 15]);
    }
    bytes.extend([0xff, 0xda, 0, 6 + 2 * components, components]);
    bytes.extend((1..=components).flat_map(|it| [it, 0]));
    bytes.extend([0, 63, 0]);
    let blocks = |side: u16| usize::from(side).div_ceil(8);
    let bits = 4 * blocks(width) * blocks(height) * usize::from(components);
    bytes.resize(bytes.len() + bits.div_ceil(8), 0);
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// Puts a segment behind the first two bytes of a JPEG.
fn with_segment(mut jpeg: Vec<u8>, marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    let segment = [&[0xff, marker], &length[..], data].concat();
    jpeg.splice(2..2, segment);
    jpeg
}

/// What a camera writes down that is held so.
fn turned(jpeg: Vec<u8>, orientation: u8) -> Vec<u8> {
    let tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
    let rest = [orientation, 0, 0, 0, 0, 0, 0];
    with_segment(jpeg, 0xe1, &[&tiff[..], &rest].concat())
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    let crc = !kind.iter().chain(data).fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    });
    [&length, &kind[..], data, &crc.to_be_bytes()].concat()
}

/// A PNG made by hand, of lines that are all zero. `kind` is the bits of a
/// sample, its colours, and 1 at the end for Adam7.
fn png(
    (width, height, kind): (u32, u32, [u8; 5]),
    chunks: &[u8],
    zeros: usize,
) -> Vec<u8> {
    let [width, height] = [width, height].map(u32::to_be_bytes);
    let ihdr = [&width[..], &height, &kind].concat();
    let idat = zeros_deflated(zeros);
    [
        b"\x89PNG\r\n\x1a\n",
        &chunk(b"IHDR", &ihdr)[..],
        chunks,
        &chunk(b"IDAT", &idat),
        &chunk(b"IEND", &[]),
    ]
    .concat()
}

/// So many zero bytes, as zlib writes them.
fn zeros_deflated(many: usize) -> Vec<u8> {
    // A line of a picture begins with a byte that says how it is filtered.
    let lines = if many.is_multiple_of(8192) { many / 8192 } else { 1 };
    let (width, height) = (many / lines - 1, lines);
    let image = image::GrayImage::new(width as u32, height as u32);
    let png = written(image, ImageFormat::Png);
    let mut idat = Vec::new();
    let mut rest = &png[8..];
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if after.starts_with(b"IDAT") {
            idat.extend_from_slice(&after[4..4 + length]);
        }
        rest = &after[8 + length..];
    }
    idat
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

#[test]
fn a_picture_that_was_taken_sideways_is_turned_upright() {
    let server = start(&[]);
    let picture = written(flag(80, 40), ImageFormat::Jpeg);
    let upright = small(&server, 20, &turned(picture, 6)).to_rgb8();
    assert_eq!(upright.dimensions(), (20, 40));
    assert!(upright.get_pixel(10, 4).0[0] > 200, "red is at the top");
    assert!(upright.get_pixel(10, 35).0[2] > 200, "blue is at the bottom");
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

/// Posts a picture. Returns the answer, and by how many MiB the server's memory
/// has ever been more than before.
#[cfg(target_os = "linux")]
fn grown(server: &Server, picture: &[u8]) -> (Answer, u64) {
    let before = server.status("VmHWM:");
    let answer = post(server, "width=8", picture);
    (answer, (server.status("VmHWM:") - before) / 1024)
}

#[cfg(target_os = "linux")]
#[test]
fn a_hostile_picture_is_refused_or_harmless() {
    let server = start(&[]);
    let mut cut_jpeg = jpeg(800, 800, 3);
    cut_jpeg.truncate(cut_jpeg.len() / 2);
    let mut cut_png = written(flag(80, 40), ImageFormat::Png);
    cut_png.truncate(cut_png.len() / 2);
    let mut huge = jpeg(8, 8, 3);
    let frame = huge.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].fill(0xff);
    let line = (100_000, 1, [8, 2, 0, 0, 0]);
    let most = (1 << 30, 1 << 30, [16, 6, 0, 0, 0]);
    let bomb = (8191, 24_576, [8, 0, 0, 0, 0]);
    let small = (8, 8, [8, 2, 0, 0, 0]);
    let profile = [b"icc\0\0", &zeros_deflated(1 << 26)[..]].concat();
    let profile = chunk(b"iCCP", &profile);
    let texts = chunk(b"tEXt", b"a\0b").repeat(10_000);
    for (what, status, picture) in [
        ("nothing", 415, Vec::new()),
        ("one byte", 415, vec![0xff]),
        ("a zip named .png", 415, b"PK\x03\x04 and so on".to_vec()),
        ("an SVG", 415, b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
        ("a WebP", 415, b"RIFF\x1a\0\0\0WEBPVP8L".to_vec()),
        ("half a JPEG", 422, cut_jpeg),
        ("half a PNG", 422, cut_png),
        ("a JPEG that says 65535 by 65535", 413, huge),
        ("a PNG that says 2^30 by 2^30", 413, png(most, b"", 9)),
        ("a PNG whose line is too long", 413, png(line, b"", 9)),
        ("a bomb of 200 MP", 413, png(bomb, b"", 9)),
        ("a colour profile of 64 MiB", 200, png(small, &profile, 200)),
        ("64 MiB for 64 pixels", 200, png(small, b"", 1 << 26)),
        ("10,000 texts", 200, png(small, &texts, 200)),
    ] {
        let (answer, grown) = grown(&server, &picture);
        match status {
            200 => assert_eq!(answer.status, 200, "{what}"),
            _ => drop(refused(&answer, status)),
        }
        assert!(grown < 24, "{what}: {grown} MiB more");
    }
    assert_eq!(server.get("/non-blocking").status(), 200);
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
fn a_picture_of_too_many_bytes_is_refused_and_so_is_a_wrong_width() {
    let server = start(&[]);
    let text = refused(&post(&server, "width=8", &[0xff; (20 << 20) + 1]), 413);
    assert!(text.contains("20 MiB"), "{text}");
    for query in ["", "width=wide", "width=-1"] {
        assert_eq!(post(&server, query, b"").status, 400, "{query}");
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

#[cfg(target_os = "linux")]
#[test]
fn however_many_large_pictures_come_they_stay_within_the_budget() {
    let server = start(&[("MEMORY_MIB", "64"), ("THREADS", "8")]);
    // It needs 54 MB at most.
    let picture = jpeg(3000, 2000, 3);
    let before = server.status("VmHWM:");
    let pending: Vec<_> = (0..16)
        .map(|_| begin(&server, "width=8", picture.len(), &picture))
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
fn a_decoder_stops_when_its_client_goes_away() {
    let server = start(&[]);
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
