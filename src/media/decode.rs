//! From a file's bytes to an upright picture in RGBA8.
//!
//! The header is read first and limits hold before a pixel is decoded: [`MAX_PIXELS`],
//! [`MAX_FILE_BYTES`], the memory that is available, and a budget for everything that a decoder
//! keeps besides the pixels. What was lost on the way (bit depth, a foreign colour model, further frames) is told in notes.

use std::{
    fs::{File, FileType},
    io::{Cursor, Read},
    path::Path,
    sync::Arc,
};

use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader,
    Limits, RgbaImage, codecs::tiff::TiffDecoder, metadata::Orientation,
};

use super::{
    MediaError, container,
    encode::Format,
    guard::guarded,
    loss::{self, Loss},
    memory,
};
use crate::{disk::reason, frame::Frame, text::cut};

/// Most pixels that a picture may declare.
pub const MAX_PIXELS: u64 = 200_000_000;
/// Most bytes that a file may have: 200 megapixels of uncompressed RGBA fit.
pub const MAX_FILE_BYTES: u64 = 1 << 30;
/// Most bytes that a decoder may keep besides the pixels: profiles, tables, rows.
const SIDE_BYTES: u64 = 256 << 20;
/// What a picture of less needs is not looked up: there is always that much, and a look takes time.
const ALWAYS_AVAILABLE_BYTES: u64 = 64 << 20;
/// Bytes of a pixel in RGBA8.
const RGBA_BYTES: u64 = 4;
/// Largest colour profile that is kept; real ones have a few kilobytes.
const MAX_PROFILE_BYTES: usize = 4 << 20;
/// Longest reason of a decoder that is shown.
const MAX_REASON_CHARS: usize = 300;
/// Names of files that are taken for pictures in a folder.
const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif"];

/// A picture as it came in, upright.
#[derive(Clone, Debug)]
pub struct Photo {
    /// The pixels.
    pub frame: Arc<Frame>,
    /// The RGB colour profile that came with it, to go with what is made from it.
    pub icc: Option<Vec<u8>>,
    /// What a person should know about the conversion, in words.
    pub notes: Vec<String>,
    /// The file as the person named it.
    pub name: String,
    /// The format that a result is saved in when nobody says otherwise: the photo's own where it
    /// can be written, else PNG.
    pub natural_format: Format,
}

/// Whether the file's name is that of a picture, as far as folders are concerned.
pub fn has_picture_name(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// Reads the picture in a plain file. A pipe is refused without waiting for its writer, who may never
/// come; who can give up waiting reads it by [`bytes_of_path`].
///
/// # Errors
/// [`MediaError`] names the file and the reason.
pub fn from_path(path: &Path) -> Result<Photo, MediaError> {
    let is_special = |kind: FileType| !kind.is_file() && !kind.is_dir();
    if path
        .metadata()
        .is_ok_and(|found| is_special(found.file_type()))
    {
        return Err(MediaError::Read {
            name: path.display().to_string(),
            reason: "it is not a plain file; styleforge stylize reads pipes".to_owned(),
        });
    }
    from_bytes(&path.display().to_string(), &bytes_of_path(path)?)
}

/// The bytes of a file whose first bytes are those of a picture; for callers that need the file as
/// it is besides what is in it. Reads whatever can be read from start to end, and waits as long as
/// that takes.
///
/// # Errors
/// As [`from_path`], for what can be known without decoding.
pub fn bytes_of_path(path: &Path) -> Result<Vec<u8>, MediaError> {
    let name = path.display().to_string();
    let unreadable = |e: std::io::Error| MediaError::Read {
        name: name.clone(),
        reason: reason(&e),
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(MediaError::Read {
            name,
            reason: "it is a folder; name the pictures in it".to_owned(),
        });
    }
    bytes_of_reader(&name, file)
}

/// Reads the picture that `reader` gives; `name` is what messages call it.
///
/// # Errors
/// [`MediaError`] names the picture and the reason.
pub fn from_reader(name: &str, reader: impl Read) -> Result<Photo, MediaError> {
    from_bytes(name, &bytes_of_reader(name, reader)?)
}

/// As [`bytes_of_path`], for what `reader` gives.
///
/// # Errors
/// As [`from_reader`], for what can be known without decoding.
pub fn bytes_of_reader(name: &str, mut reader: impl Read) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    let mut read_up_to = |bytes: &mut Vec<u8>, limit: u64| {
        reader
            .by_ref()
            .take(limit - bytes.len() as u64)
            .read_to_end(bytes)
            .map_err(|e| MediaError::Read {
                name: name.to_owned(),
                reason: reason(&e),
            })
    };
    // An endless stream of something else is refused by its first bytes.
    read_up_to(&mut bytes, 64)?;
    format_of(name, &bytes)?;
    read_up_to(&mut bytes, MAX_FILE_BYTES + 1)?;
    Ok(bytes)
}

