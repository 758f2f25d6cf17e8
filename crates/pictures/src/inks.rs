//! The inks of CMYK pictures: cyan, magenta, yellow and black, a byte each, 255 for all of an ink.

/// Converts inks to opaque RGBA, as if each held back its colour of light.
pub(super) fn convert_without_profile(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let [c, m, y, k] = pixel.map(|ink| 255 - u32::from(ink));
        let [r, g, b] = [c, m, y].map(|light| ((light * k + 127) / 255) as u8);
        *pixel = [r, g, b, 255];
    }
}
