//! How much of a JPEG is missing.
//!
//! Where data is missing the decoder reports nothing: at the end of the file it paints the rest grey, and
//! behind an end marker that comes too early it decodes zeros. So a picture whose last rows repeat is decoded
//! once more, strictly and without the end marker: whole data still decodes to the end, and otherwise the rows
//! without data are counted. What was overwritten is told by [`entropy`].

use std::fmt::{self, Display, Formatter};

use image::{ImageError, RgbaImage};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{container::JpegLook, entropy, in_place::in_place};

/// The level that a decoder gives for missing data.
const NO_DATA: [u8; 4] = [128, 128, 128, 255];
/// Rows of the largest blocks that are decoded together.
const BLOCK_ROWS: usize = 16;
/// Bytes that the decoder reads ahead of what it needs; twice as many as it can hold.
const AHEAD_BYTES: usize = 16;

/// The missing part of a picture; shown as a note.
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
    /// The file is as long as it should be, but something else was written over a part of it.
    Garbled,
}

impl Display for Loss {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("the whole picture is missing"),
            Self::Cut(percent) => {
                write!(f, "the file ends early: about {percent} % of the picture is missing")
            }
            Self::Damaged(percent) => {
                write!(f, "the file is damaged: about {percent} % of the picture is missing")
            }
            Self::Detail => f.write_str("the file ends early: some of the picture may be missing"),
            Self::Garbled => f.write_str("the file is damaged: some of the picture may look wrong"),
        }
    }
}

/// The missing part of the JPEG in `bytes`, which was decoded to `picture`. The missing part is grey
/// afterwards.
///
/// # Errors
/// The decoder's, when it does not decode a second time what it decoded before.
pub(super) fn of_jpeg(
    bytes: &[u8],
    look: JpegLook,
    picture: &mut RgbaImage,
) -> Result<Option<Loss>, ImageError> {
    let missing = missing(bytes, look, picture)?;
    Ok(missing.or_else(|| entropy::is_garbled(bytes).then_some(Loss::Garbled)))
}

/// What is missing, by the rows at the bottom.
fn missing(
    bytes: &[u8],
    look: JpegLook,
    picture: &mut RgbaImage,
) -> Result<Option<Loss>, ImageError> {
    if !look.has_data {
        return Ok(Some(Loss::Everything));
    }
    // Of a progressive JPEG it is not known how many scans there were.
    let detail = look.end.is_none().then_some(Loss::Detail);
    let rows = u64::from(picture.height());
    let why = if look.keeps_coefficients {
        detail.map(|_| Stop::End)
    } else if detail.is_some() || repeats_itself(picture) {
        let data = bytes.get(..look.end.unwrap_or(bytes.len()));
        stop([data.unwrap_or(bytes), &[0; AHEAD_BYTES]].concat(), picture)?
    } else {
        None
    };
    let Some(why) = why else {
        return Ok(detail);
    };
    let empty_rows = empty_rows(picture);
    let percent = (100 * empty_rows).div_ceil(rows.max(1));
    Ok(match why {
        _ if empty_rows == rows => Some(Loss::Everything),
        _ if empty_rows == 0 => detail,
        Stop::End => Some(Loss::Cut(percent)),
        Stop::Nonsense => Some(Loss::Damaged(percent)),
    })
}

/// Whether the last row is as the one of the blocks above it, as it is where there was no data.
fn repeats_itself(picture: &RgbaImage) -> bool {
    let row_bytes = 4 * picture.width() as usize;
    let bytes: &[u8] = picture;
    let mut rows = bytes.rchunks(row_bytes.max(1));
    let last = rows.next();
    rows.nth(BLOCK_ROWS - 1).is_none_or(|above| Some(above) == last)
}

/// Rows at the bottom for which there was no data.
fn empty_rows(picture: &RgbaImage) -> u64 {
    let mut rows = picture.rows().rev();
    let first_full = rows.position(|mut row| !row.all(|pixel| pixel.0 == NO_DATA));
    first_full.map_or(u64::from(picture.height()), |row| row as u64)
}

/// Why a decoding stops in the middle.
enum Stop {
    /// There is no more data.
    End,
    /// The data makes no sense.
    Nonsense,
}

/// Why a strict decoding of `data` stops in the middle; `None` when it reaches the end. Decodes into `picture`,
/// so that it takes no further memory, and leaves a lenient decoding there.
fn stop(data: Vec<u8>, picture: &mut RgbaImage) -> Result<Option<Stop>, ImageError> {
    let mut decode = |strict: bool| {
        let lenient = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data.as_slice()), lenient);
        // Only of the pixels something can be missing.
        decoder.decode_headers()?;
        let (colors, channels) = match decoder.input_colorspace() {
            Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
            _ => (ColorSpace::RGB, 3),
        };
        decoder.set_options(lenient.set_strict_mode(strict).jpeg_set_out_colorspace(colors));
        in_place(picture, channels, |pixels| decoder.decode_into(pixels))
    };
    let Err(error) = decode(true) else {
        return Ok(None);
    };
    decode(false).map_err(|e| {
        ImageError::Decoding(image::error::DecodingError::new(image::ImageFormat::Jpeg.into(), e))
    })?;
    let words = error.to_string();
    let is_end = ["Premature", "xhausted"];
    Ok(Some(if is_end.iter().any(|word| words.contains(word)) {
        Stop::End
    } else {
        Stop::Nonsense
    }))
}