/// The format that a picture's bytes are in, by their first ones; `None` when it is none that is
/// written.
pub fn format_of_bytes(bytes: &[u8]) -> Option<Format> {
    image::guess_format(bytes).ok().and_then(writable_format)
}

/// Reads the picture in `bytes`; `name` is what messages call it.
///
/// # Errors
/// [`MediaError`] names the picture and the reason. Never panics, whatever the bytes.
pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Photo, MediaError> {
    from_bytes_within(name, bytes, u64::MAX)
}

/// What reading a picture takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Columns as stored; turning may swap them with the rows.
    pub width: usize,
    /// Rows as stored.
    pub height: usize,
    /// Most memory besides the file's bytes that reading takes, the finished picture included.
    pub bytes: u64,
}

/// What reading the picture in `bytes` takes, by its header.
///
/// # Errors
/// As [`from_bytes`], for what the header shows.
pub fn needs(name: &str, bytes: &[u8]) -> Result<Needs, MediaError> {
    unless_it_panics(name, bytes, || {
        let header = Header::read(name, bytes)?;
        let (width, height) = header.decoder.dimensions();
        Ok(Needs {
            width: width as usize,
            height: height as usize,
            bytes: header.peak_bytes(bytes.len() as u64),
        })
    })
}

/// What `decode` makes of the picture in `bytes`.
fn unless_it_panics<T>(
    name: &str,
    bytes: &[u8],
    decode: impl FnOnce() -> Result<T, MediaError>,
) -> Result<T, MediaError> {
    guarded(decode).unwrap_or_else(|_| {
        let format = format_of(name, bytes)?;
        Err(damaged(
            name,
            format,
            "the decoder could make nothing of it",
        ))
    })
}

/// As [`from_bytes`], within `limit_bytes` of memory besides the bytes given. What needs less than
/// 64 MB is always read.
///
/// # Errors
/// As [`from_bytes`]; [`MediaError::MemoryLimit`] when the limit does not suffice.
pub fn from_bytes_within(name: &str, bytes: &[u8], limit_bytes: u64) -> Result<Photo, MediaError> {
    unless_it_panics(name, bytes, || decoded_within(name, bytes, limit_bytes))
}

fn decoded_within(name: &str, bytes: &[u8], limit_bytes: u64) -> Result<Photo, MediaError> {
    let header = Header::read(name, bytes)?;
    let (format, size) = (header.format, header.decoder.dimensions());
    let damaged = |reason: &str| damaged(name, format, reason);
    let failed = |error: ImageError| from_image_error(name, format, error);
    let peak_bytes = header.peak_bytes(bytes.len() as u64);
    // Twice as RGBA: it will be painted.
    let needed_bytes = peak_bytes.max(2 * RGBA_BYTES * header.pixels);
    if needed_bytes > ALWAYS_AVAILABLE_BYTES {
        let available_bytes = memory::available_bytes().unwrap_or(u64::MAX);
        check_memory(name, size, needed_bytes, available_bytes)?;
    }
    if peak_bytes > ALWAYS_AVAILABLE_BYTES.max(limit_bytes) {
        return Err(MediaError::MemoryLimit {
            name: name.to_owned(),
            width: size.0,
            height: size.1,
            needed_mb: peak_bytes.div_ceil(1_000_000),
            left_mb: limit_bytes / 1_000_000,
        });
    }
    let Header {
        mut decoder,
        orientation,
        decoded_bytes,
        cmyk,
        jpeg,
        ..
    } = header;
    // Damaged side information is no reason to refuse the picture.
    let profile = decoder.icc_profile().ok().flatten();
    decoder
        .set_limits(limits(decoded_bytes + SIDE_BYTES))
        .map_err(failed)?;

    let mut notes = Vec::new();
    if let Some(what) = container::further_pictures(format, bytes) {
        notes.push(format!("the file holds several {what}s; the first is used"));
    }
    if cmyk {
        notes.push("converted from CMYK to RGB".to_owned());
    }
    if decoder.color_type().bytes_per_pixel() > decoder.color_type().channel_count() {
        notes.push("reduced to 8 bits per channel".to_owned());
    }
    let had_profile = profile.is_some();
    let icc = profile.filter(|p| is_rgb_profile(p));
    if had_profile && icc.is_none() {
        notes.push("its colour profile does not describe RGB and was left out".to_owned());
    }

    let mut pixels = rgba(decoder).map_err(failed)?;
    if let Some(look) = jpeg {
        let loss = loss::of_jpeg(bytes, look, &mut pixels).map_err(failed)?;
        if let Some(Loss::Everything) = loss {
            return Err(damaged("it ends before the picture begins"));
        }
        notes.extend(loss.map(|loss| loss.to_string()));
    }
    let mut upright = DynamicImage::ImageRgba8(pixels);
    upright.apply_orientation(orientation);
    let (width, height) = (upright.width() as usize, upright.height() as usize);
    let frame = Frame::from_rgba(width, height, upright.into_rgba8().into_raw())
        .map_err(|e| damaged(&e.to_string()))?;
    Ok(Photo {
        frame: Arc::new(frame),
        icc,
        notes,
        name: name.to_owned(),
        natural_format: writable_format(format).unwrap_or_default(),
    })
}

