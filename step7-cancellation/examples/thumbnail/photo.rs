// A photograph to measure with: large shapes, small ones, and noise.

use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

/// A JPEG as cameras write them, of so many pixels.
pub fn photo(width: u32, height: u32) -> Vec<u8> {
    let mut noise = 1_u32;
    let image = RgbImage::from_fn(width, height, |x, y| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let (x, y) = (x as f32, y as f32);
        let large = (x / 411.0).sin() + (y / 307.0).cos();
        let small = (x / 17.0 + large).sin() * (y / 13.0).cos();
        let grain = (noise >> 28) as f32;
        Rgb([0.0, 1.0, 2.0].map(|colour| {
            (120.0 + 40.0 * (large + colour).sin() + 25.0 * small + grain) as u8
        }))
    });
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 90);
    image.write_with_encoder(encoder).expect("memory takes it all");
    jpeg
}
