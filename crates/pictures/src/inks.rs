//! The inks of CMYK pictures: cyan, magenta, yellow and black, a byte each, 255 for all of an ink.

use image::ImageResult;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    container::look_at_jpeg,
    foreign::{from_ycbcr, invalid},
};

/// Reads the inks of a JPEG of four components.
pub(super) fn read_jpeg(bytes: &[u8], inks: &mut [u8]) -> ImageResult<()> {
    let adobe = look_at_jpeg(bytes).adobe;
    let is_ycck = adobe == Some(2);
    let stored = if is_ycck { ColorSpace::YCCK } else { ColorSpace::CMYK };
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(stored);
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode_into(inks)
        .map_err(|error| invalid(&error.to_string()))?;
    for pixel in inks.as_chunks_mut::<4>().0 {
        if is_ycck {
            let [y, cb, cr, k] = pixel.map(f32::from);
            // RGB are the complements of the stored CMY.
            let rgb = from_ycbcr(y, cb - 128.0, cr - 128.0);
            let [c, m, y] = rgb.map(|level| 255 - level.round() as u8);
            *pixel = [c, m, y, k as u8];
        }
        if adobe.is_some() {
            *pixel = pixel.map(|ink| 255 - ink);
        }
    }
    Ok(())
}

/// Converts inks to opaque RGBA, as if each held back its colour of light.
pub(super) fn convert_without_profile(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let [c, m, y, k] = pixel.map(|ink| 255 - u32::from(ink));
        let [r, g, b] = [c, m, y].map(|light| ((light * k + 127) / 255) as u8);
        *pixel = [r, g, b, 255];
    }
}
