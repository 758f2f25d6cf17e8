//! Reads the first bytes of a picture: its format, its size and the memory for decoding. Also turns the decoders'
//! errors into text.

use std::io::Cursor;

use image::{
    ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult,
    error::UnsupportedErrorKind, metadata::Orientation,
};

#[cfg(feature = "jxl")]
use super::jxl;
use super::{
    ReadProblem, avif,
    clock::{Clock, Steps},
    container,
    foreign::{Opened, Pixels, is_sideways, unsupported},
    heic, jpeg,
    kind::{Kind, MAX_PIXELS, limits},
    tiff,
};
use values::{
    disk::reason,
    text::{cut, is_unseen},
};

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
/// What to do with a format that is not read.
const CONVERT: &str = "; convert it to JPEG or PNG first";
/// What to do with a video that has no name, or that of a picture.
const NAME_IT: &str = "it is a video; give its file a name that ends in .mp4, .mov, .mkv or .webm, and open that file";
/// Maximum length of a decoder's reason in a message.
const MAX_REASON_CHARS: usize = 120;

/// Facts about a picture that its header contains.
pub(super) struct Header<'a> {
    pub format: Kind,
    pub opened: Opened<'a>,
    /// At most [`MAX_PIXELS`].
    pub pixels: u64,
    /// Only for a JPEG.
    pub jpeg: Option<container::JpegLook>,
    /// Size of the pixels in the file's own format.
    pub decoded_bytes: u64,
}

impl<'a> Header<'a> {
    pub fn read(bytes: &'a [u8], clock: &'a Clock<'a>) -> Result<Self, ReadProblem> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ReadProblem::TooManyBytes);
        }
        let format = format_of(bytes)?;
        if format == Kind::Heic && heic::converter().is_none() {
            return Err(ReadProblem::NeedsConverter);
        }
        if format == Kind::JpegXl && cfg!(not(feature = "jxl")) {
            return Err(ReadProblem::NoJpegXl);
        }
        let look = (format == Kind::Jpeg).then(|| container::look_at_jpeg(bytes));
        let kind = match look {
            Some(look) => look.unsupported(),
            None => container::unsupported_png(bytes).filter(|_| format == Kind::Png),
        };
        if let Some(kind) = kind {
            return Err(from_image_error(format, unsupported(kind.to_owned())));
        }
        // The PNG decoder reserves memory for a row before it reports the size.
        if format == Kind::Png
            && let Ok(info) = png::Decoder::new(Cursor::new(bytes)).read_header_info()
        {
            checked_pixels(format, info.size())?;
        }
        let opened = clock.checked(open(format, bytes, clock));
        let mut opened = opened.map_err(|error| from_image_error(format, error))?;
        let pixels = checked_pixels(format, opened.size)?;
        if format == Kind::Png && container::png_end(bytes) == container::PngEnd::Cut {
            return Err(damaged(format, "it ends too early"));
        }
        if format == Kind::WebP && !container::webp_is_whole(bytes) {
            return Err(damaged(
                format,
                "it ends in the middle of the image, or part of it is damaged",
            ));
        }
        if format == Kind::WebP && !container::webp_sizes_agree(bytes) {
            return Err(damaged(format, "a part of it does not have its declared size"));
        }
        if let Some(look) = look {
            opened.is_cmyk = look.components == 4;
            if opened.is_cmyk {
                opened.pixels = Pixels { channels: 4, sample_bytes: 1 };
            }
            let (is_cmyk, is_gray) = (opened.is_cmyk, opened.pixels.is_gray());
            opened.read = Box::new(move |pixels: &mut [u8], _| {
                if is_cmyk {
                    jpeg::read_inks(bytes, pixels, clock)
                } else {
                    jpeg::read(bytes, is_gray, pixels, clock)
                }
            });
        }
        opened.frame_pixels = opened.frame_pixels.max(pixels);
        let pixel_bytes = opened.stored_pixel_bytes.max(opened.pixels.bytes() as u64);
        Ok(Self { format, pixels, jpeg: look, decoded_bytes: pixels * pixel_bytes, opened })
    }

    /// Peak memory of reading, in addition to the file itself of `file_bytes`.
    pub fn peak_bytes(&self, file_bytes: u64) -> u64 {
        let (pixels, decoded) = (self.pixels, self.decoded_bytes);
        let rgba = RGBA_BYTES * pixels;
        // Memory of the decoder in addition to its output.
        let beside = match self.format {
            // A copy of the file, and 16-bit coefficients of all components if these come in several scans.
            Kind::Jpeg => {
                let look = self.jpeg.unwrap_or_default();
                let kept = if look.keeps_coefficients { 2 } else { 0 };
                file_bytes + kept * u64::from(look.components) * pixels
            }
            // The transparency or a second copy of the picture, its planes, and the compressed pixels.
            Kind::WebP => 5 * pixels + file_bytes,
            // The pixels as stored, and a copy of the file if its tags are changed.
            Kind::Tiff => decoded + self.opened.copied_bytes,
            // The frame before it is drawn onto the canvas.
            Kind::Gif => RGBA_BYTES * self.opened.frame_pixels,
            // The samples of a tile, 16 bits each if there are more than 8, and what is known about each block.
            Kind::Avif => 8 * self.opened.frame_pixels + file_bytes,
            // Coefficients or samples of 32 bits, and what is known about each block.
            Kind::JpegXl => 8 * self.opened.frame_pixels,
            // The converted file, and its pixels.
            Kind::Heic => 3 * decoded,
            _ => 0,
        };
        let decoding = if self.opened.pixels.sample_bytes == 1 {
            rgba + beside
        } else {
            decoded + rgba.max(beside)
        };
        decoding.max(if is_sideways(self.opened.orientation) { 2 * rgba } else { 0 })
    }
}

