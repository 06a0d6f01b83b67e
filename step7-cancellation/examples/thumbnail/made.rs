// Pictures made by hand: they may say and be whatever they like.

use std::io::Cursor;

use image::{
    DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};

/// A picture, the status that it should get, and by how many MiB it may make
/// the server grow.
pub type Hostile = (&'static str, u16, u64, Vec<u8>);

pub fn written(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Red on the left, blue on the right.
pub fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
        true => Rgb([255, 0, 0]),
        false => Rgb([0, 0, 255]),
    })
}

/// A JPEG that is hard to make small.
pub fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let image = RgbImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [r, g, b, _] = state.to_be_bytes();
        Rgb([r, g, b])
    });
    written(image, ImageFormat::Jpeg)
}

/// A JPEG of one grey; each block of 8 by 8 pixels is four zero bits.
pub fn jpeg(width: u16, height: u16, components: u8) -> Vec<u8> {
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

/// A progressive JPEG of one grey, whose scans after the first say nothing, in
/// two bytes for 16,384 blocks.
pub fn progressive(width: u16, height: u16, scans: usize) -> Vec<u8> {
    let mut bytes = jpeg(width, height, 1);
    let start = bytes.windows(2).position(|it| it == [0xff, 0xda]).unwrap();
    bytes.truncate(start);
    // The one code of its last table: these 2^14 blocks are done, and as many
    // more as the next 14 bits say.
    bytes[start - 1] = 0xe0;
    let frame = bytes.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    bytes[frame + 1] = 0xc2;
    let blocks = |side: u16| usize::from(side).div_ceil(8);
    let blocks = blocks(width) * blocks(height);
    let mut scan = |parts: [u8; 3], length: usize| {
        bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0]);
        bytes.extend(parts);
        bytes.resize(bytes.len() + length, 0);
    };
    scan([0, 0, 0], blocks.div_ceil(4));
    for number in 1..scans {
        let refines = if number == 1 { 0x01 } else { 0x10 };
        scan([1, 63, refines], 2 * blocks.div_ceil(16_384));
    }
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// Puts a segment behind the first two bytes of a JPEG.
pub fn with_segment(mut jpeg: Vec<u8>, marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    let segment = [&[0xff, marker], &length[..], data].concat();
    jpeg.splice(2..2, segment);
    jpeg
}

pub fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
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
pub fn png(
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
pub fn zeros_deflated(many: usize) -> Vec<u8> {
    // A line of a picture begins with a byte that says how it is filtered.
    let lines = if many.is_multiple_of(8192) { many / 8192 } else { 1 };
    let (width, height) = (many / lines - 1, lines);
    let image = GrayImage::new(width as u32, height as u32);
    let mut png = Vec::new();
    let (best, filter) = (CompressionType::Best, FilterType::NoFilter);
    let encoder = PngEncoder::new_with_quality(&mut png, best, filter);
    image.write_with_encoder(encoder).unwrap();
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

/// What no camera makes: at 8 they are as large as the budget lets in, or as
/// what is allowed to come makes them; at 1, for tests, they are quicker.
pub fn hostile(scale: u16) -> Vec<Hostile> {
    let bytes = usize::from(scale) << 26;
    let half = |mut picture: Vec<u8>| {
        picture.truncate(picture.len() / 2);
        picture
    };
    let mut huge = jpeg(8, 8, 3);
    let frame = huge.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    huge[frame + 5..frame + 9].fill(0xff);
    let most = (1 << 30, 1 << 30, [16, 6, 0, 0, 0]);
    let line = (100_000, 1, [8, 2, 0, 0, 0]);
    let bomb = (16_383, 24_576, [8, 0, 0, 0, 0]);
    let side = 875 * u32::from(scale);
    let black = (side, side, [8, 2, 0, 0, 0]);
    let lines = (side * (1 + 3 * side)) as usize;
    let small = (8, 8, [8, 2, 0, 0, 0]);
    let profile = [b"icc\0\0", &zeros_deflated(bytes)[..]].concat();
    let profile = chunk(b"iCCP", &profile);
    let texts = chunk(b"tEXt", b"a\0b").repeat(10_000);
    let long = [b"a\0\0", &zeros_deflated(1 << 20)[..]].concat();
    let long = chunk(b"zTXt", &long).repeat(10_000);
    let empty = chunk(b"IDAT", b"").repeat(10_000 * usize::from(scale));
    let mut segments = jpeg(8, 8, 3);
    segments
        .splice(2..2, [0xff, 0xee, 0, 2].repeat(100_000 * usize::from(scale)));
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    vec![
        ("nothing", 415, 1, Vec::new()),
        ("one byte", 415, 1, vec![0xff]),
        ("a zip named .png", 415, 1, b"PK\x03\x04 and so on".to_vec()),
        ("an SVG", 415, 1, svg.to_vec()),
        ("a WebP", 415, 1, b"RIFF\x1a\0\0\0WEBPVP8L".to_vec()),
        ("half a PNG", 422, 1, half(written(flag(80, 40), ImageFormat::Png))),
        ("half a JPEG of 12 megapixels", 422, 80, half(jpeg(4000, 3000, 3))),
        ("a JPEG that says 65,535 by 65,535", 413, 1, huge),
        ("a PNG that says 2^30 by 2^30", 413, 1, png(most, b"", 9)),
        ("a PNG with a line of 100,000 pixels", 413, 1, png(line, b"", 9)),
        ("400 megapixels of grey, deflated", 413, 4, png(bomb, b"", bytes)),
        (
            "black, deflated, as much as fits into the budget",
            200,
            160,
            png(black, b"", lines),
        ),
        (
            "a progressive JPEG of grey, refined 30 times",
            200,
            300,
            progressive(1024 * scale, 864 * scale, 31),
        ),
        (
            "the same, refined 95 times",
            422,
            300,
            progressive(1024 * scale, 864 * scale, 96),
        ),
        (
            "a colour profile, deflated a thousandfold",
            200,
            16,
            png(small, &profile, 200),
        ),
        (
            "64 pixels and what doesn't belong to them, deflated",
            200,
            8,
            png(small, b"", bytes),
        ),
        ("10,000 texts", 200, 8, png(small, &texts, 200)),
        ("10,000 texts of 1 MiB, deflated", 413, 40, png(small, &long, 200)),
        ("many parts of data that are empty", 200, 40, png(small, &empty, 200)),
        ("many segments that are empty", 200, 60, segments),
    ]
}