/// What is known of a picture before its pixels are decoded.
struct Header<'a> {
    format: ImageFormat,
    decoder: Box<dyn ImageDecoder + 'a>,
    /// Within [`MAX_PIXELS`].
    pixels: u64,
    orientation: Orientation,
    /// Of a JPEG.
    jpeg: Option<container::JpegLook>,
    cmyk: bool,
    /// Of the frame of a GIF, which may be larger than the picture.
    gif_frame_pixels: u64,
    /// Of the pixels as the file has them.
    decoded_bytes: u64,
}

impl<'a> Header<'a> {
    fn read(name: &str, bytes: &'a [u8]) -> Result<Self, MediaError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(MediaError::TooManyBytes {
                name: name.to_owned(),
                limit_mb: MAX_FILE_BYTES >> 20,
            });
        }
        let format = format_of(name, bytes)?;
        let mut decoder =
            open(format, bytes).map_err(|error| from_image_error(name, format, error))?;
        let pixels = checked_pixels(name, format, decoder.dimensions())?;
        if format == ImageFormat::WebP && !container::webp_is_whole(bytes) {
            let reason = "it ends in the middle of the picture, or a part of it is damaged";
            return Err(damaged(name, format, reason));
        }
        let sizes_agree = match format {
            ImageFormat::WebP => container::webp_sizes_agree(bytes),
            ImageFormat::Tiff => container::tiff_sizes_agree(bytes, pixels),
            _ => true,
        };
        if !sizes_agree {
            let reason = "a part of it has another size than is declared for it";
            return Err(damaged(name, format, reason));
        }
        let jpeg = (format == ImageFormat::Jpeg).then(|| container::look_at_jpeg(bytes));
        let original = decoder.original_color_type();
        let cmyk = jpeg.is_some_and(|look| look.components == 4)
            || matches!(
                original,
                ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16
            );
        let gif_frame_pixels = match format {
            ImageFormat::Gif => container::gif_frame_pixels(bytes).unwrap_or(0).max(pixels),
            _ => 0,
        };
        let bytes_per_pixel = u64::from(original.bits_per_pixel().div_ceil(8));
        Ok(Self {
            format,
            pixels,
            // Damaged side information is no reason to refuse the picture.
            orientation: decoder.orientation().unwrap_or(Orientation::NoTransforms),
            jpeg,
            cmyk,
            gif_frame_pixels,
            decoded_bytes: decoder.total_bytes().max(pixels * bytes_per_pixel),
            decoder,
        })
    }

    /// Most memory that reading takes besides the `file_bytes` given.
    fn peak_bytes(&self, file_bytes: u64) -> u64 {
        let (pixels, decoded) = (self.pixels, self.decoded_bytes);
        let rgba = RGBA_BYTES * pixels;
        // What the decoders hold besides the pixels that they give.
        let beside = match self.format {
            // A copy of the file, and 16-bit coefficients of all components where these do not
            // come together.
            ImageFormat::Jpeg => {
                let look = self.jpeg.unwrap_or_default();
                let kept = if look.keeps_coefficients { 2 } else { 0 };
                file_bytes + kept * u64::from(look.components) * pixels
            }
            // The transparency or the whole picture once more, its planes, and the packed pixels.
            ImageFormat::WebP => 5 * pixels + file_bytes,
            // The pixels as stored.
            ImageFormat::Tiff => decoded,
            // The frame before it is laid on its canvas.
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
fn becomes_rgba_in_place(color: ColorType) -> bool {
    matches!(
        color,
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8
    )
}

/// The decoder's pixels as RGBA, in one and the same memory where a channel has 8 bits.
fn rgba(decoder: Box<dyn ImageDecoder + '_>) -> Result<RgbaImage, ImageError> {
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    if !becomes_rgba_in_place(color) {
        return DynamicImage::from_decoder(decoder).map(DynamicImage::into_rgba8);
    }
    let mut picture = RgbaImage::new(width, height);
    let channels = usize::from(color.channel_count());
    in_place(&mut picture, channels, |pixels| decoder.read_image(pixels))?;
    Ok(picture)
}

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

/// The number of pixels, within the limits.
fn checked_pixels(
    name: &str,
    format: ImageFormat,
    (width, height): (u32, u32),
) -> Result<u64, MediaError> {
    match u64::from(width) * u64::from(height) {
        0 => Err(damaged(
            name,
            format,
            "it declares a picture without pixels",
        )),
        pixels if pixels <= MAX_PIXELS => Ok(pixels),
        _ => Err(MediaError::TooManyPixels {
            name: name.to_owned(),
            width,
            height,
        }),
    }
}

/// Refuses what needs more than there is.
fn check_memory(
    name: &str,
    (width, height): (u32, u32),
    needed_bytes: u64,
    available_bytes: u64,
) -> Result<(), MediaError> {
    if needed_bytes <= available_bytes {
        return Ok(());
    }
    Err(MediaError::NotEnoughMemory {
        name: name.to_owned(),
        width,
        height,
        needed_mb: needed_bytes.div_ceil(1_000_000),
        available_mb: available_bytes / 1_000_000,
    })
}

/// The same format, where it can be written.
fn writable_format(format: ImageFormat) -> Option<Format> {
    match format {
        ImageFormat::Png => Some(Format::Png),
        ImageFormat::Jpeg => Some(Format::Jpeg),
        ImageFormat::WebP => Some(Format::WebP),
        ImageFormat::Bmp => Some(Format::Bmp),
        ImageFormat::Tiff => Some(Format::Tiff),
        _ => None,
    }
}

fn damaged(name: &str, format: ImageFormat, reason: &str) -> MediaError {
    MediaError::Damaged {
        name: name.to_owned(),
        format: format_name(format).to_owned(),
        reason: reason.to_owned(),
    }
}

/// The format that the first bytes show, if it is one that is read.
fn format_of(name: &str, bytes: &[u8]) -> Result<ImageFormat, MediaError> {
    let unknown = |found: &str| {
        Err(MediaError::UnknownFormat {
            name: name.to_owned(),
            found: found.to_owned(),
        })
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
        Ok(other) => unknown(&format!("it is {}", format_name(other))),
        Err(_) => unknown("its first bytes are those of no known format"),
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

/// A decoder that has read the header and holds to [`SIDE_BYTES`] for what it reads besides pixels.
fn open(format: ImageFormat, bytes: &[u8]) -> Result<Box<dyn ImageDecoder + '_>, ImageError> {
    if format == ImageFormat::Tiff {
        // Given limits, this decoder caps a profile by the size of the pixels; its own defaults
        // (256 MB) hold until the profile is read.
        return Ok(Box::new(TiffDecoder::new(Cursor::new(bytes))?));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits(SIDE_BYTES));
    Ok(Box::new(reader.into_decoder()?))
}

fn limits(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

/// Whether an ICC profile is plausible and describes RGB: a profile of another colour model in an
/// RGB file makes other programs show wrong colours (ICC.1, 7.2.6: colour space at byte 16).
fn is_rgb_profile(profile: &[u8]) -> bool {
    profile.len() >= 128
        && profile.len() <= MAX_PROFILE_BYTES
        && profile[16..20] == *b"RGB "
        && profile[36..40] == *b"acsp"
}

fn from_image_error(name: &str, format: ImageFormat, error: ImageError) -> MediaError {
    match error {
        ImageError::Unsupported(e) => MediaError::Unsupported {
            name: name.to_owned(),
            format: format_name(format).to_owned(),
            reason: in_short(&e),
        },
        ImageError::Limits(_) => damaged(
            name,
            format,
            "it needs more memory than a picture of its size should",
        ),
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            damaged(name, format, "it ends in the middle of the picture")
        }
        ImageError::IoError(e) => damaged(name, format, &reason(&e)),
        other => damaged(name, format, &in_short(&other)),
    }
}

/// A decoder's words, cut where they list what is in the file.
fn in_short(words: &impl std::fmt::Display) -> String {
    cut(&words.to_string(), MAX_REASON_CHARS).into_owned()
}