/// The number of pixels, if it is within the limits.
fn checked_pixels(format: Kind, (width, height): (u32, u32)) -> Result<u64, ReadProblem> {
    match u64::from(width) * u64::from(height) {
        0 => Err(damaged(format, "it declares an image without pixels")),
        _ if width.max(height) > MAX_SIDE_PX => Err(ReadProblem::TooLong { width, height }),
        pixels if pixels <= MAX_PIXELS => Ok(pixels),
        _ => Err(ReadProblem::TooManyPixels { width, height }),
    }
}

pub(super) fn damaged(format: Kind, reason: &str) -> ReadProblem {
    ReadProblem::Damaged { format: format.name(), reason: reason.to_owned() }
}

/// The format by the first bytes, if it can be read.
pub(super) fn format_of(bytes: &[u8]) -> Result<Kind, ReadProblem> {
    let unknown = |found: &str| Err(ReadProblem::UnknownFormat(found.to_owned()));
    if bytes.is_empty() {
        return unknown("it is empty");
    }
    if let Some(kind) = Kind::of(bytes) {
        return Ok(kind);
    }
    let found = match image::guess_format(bytes) {
        Ok(ImageFormat::Ico) => Some("an icon (ICO)"),
        Ok(ImageFormat::OpenExr) => Some("OpenEXR"),
        Ok(ImageFormat::Hdr) => Some("Radiance HDR"),
        Ok(_) => Some("another picture format"),
        Err(_) => container::foreign_format(bytes),
    };
    match found {
        Some(container::A_VIDEO) => unknown(NAME_IT),
        Some(what) => unknown(&format!("it is {what}{CONVERT}")),
        None => unknown("its first bytes match no supported format"),
    }
}

/// Reads the header within [`HEADER_BYTES`].
fn open<'a>(format: Kind, bytes: &'a [u8], clock: &'a Clock<'a>) -> ImageResult<Opened<'a>> {
    let by_crate = |format| by_crate(format, bytes, clock);
    let opened = match format {
        Kind::Png => by_crate(ImageFormat::Png),
        Kind::Jpeg => by_crate(ImageFormat::Jpeg),
        Kind::WebP => by_crate(ImageFormat::WebP),
        Kind::Bmp => by_crate(ImageFormat::Bmp),
        Kind::Gif => {
            let frame_pixels = container::gif_frames(bytes).next().unwrap_or(0);
            Ok(Opened { frame_pixels, ..by_crate(ImageFormat::Gif)? })
        }
        Kind::Tiff => tiff::open(bytes, clock),
        Kind::Avif => avif::open(bytes, clock),
        #[cfg(feature = "jxl")]
        Kind::JpegXl => jxl::open(bytes, clock),
        #[cfg(not(feature = "jxl"))]
        Kind::JpegXl => Err(unsupported("JPEG XL".to_owned())),
        Kind::Heic => heic::open(bytes),
    }?;
    let frame = container::is_animated(format, bytes).then_some("frame");
    Ok(Opened { further: opened.further.or(frame), ..opened })
}

