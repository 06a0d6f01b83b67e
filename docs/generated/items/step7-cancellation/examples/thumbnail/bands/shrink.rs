// Inlined, it would be other code for one thread than for several, and nothing
// could be compared.
#[inline(never)]
fn shrink(image: &RgbImage, lines: Range<u32>, width: u32, small: &mut [u8]) {
    let part = image.view(0, lines.start, image.width(), lines.len() as u32);
    let height = small.len() as u32 / 3 / width;
    small.copy_from_slice(&thumbnail(&*part, width, height));
}
