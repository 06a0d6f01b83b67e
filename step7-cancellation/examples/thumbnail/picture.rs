// Pictures as they come: first their header, then, if there is room, all of it.

use std::{
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    sync::{Arc, Weak},
};

use actix_web::web::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits, RgbImage,
    Rgba, RgbaImage, codecs::png::PngDecoder, guess_format, imageops::overlay,
    metadata::Orientation,
};
use zune_jpeg::{ImageInfo, JpegDecoder, zune_core::options::DecoderOptions};

/// Why there is no thumbnail: a status of HTTP, and what to do.
pub type Refusal = (u16, &'static str);

pub const TOO_MANY_PIXELS: Refusal =
    (413, "There is no memory for so many pixels. Send a smaller picture.");
pub const OTHER_FORMAT: Refusal =
    (415, "This is neither a JPEG nor a PNG. Send one of these.");
pub const DAMAGED: Refusal =
    (422, "The picture is damaged, or of a rare kind. Send another.");

/// What a PNG may take beside its pixels: a colour profile, texts, a line.
const BESIDE_PIXELS: u64 = 8 << 20;

/// How many pixels a side may have. A JPEG can't have more.
const LONGEST_SIDE: u32 = 65_535;

/// A picture's bytes. To read them fails as soon as nobody asks for the picture
/// any more: that stops its decoder.
pub struct Upload {
    bytes: Cursor<Bytes>,
    asked: Weak<()>,
}

/// A picture of which nothing is decoded but the header.
pub struct Header {
    bytes: usize,
    decoder: Decoder,
}

/// A picture as its camera saw it, and how the camera was held.
pub struct Picture {
    pub image: DynamicImage,
    pub orientation: Orientation,
}

enum Decoder {
    Png(Box<PngDecoder<BufReader<Upload>>>),
    Jpeg(Box<JpegDecoder<BufReader<Upload>>>, Box<ImageInfo>),
}

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

impl Header {
    pub fn read(upload: Upload) -> Result<Self, Refusal> {
        let format = guess_format(upload.bytes.get_ref());
        let bytes = upload.bytes.get_ref().len();
        let upload = BufReader::new(upload);
        let decoder = match format {
            Ok(ImageFormat::Png) => {
                let mut limits = Limits::no_limits();
                limits.max_alloc = Some(BESIDE_PIXELS);
                let decoder = PngDecoder::with_limits(upload, limits);
                let decoder = decoder.map_err(|error| match error {
                    ImageError::Limits(_) => TOO_MANY_PIXELS,
                    _ => DAMAGED,
                })?;
                let (w, h) = decoder.dimensions();
                if w.max(h) > LONGEST_SIDE {
                    return Err(TOO_MANY_PIXELS);
                }
                Decoder::Png(Box::new(decoder))
            }
            Ok(ImageFormat::Jpeg) => {
                let options = DecoderOptions::default()
                    .set_max_width(usize::MAX)
                    .set_max_height(usize::MAX)
                    // Otherwise half a picture is decoded, and the rest grey.
                    .set_strict_mode(true);
                let mut decoder =
                    JpegDecoder::new_with_options(upload, options);
                decoder.decode_headers().map_err(|_| DAMAGED)?;
                let info = decoder.info().ok_or(DAMAGED)?;
                Decoder::Jpeg(Box::new(decoder), Box::new(info))
            }
            _ => return Err(OTHER_FORMAT),
        };
        Ok(Self { bytes, decoder })
    }

    /// How many bytes of memory it needs at most: its pixels three times, and
    /// what came twice.
    pub fn needs(&self) -> u64 {
        let pixels = match &self.decoder {
            Decoder::Png(decoder) => decoder.total_bytes(),
            // Decoded in whole blocks, and all four colours before three.
            Decoder::Jpeg(_, info) => {
                let [w, h] = [info.width, info.height]
                    .map(|side| u64::from(side).next_multiple_of(32));
                w * h * u64::from(info.components.max(3))
            }
        };
        pixels.saturating_mul(3).saturating_add(2 * self.bytes as u64)
    }

    pub fn decode(self) -> Result<Picture, Refusal> {
        match self.decoder {
            Decoder::Png(mut decoder) => {
                let orientation = decoder.orientation().map_err(|_| DAMAGED)?;
                let image = DynamicImage::from_decoder(*decoder);
                let image = image.map_err(|_| DAMAGED)?;
                Ok(Picture { image, orientation })
            }
            Decoder::Jpeg(mut decoder, info) => {
                let exif = info.exif_data.as_deref();
                let orientation = exif.and_then(Orientation::from_exif_chunk);
                let pixels = decoder.decode().map_err(|_| DAMAGED)?;
                let (w, h) = (info.width.into(), info.height.into());
                let image = RgbImage::from_raw(w, h, pixels).ok_or(DAMAGED)?;
                let orientation =
                    orientation.unwrap_or(Orientation::NoTransforms);
                Ok(Picture { image: image.into(), orientation })
            }
        }
    }
}

impl Picture {
    /// Makes it so wide, if it is wider; upright, and on white paper. `resize`
    /// is told the width and the height that it still has to be turned to.
    pub fn shrink(
        self,
        width: u32,
        resize: impl FnOnce(&DynamicImage, u32, u32) -> DynamicImage,
    ) -> DynamicImage {
        let Self { image, orientation } = self;
        let (w, h) = (image.width(), image.height());
        // From 5 on, it lies on its side.
        let ratio = match orientation.to_exif() {
            ..5 => f64::from(width) / f64::from(w),
            _ => f64::from(width) / f64::from(h),
        };
        let [w, h] = [w, h].map(|side| {
            ((f64::from(side) * ratio.min(1.0)).round() as u32).max(1)
        });
        let mut small = resize(&image, w, h);
        drop(image);
        small.apply_orientation(orientation);
        if small.color().has_alpha() {
            let (w, h) = (small.width(), small.height());
            let mut paper = RgbaImage::from_pixel(w, h, Rgba([255; 4]));
            overlay(&mut paper, &small.to_rgba8(), 0, 0);
            small = paper.into();
        }
        small
    }
}
