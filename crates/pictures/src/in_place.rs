//! Expands pixels with fewer channels to RGBA in place.

use image::RgbaImage;

/// Lets `decode` fill the start of `picture` with pixels of `channels` channels, and expands them to RGBA.
pub(super) fn in_place<E>(
    picture: &mut RgbaImage,
    channels: usize,
    decode: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let bytes: &mut [u8] = picture;
    let decoded = channels * (bytes.len() / 4);
    decode(&mut bytes[..decoded])?;
    spread(bytes, channels);
    Ok(())
}

/// Expands pixels of `channels` channels at the start of `bytes` to RGBA. Goes from the last pixel to the first,
/// because a pixel is never stored after its RGBA.
fn spread(bytes: &mut [u8], channels: usize) {
    for index in (0..bytes.len() / 4).rev() {
        let pixel = match bytes[channels * index..channels * (index + 1)] {
            [l] => [l, l, l, 255],
            [l, a] => [l, l, l, a],
            [r, g, b] => [r, g, b, 255],
            _ => return,
        };
        bytes[4 * index..4 * (index + 1)].copy_from_slice(&pixel);
    }
}