/// A picture that the image crate reads. Damaged metadata is no reason to refuse it.
fn by_crate<'a>(
    format: ImageFormat,
    bytes: &'a [u8],
    clock: &'a Clock<'a>,
) -> ImageResult<Opened<'a>> {
    let mut reader = ImageReader::with_format(Steps::new(bytes, clock), format);
    reader.limits(limits(HEADER_BYTES));
    let mut decoder = reader.into_decoder()?;
    let (size, color) = (decoder.dimensions(), decoder.color_type());
    let channels = usize::from(color.channel_count());
    let pixels = Pixels { channels, sample_bytes: usize::from(color.bytes_per_pixel()) / channels };
    let original = decoder.original_color_type();
    // The decoder allocates memory for metadata by their declared length.
    let has_metadata = format != ImageFormat::WebP || container::webp_is_whole(bytes);
    let mut part = |read: fn(&mut dyn ImageDecoder) -> ImageResult<Option<Vec<u8>>>| {
        if has_metadata { read(&mut decoder).ok().flatten() } else { None }
    };
    let icc = part(|decoder| decoder.icc_profile());
    let exif = part(|decoder| decoder.exif_metadata());
    let xmp = part(|decoder| decoder.xmp_metadata());
    let iptc = part(|decoder| decoder.iptc_metadata());
    let orientation = if has_metadata { decoder.orientation().ok() } else { None };
    let read = move |pixels: &mut [u8], max_bytes| {
        decoder.set_limits(limits(max_bytes))?;
        decoder.read_image(pixels)
    };
    Ok(Opened {
        is_cmyk: matches!(original, ExtendedColorType::Cmyk8),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        icc,
        exif,
        xmp,
        iptc,
        stored_pixel_bytes: original.bits_per_pixel().div_ceil(8).into(),
        ..Opened::new(size, pixels, Box::new(read))
    })
}

pub(super) fn from_image_error(format: Kind, error: ImageError) -> ReadProblem {
    match error {
        ImageError::Unsupported(e) => ReadProblem::Unsupported {
            format: format.name(),
            reason: match e.kind() {
                UnsupportedErrorKind::GenericFeature(what) => in_short(&what),
                _ => in_short(&e.to_string()),
            },
        },
        ImageError::Limits(_) => {
            damaged(format, "it needs more memory than an image of its size should")
        }
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            damaged(format, "it ends in the middle of the image")
        }
        ImageError::IoError(e) => damaged(format, &reason(&e)),
        other => {
            // Without the decoder's prefix, which repeats the format.
            let detail = std::error::Error::source(&other).map(ToString::to_string);
            let detail = in_short(&detail.unwrap_or_else(|| other.to_string()));
            let why = format!("a part of it is missing or invalid (\u{201c}{detail}\u{201d})");
            damaged(format, &why)
        }
    }
}

/// A decoder's message as a part of a sentence: without line breaks and control characters, and truncated before text
/// from the file.
fn in_short(words: &str) -> String {
    let seen = words.replace(is_unseen, " ");
    let words = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(words.trim_end_matches('.'), MAX_REASON_CHARS).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_build_without_a_reader_of_jpeg_xl_says_so() {
        let clock = Clock::new(&|| Duration::ZERO);
        let problem = Header::read(b"\xff\x0a", &clock).err().expect("two bytes are no picture");
        let words = match cfg!(feature = "jxl") {
            true => "is damaged and cannot be read as JPEG XL",
            false => "is a JPEG XL photo, which this build of StyleForge does not read",
        };
        assert!(problem.to_string().starts_with(words), "{problem}");
    }
}
