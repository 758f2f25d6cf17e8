//! How much of a JPEG is missing.
//!
//! The decoder paints what it cannot decode in the grey of a file without data, and says nothing. So
//! the rows of that grey at the bottom are counted where the file ends early, or where a second, strict
//! decoding stops in the middle; a picture that is grey there by itself is decoded strictly to its end.

use std::fmt::{self, Display, Formatter};

use image::{ImageError, RgbaImage};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::decode::in_place;

/// What a decoder makes of no data.
const NO_DATA: [u8; 4] = [128, 128, 128, 255];

/// What of a picture is missing; shown as a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// All of it.
    Everything,
    /// The file ends early, and so many percent of the rows are missing.
    Cut(u64),
    /// The data makes no sense from some place on, and so many percent of the rows are missing.
    Damaged(u64),
    /// The file ends early, but there is something in every row.
    Detail,
}

impl Display for Loss {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("the whole picture is missing"),
            Self::Cut(percent) => write!(
                f,
                "the file ends early: about {percent} % of the picture is missing"
            ),
            Self::Damaged(percent) => write!(
                f,
                "the file is damaged: about {percent} % of the picture is missing"
            ),
            Self::Detail => f.write_str("the file ends early: some of the picture may be missing"),
        }
    }
}

/// What is missing of the JPEG in `bytes`, which was decoded to `picture`; `is_complete` tells whether
/// its end is there. `picture` is the same afterwards.
///
/// # Errors
/// The decoder's, when it does not decode a second time what it decoded before.
pub(super) fn of_jpeg(
    bytes: &[u8],
    is_complete: bool,
    picture: &mut RgbaImage,
) -> Result<Option<Loss>, ImageError> {
    let empty_rows = empty_rows(picture);
    if empty_rows == 0 {
        return Ok((!is_complete).then_some(Loss::Detail));
    }
    let why = match is_complete {
        true => strictly(bytes, picture)?,
        false => Some(Loss::Cut as fn(u64) -> Loss),
    };
    let rows = u64::from(picture.height());
    Ok(why.map(|why| match empty_rows == rows {
        true => Loss::Everything,
        false => why((100 * empty_rows).div_ceil(rows)),
    }))
}

/// Rows at the bottom for which there was no data.
fn empty_rows(picture: &RgbaImage) -> u64 {
    let mut rows = picture.rows().rev();
    let first_full = rows.position(|mut row| !row.all(|pixel| pixel.0 == NO_DATA));
    first_full.map_or(u64::from(picture.height()), |row| row as u64)
}

/// Why a strict decoding stops in the middle; `None` when it comes to the end. Decodes into `picture`,
/// so that it takes no further memory, and leaves there what a lenient decoding makes.
fn strictly(bytes: &[u8], picture: &mut RgbaImage) -> Result<Option<fn(u64) -> Loss>, ImageError> {
    let mut decode = |strict: bool| {
        let lenient = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), lenient);
        // Of the headers nothing is lost that matters.
        decoder.decode_headers()?;
        let (colors, channels) = match decoder.input_colorspace() {
            Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
            _ => (ColorSpace::RGB, 3),
        };
        decoder.set_options(
            lenient
                .set_strict_mode(strict)
                .jpeg_set_out_colorspace(colors),
        );
        in_place(picture, channels, |pixels| decoder.decode_into(pixels))
    };
    let Err(error) = decode(true) else {
        return Ok(None);
    };
    decode(false).map_err(|e| {
        ImageError::Decoding(image::error::DecodingError::new(
            image::ImageFormat::Jpeg.into(),
            e,
        ))
    })?;
    let ends_early = error.to_string().contains("Premature end");
    Ok(Some(if ends_early { Loss::Cut } else { Loss::Damaged }))
}
