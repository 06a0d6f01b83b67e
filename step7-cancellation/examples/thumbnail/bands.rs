// What could be divided of one picture, if it paid.

use std::thread;

use image::{DynamicImage, GenericImageView, RgbImage, imageops::thumbnail};

/// Shrinks a photograph with a thread for each band of it: all of them read the
/// one large image, and each writes lines of the small one that are its own.
pub fn in_bands(
    image: &DynamicImage,
    width: u32,
    height: u32,
    bands: usize,
) -> DynamicImage {
    let image = match image {
        DynamicImage::ImageRgb8(image) if bands > 1 => image,
        _ => return image.thumbnail_exact(width, height),
    };
    let mut small = RgbImage::new(width, height);
    let line = 3 * width as usize;
    let lines = (height as usize).div_ceil(bands);
    // Which line of the large image is the first for this line.
    let top = |line: usize| {
        let line = line.min(height as usize) as u64;
        (line * u64::from(image.height()) / u64::from(height)) as u32
    };
    thread::scope(|scope| {
        let bands = small.chunks_mut(line * lines);
        for (first, band) in (0..).step_by(lines).zip(bands) {
            scope.spawn(move || {
                let (from, to) = (top(first), top(first + lines));
                let part = image.view(0, from, image.width(), to - from);
                let lines = (band.len() / line) as u32;
                band.copy_from_slice(&thumbnail(&*part, width, lines));
            });
        }
    });
    small.into()
}
