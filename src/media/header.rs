//! Reads the first bytes of a picture: its format, its size and the memory for decoding. Also turns the decoders'
//! errors into text.

use std::io::Cursor;

use image::{
    ColorType, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::tiff::TiffDecoder, metadata::Orientation,
};

use super::{MediaError, container};
use crate::{
    disk::reason,
    text::{cut, is_unseen},
};

/// Maximum number of pixels that a picture may declare.
pub const MAX_PIXELS: u64 = 200_000_000;
/// Maximum width and height that a picture may declare, because scaling needs memory for each column and row.
pub const MAX_SIDE_PX: u32 = 1_000_000;
/// Maximum file size; 200 megapixels of uncompressed RGBA fit.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
/// Maximum memory that a decoder may use other than for pixels: profiles, tables, rows.
pub(super) const SIDE_BYTES: u64 = 256 << 20;
/// Maximum memory that a decoder may use while it reads the header, because a colour profile of a few kilobytes may
/// decompress to gigabytes. Large enough for a row of [`MAX_SIDE_PX`].
const HEADER_BYTES: u64 = 32 << 20;
/// Bytes of an RGBA8 pixel.
pub(super) const RGBA_BYTES: u64 = 4;
/// Maximum length of a decoder's reason in a message.
/// What to do with a format that is not read.
const CONVERT: &str = "; convert it to JPEG or PNG first";
const MAX_REASON_CHARS: usize = 120;

/// Facts about a picture that its header contains.
pub(super) struct Header<'a> {
    pub format: ImageFormat,
    pub decoder: Box<dyn ImageDecoder + 'a>,
    /// At most [`MAX_PIXELS`].
    pub pixels: u64,
    pub orientation: Orientation,
    /// Only for a JPEG.
    pub jpeg: Option<container::JpegLook>,
    pub cmyk: bool,
    /// Pixels of a GIF's frame, which may be larger than the picture.
    pub gif_frame_pixels: u64,
    /// Size of the pixels in the file's own format.
    pub decoded_bytes: u64,
}

impl<'a> Header<'a> {
    pub fn read(name: &str, bytes: &'a [u8]) -> Result<Self, MediaError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(MediaError::TooManyBytes {
                name: name.to_owned(),
                limit_mb: MAX_FILE_BYTES >> 20,
            });
        }
        let format = format_of(name, bytes)?;
        let jpeg = (format == ImageFormat::Jpeg).then(|| container::look_at_jpeg(bytes));
        let kind = match jpeg {
            Some(look) => look.unsupported(),
            None => container::unsupported_png(bytes).filter(|_| format == ImageFormat::Png),
        };
        if let Some(kind) = kind {
            return Err(MediaError::Unsupported {
                name: name.to_owned(),
                format: format_name(format).to_owned(),
                reason: kind.to_owned(),
            });
        }
        // The PNG decoder reserves memory for a row before it reports the size.
        if format == ImageFormat::Png
            && let Some(size) = png_size(bytes)
        {
            checked_pixels(name, format, size)?;
        }
        let mut decoder =
            open(format, bytes).map_err(|error| from_image_error(name, format, error))?;
        let pixels = checked_pixels(name, format, decoder.dimensions())?;
        if format == ImageFormat::Png && container::png_end(bytes) == container::PngEnd::Cut {
            return Err(damaged(name, format, "it ends too early"));
        }
        if format == ImageFormat::WebP && !container::webp_is_whole(bytes) {
            let reason = "it ends in the middle of the image, or part of it is damaged";
            return Err(damaged(name, format, reason));
        }
        let sizes_agree = match format {
            ImageFormat::WebP => container::webp_sizes_agree(bytes),
            ImageFormat::Tiff => container::tiff_sizes_agree(bytes, pixels),
            _ => true,
        };
        if !sizes_agree {
            let reason = "a part of it does not have its declared size";
            return Err(damaged(name, format, reason));
        }
        let original = decoder.original_color_type();
        let cmyk = jpeg.is_some_and(|look| look.components == 4)
            || matches!(original, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16);
        let gif_frame_pixels = match format {
            ImageFormat::Gif => container::gif_frame_pixels(bytes).unwrap_or(0).max(pixels),
            _ => 0,
        };
        let bytes_per_pixel = u64::from(original.bits_per_pixel().div_ceil(8));
        Ok(Self {
            format,
            pixels,
            // Damaged metadata is no reason to refuse the picture.
            orientation: decoder.orientation().unwrap_or(Orientation::NoTransforms),
            jpeg,
            cmyk,
            gif_frame_pixels,
            decoded_bytes: decoder.total_bytes().max(pixels * bytes_per_pixel),
            decoder,
        })
    }

    /// Peak memory of reading, in addition to the file itself of `file_bytes`.
    pub fn peak_bytes(&self, file_bytes: u64) -> u64 {
        let (pixels, decoded) = (self.pixels, self.decoded_bytes);
        let rgba = RGBA_BYTES * pixels;
        // Memory of the decoder in addition to its output.
        let beside = match self.format {
            // A copy of the file, and 16-bit coefficients of all components if these come in several scans.
            ImageFormat::Jpeg => {
                let look = self.jpeg.unwrap_or_default();
                let kept = if look.keeps_coefficients { 2 } else { 0 };
                file_bytes + kept * u64::from(look.components) * pixels
            }
            // The transparency or a second copy of the picture, its planes, and the compressed pixels.
            ImageFormat::WebP => 5 * pixels + file_bytes,
            // The pixels as stored.
            ImageFormat::Tiff => decoded,
            // The frame before it is drawn onto the canvas.
            ImageFormat::Gif => RGBA_BYTES * self.gif_frame_pixels,
            _ => 0,
        };
        let decoding = if becomes_rgba_in_place(self.decoder.color_type()) {
            rgba + beside
        } else {
            decoded + rgba.max(beside)
        };
        let turned = matches!(
            self.orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        decoding.max(if turned { 2 * rgba } else { 0 })
    }
}

