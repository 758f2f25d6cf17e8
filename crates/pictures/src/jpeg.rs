//! Decodes the pixels of JPEG files.

use image::ImageResult;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    clock::{Clock, Steps},
    container::look_at_jpeg,
    foreign::{from_ycbcr, invalid},
};

/// Reads grey or red, green and blue.
pub(super) fn read(
    bytes: &[u8],
    is_gray: bool,
    pixels: &mut [u8],
    clock: &Clock<'_>,
) -> ImageResult<()> {
    let colors = if is_gray { ColorSpace::Luma } else { ColorSpace::RGB };
    decode(bytes, colors, pixels, clock)
}

/// Reads the inks of a JPEG of four components: a byte each, 255 for all of an ink.
pub(super) fn read_inks(bytes: &[u8], inks: &mut [u8], clock: &Clock<'_>) -> ImageResult<()> {
    let adobe = look_at_jpeg(bytes).adobe;
    let is_ycck = adobe == Some(2);
    let stored = if is_ycck { ColorSpace::YCCK } else { ColorSpace::CMYK };
    decode(bytes, stored, inks, clock)?;
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

fn decode(
    bytes: &[u8],
    colors: ColorSpace,
    pixels: &mut [u8],
    clock: &Clock<'_>,
) -> ImageResult<()> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(colors);
    let mut decoder = JpegDecoder::new_with_options(Steps::new(bytes, clock), options);
    decoder.decode_into(pixels).map_err(|error| invalid(&error.to_string()))
}
