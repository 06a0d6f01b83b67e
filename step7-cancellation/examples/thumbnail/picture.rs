// Pictures as they come: first their header, then, if there is room, all of it.

use std::{
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    sync::{Arc, Weak},
};

use crate::http::{DAMAGED, OTHER_FORMAT, Refusal, TOO_MUCH_MEMORY};
use actix_web::web::Bytes;
use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat,
    Limits, Pixel, RgbImage, Rgba,
    codecs::{jpeg::JpegEncoder, png::PngDecoder},
    guess_format,
    metadata::Orientation,
};
use zune_jpeg::{JpegDecoder, zune_core::options::DecoderOptions};

/// What a PNG may take beside its pixels: a colour profile, texts, a line.
const BESIDE_PIXELS: u64 = 8 << 20;

/// How many pixels a side may have. A JPEG can't have more.
const LONGEST_SIDE: u32 = 65_535;

/// How often a progressive JPEG may refine its pixels. Photographs do ten times.
const MOST_SCANS: usize = 32;

/// A picture's bytes. To read them fails as soon as nobody asks for the picture
/// any more: that stops its decoder.
pub struct Upload {
    bytes: Cursor<Bytes>,
    asked: Weak<()>,
}

/// A picture of which nothing is decoded but the header.
pub struct Picture {
    /// How many bytes of memory it needs at most.
    pub needs: u64,
    decode: Decode,
}

/// Gives a picture as its camera saw it, and how the camera was held.
type Decode = Box<dyn FnOnce() -> Result<(DynamicImage, Orientation), Refusal>>;

impl Upload {
    /// It is asked for as long as `asks` lives.
    pub fn new(bytes: Bytes, asks: &Arc<()>) -> Self {
        let asked = Arc::downgrade(asks);
        Self { bytes: Cursor::new(bytes), asked }
    }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.asked.strong_count() {
            0 => Err(io::Error::other("nobody asks for it any more")),
            _ => self.bytes.read(buffer),
        }
    }
}

impl Seek for Upload {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}

impl Picture {
    pub fn open(upload: Upload) -> Result<Self, Refusal> {
        let came = upload.bytes.get_ref().len() as u64;
        let (pixels, decode) = match guess_format(upload.bytes.get_ref()) {
            Ok(ImageFormat::Png) => png(upload)?,
            Ok(ImageFormat::Jpeg) => jpeg(upload)?,
            _ => return Err(OTHER_FORMAT),
        };
        let needs = pixels.saturating_mul(3).saturating_add(2 * came);
        Ok(Self { needs, decode })
    }

    pub fn decode(self) -> Result<(DynamicImage, Orientation), Refusal> {
        (self.decode)()
    }
}

/// How many bytes its pixels are, and how to get them.
fn png(upload: Upload) -> Result<(u64, Decode), Refusal> {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(BESIDE_PIXELS);
    let decoder = PngDecoder::with_limits(BufReader::new(upload), limits);
    let mut decoder = decoder.map_err(|error| match error {
        ImageError::Limits(_) => TOO_MUCH_MEMORY,
        _ => DAMAGED,
    })?;
    let pixels = decoder.total_bytes();
    let decode = move || {
        let orientation = decoder.orientation().map_err(|_| DAMAGED)?;
        let image = DynamicImage::from_decoder(decoder);
        Ok((image.map_err(|_| DAMAGED)?, orientation))
    };
    Ok((pixels, Box::new(decode)))
}

fn jpeg(upload: Upload) -> Result<(u64, Decode), Refusal> {
    let options = DecoderOptions::default()
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        // Each may go over all of the picture, and cost a handful of bytes.
        .jpeg_set_max_scans(MOST_SCANS)
        // Otherwise half a picture is decoded, and the rest grey.
        .set_strict_mode(true);
    let upload = BufReader::new(upload);
    let mut decoder = JpegDecoder::new_with_options(upload, options);
    decoder.decode_headers().map_err(|_| DAMAGED)?;
    let info = decoder.info().ok_or(DAMAGED)?;
    // Decoded in whole blocks, and all four colours before three.
    let [w, h] = [info.width, info.height]
        .map(|side| u64::from(side).next_multiple_of(32));
    let pixels = w * h * u64::from(info.components.max(3));
    let decode = move || {
        let exif = info.exif_data.as_deref();
        let orientation = exif.and_then(Orientation::from_exif_chunk);
        let rgb = decoder.decode().map_err(|_| DAMAGED)?;
        let (w, h) = (info.width.into(), info.height.into());
        let image = RgbImage::from_raw(w, h, rgb).ok_or(DAMAGED)?;
        let orientation = orientation.unwrap_or(Orientation::NoTransforms);
        Ok((image.into(), orientation))
    };
    Ok((pixels, Box::new(decode)))
}

/// The size to shrink an image to, which is then to be turned: so wide, if it
/// is wider.
pub fn size(
    image: &DynamicImage,
    orientation: Orientation,
    width: u32,
) -> (u32, u32) {
    let (w, h) = image.dimensions();
    // From 5 on, it lies on its side.
    let wide = if orientation.to_exif() < 5 { w } else { h };
    let ratio = (f64::from(width) / f64::from(wide)).min(1.0);
    let shrunk = |side| ((f64::from(side) * ratio).round() as u32).max(1);
    (shrunk(w), shrunk(h))
}

/// A JPEG of it; what is clear in it is white paper.
pub fn encode(mut image: DynamicImage) -> Result<Vec<u8>, Refusal> {
    if image.color().has_alpha() {
        let (w, h) = image.dimensions();
        image = RgbImage::from_fn(w, h, |x, y| {
            let mut paper = Rgba([255; 4]);
            paper.blend(&image.get_pixel(x, y));
            paper.to_rgb()
        })
        .into();
    }
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new(&mut jpeg);
    image.write_with_encoder(encoder).map_err(|_| DAMAGED)?;
    Ok(jpeg)
}