/// Whether pixels of this type are decoded into the memory of the RGBA picture.
pub(super) fn becomes_rgba_in_place(color: ColorType) -> bool {
    matches!(color, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8)
}

/// Width and height in the first chunk of a PNG.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = bytes.get(16..)?.split_first_chunk()?;
    let height = rest.first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// The number of pixels, if it is within the limits.
fn checked_pixels(
    name: &str,
    format: ImageFormat,
    (width, height): (u32, u32),
) -> Result<u64, MediaError> {
    match u64::from(width) * u64::from(height) {
        0 => Err(damaged(name, format, "it declares an image without pixels")),
        _ if width.max(height) > MAX_SIDE_PX => {
            Err(MediaError::TooLong { name: name.to_owned(), width, height })
        }
        pixels if pixels <= MAX_PIXELS => Ok(pixels),
        _ => Err(MediaError::TooManyPixels { name: name.to_owned(), width, height }),
    }
}

pub(super) fn damaged(name: &str, format: ImageFormat, reason: &str) -> MediaError {
    MediaError::Damaged {
        name: name.to_owned(),
        format: format_name(format).to_owned(),
        reason: reason.to_owned(),
    }
}

/// The format by the first bytes, if it can be read.
pub(super) fn format_of(name: &str, bytes: &[u8]) -> Result<ImageFormat, MediaError> {
    let unknown = |found: &str| {
        Err(MediaError::UnknownFormat { name: name.to_owned(), found: found.to_owned() })
    };
    if bytes.is_empty() {
        return unknown("it is empty");
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Png
            | ImageFormat::Jpeg
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Tiff
            | ImageFormat::Gif),
        ) => Ok(format),
        Ok(other) => unknown(&format!("it is {}{CONVERT}", format_name(other))),
        Err(_) => match container::foreign_format(bytes) {
            Some(what) => unknown(&format!("it is {what}{CONVERT}")),
            None => unknown("its first bytes match no supported format"),
        },
    }
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Gif => "GIF",
        ImageFormat::Ico => "an icon (ICO)",
        ImageFormat::Avif => "AVIF",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Hdr => "Radiance HDR",
        _ => "another picture format",
    }
}

/// A decoder that has read the header within [`HEADER_BYTES`].
fn open(format: ImageFormat, bytes: &[u8]) -> Result<Box<dyn ImageDecoder + '_>, ImageError> {
    if format == ImageFormat::Tiff {
        // With limits this decoder restricts a profile to the size of the pixels. Its own defaults (256 MB) apply until
        // the profile is read.
        return Ok(Box::new(TiffDecoder::new(Cursor::new(bytes))?));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits(HEADER_BYTES));
    Ok(Box::new(reader.into_decoder()?))
}

pub(super) fn limits(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

pub(super) fn from_image_error(name: &str, format: ImageFormat, error: ImageError) -> MediaError {
    match error {
        ImageError::Unsupported(e) => MediaError::Unsupported {
            name: name.to_owned(),
            format: format_name(format).to_owned(),
            reason: in_short(&e.to_string()),
        },
        ImageError::Limits(_) => {
            damaged(name, format, "it needs more memory than an image of its size should")
        }
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            damaged(name, format, "it ends in the middle of the image")
        }
        ImageError::IoError(e) => damaged(name, format, &reason(&e)),
        other => {
            // Without the decoder's prefix, which repeats the format.
            let detail = std::error::Error::source(&other).map(ToString::to_string);
            let detail = in_short(&detail.unwrap_or_else(|| other.to_string()));
            let why = format!("a part of it is missing or invalid (\u{201c}{detail}\u{201d})");
            damaged(name, format, &why)
        }
    }
}

/// A decoder's message as a part of a sentence: without line breaks and control characters, and truncated before text
/// from the file.
fn in_short(words: &str) -> String {
    let seen = words.replace(is_unseen, " ");
    let words: Vec<&str> = seen.split_whitespace().collect();
    let words = words.join(" ");
    cut(words.trim_end_matches('.'), MAX_REASON_CHARS).into_owned()
}
