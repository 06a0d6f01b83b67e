// What could be divided of one picture, if it paid.

use std::{ops::Range, thread};

use image::{DynamicImage, GenericImageView, RgbImage, imageops::thumbnail};

/// Shrinks a photograph with a thread for each band of it: all of them read the
/// one large image, and each writes lines of the small one that are its own.
pub fn in_bands(
    image: &DynamicImage,
    width: u32,
    height: u32,
    bands: usize,
) -> DynamicImage {
    let DynamicImage::ImageRgb8(image) = image else {
        return image.thumbnail_exact(width, height);
    };
    let mut small = RgbImage::new(width, height);
    if bands == 1 {
        shrink(image, 0..image.height(), width, &mut small);
        return small.into();
    }
    let line = 3 * width as usize;
    let most = (height as usize).div_ceil(bands);
    // Where the lines of the small image begin in the large one.
    let top = |line: usize| {
        (line as u64 * u64::from(image.height()) / u64::from(height)) as u32
    };
    thread::scope(|scope| {
        let bands = small.chunks_mut(line * most);
        for (first, band) in (0..).step_by(most).zip(bands) {
            let lines = top(first)..top(first + band.len() / line);
            scope.spawn(move || shrink(image, lines, width, band));
        }
    });
    small.into()
}

// Inlined, it would be other code for one thread than for several, and nothing
// could be compared.
#[inline(never)]
fn shrink(image: &RgbImage, lines: Range<u32>, width: u32, small: &mut [u8]) {
    let part = image.view(0, lines.start, image.width(), lines.len() as u32);
    let height = small.len() as u32 / 3 / width;
    small.copy_from_slice(&thumbnail(&*part, width, height));
}
