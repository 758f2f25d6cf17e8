//! Pixels of fewer channels become RGBA in the memory that they were decoded into.

use image::RgbaImage;

/// Lets `decode` fill the front of `picture` with pixels of `channels` channels, and makes RGBA of
/// them.
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

/// Makes RGBA of pixels of `channels` channels that lie at the front of `bytes`: from the last to the
/// first, because a pixel never lies behind its RGBA.
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
