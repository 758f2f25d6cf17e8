//! Writes TIFF with a colour profile and metadata.

use std::io::{self, Seek, Write};

use image::ImageError;
use tiff::{
    TiffError,
    encoder::{Rational, TiffEncoder, TiffValue, colortype::ColorType as TiffColor},
    tags::{ResolutionUnit, Tag},
};

use super::{
    color,
    metadata::Header,
    tiff::{IPTC, XMP},
};

/// Writes pixels of type `C`, in sRGB if there is no profile.
pub(super) fn write_tiff<C: TiffColor>(
    writer: impl Write + Seek,
    Header { icc, metadata, size: (width, height), .. }: Header<'_>,
    pixels: &[C::Inner],
) -> Result<(), ImageError>
where
    [C::Inner]: TiffValue,
{
    let failed = |error: TiffError| match error {
        TiffError::IoError(error) => ImageError::IoError(error),
        other => ImageError::IoError(io::Error::other(other)),
    };
    let mut tiff = TiffEncoder::new(writer).map_err(failed)?;
    let mut image = tiff.new_image::<C>(width, height).map_err(failed)?;
    if let Some(dpi) = metadata.dpi {
        image.resolution(ResolutionUnit::Inch, Rational { n: dpi.into(), d: 1 });
    }
    let directory = image.encoder();
    let parts = [
        (Tag::IccProfile, icc.or_else(color::srgb_profile)),
        (XMP, metadata.xmp.clone()),
        (IPTC, metadata.iptc.clone()),
    ];
    for (tag, data) in parts {
        if let Some(data) = data {
            directory.write_tag(tag, &data[..]).map_err(failed)?;
        }
    }
    for (tag, text) in metadata.texts() {
        // The encoder refuses other letters.
        let text = String::from_utf8_lossy(text).replace('©', "(c)");
        let ascii = |letter: char| if letter.is_ascii() { letter } else { '?' };
        let text: String = text.trim_end_matches('\0').chars().map(ascii).collect();
        let text = text.replace('\0', " ");
        directory.write_tag(Tag::from_u16_exhaustive(tag), text.as_str()).map_err(failed)?;
    }
    image.write_data(pixels).map_err(failed)
}
