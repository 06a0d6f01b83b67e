/// The whole job: one thread reads, decodes, shrinks, turns and encodes.
fn shrink(
    upload: Upload,
    width: u32,
    doors: &Doors,
) -> Result<Vec<u8>, Refusal> {
    let header = Header::read(upload)?;
    let memory = doors.take(&header)?;
    let small = header.decode()?.shrink(width, |image, width, height| {
        in_bands(image, width, height, doors.bands)
    });
    drop(memory);
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new(&mut jpeg);
    small.write_with_encoder(encoder).map_err(|_| DAMAGED)?;
    Ok(jpeg)
}
