//! Decodes a file's bytes to an upright picture in RGBA8.
//!
//! The header is read first, and limits are checked before any pixel is decoded: [`MAX_PIXELS`], [`MAX_FILE_BYTES`],
//! the available memory, and a budget for a decoder's memory other than pixels. Notes report what the conversion lost
//! (bit depth, a foreign colour model, further frames).

use std::{
    fs::{File, FileType},
    io::Read,
    path::Path,
    sync::Arc,
    time::Instant,
};

use image::{DynamicImage, ImageError, ImageResult, RgbaImage};

use super::{
    MediaError, ReadProblem, alpha,
    clock::Clock,
    color::{ToSrgb, Unusable, adobe_rgb, narrow},
    container::{self, PngEnd},
    encode::Format,
    foreign::{Opened, Pixels},
    guard::guarded,
    header::{Header, RGBA_BYTES, SIDE_BYTES, damaged, format_of, from_image_error},
    heif,
    in_place::in_place,
    inks,
    kind::Kind,
    memory,
    metadata::{Metadata, is_adobe_rgb, promises_gain_map},
};
pub use super::{
    header::{MAX_FILE_BYTES, MAX_SIDE_PX},
    kind::MAX_PIXELS,
};
use values::{allocation::can_allocate, disk::reason, frame::Frame};

/// A picture that needs less than this is read without checking the free memory, because checking takes time.
const ALWAYS_AVAILABLE_BYTES: u64 = 64 << 20;
/// Memory that [`super::scale::scaled`] needs per column and row if a picture is scaled down only slightly.
const TABLE_BYTES_PER_SIDE_PX: u64 = 130;
/// Bytes of a HEIC or AVIF file in which its properties are.
const HEADER_BYTES: usize = 64 << 10;
const NO_END_MARKER: &str = "the file is incomplete; part of the picture may be missing";
const PNG_START: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The chunk IEND.
const PNG_END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
/// Extensions of picture files.
pub const EXTENSIONS: [&str; 20] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "pjpeg", "pjp", "mpo", "webp", "bmp",
    "tif", "tiff", "gif", "avif", "jxl", "heic", "heif", "hif",
];
/// The formats that are read, for messages.
pub const FORMATS: &str = "PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, JPEG XL or HEIC";

/// A decoded picture, upright.
#[derive(Clone, Debug)]
pub struct Photo {
    pub frame: Arc<Frame>,
    /// The file's RGB profile, if it is not sRGB: a painting can be converted back to it.
    pub profile: Option<Vec<u8>>,
    /// What the file says about the photo.
    pub metadata: Metadata,
    /// Notes about the conversion, to print.
    pub notes: Vec<String>,
    /// The file has HDR, which the picture has not.
    pub is_hdr: bool,
    /// The file name as the user typed it.
    pub name: String,
    /// The format of a result if none is chosen: the photo's own if it can be written, otherwise PNG.
    pub natural_format: Format,
}

/// The extension of a name in small letters.
pub(super) fn extension_of(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// True if the file's extension is that of a picture, for reading folders.
pub fn has_picture_name(path: &Path) -> bool {
    EXTENSIONS.contains(&extension_of(path).as_str())
}

/// Reads the picture in a regular file. A pipe is refused, because it may block forever without a writer; a caller that
/// can stop waiting uses [`bytes_of_path`].
///
/// # Errors
/// [`MediaError`] names the file and the reason.
pub fn from_path(path: &Path) -> Result<Photo, MediaError> {
    let is_special = |kind: FileType| !kind.is_file() && !kind.is_dir();
    if path.metadata().is_ok_and(|found| is_special(found.file_type())) {
        return Err(MediaError::Read {
            name: path.display().to_string(),
            reason: "it is not a regular file; styleforge stylize reads pipes".to_owned(),
        });
    }
    from_bytes(&path.display().to_string(), &bytes_of_path(path)?)
}

/// Reads a file that starts like a picture; for callers that need the file's bytes as well as the picture. Also reads
/// pipes, and waits for their writers.
///
/// # Errors
/// The errors of [`from_path`] that do not come from decoding.
pub fn bytes_of_path(path: &Path) -> Result<Vec<u8>, MediaError> {
    let name = path.display().to_string();
    let unreadable =
        |e: std::io::Error| MediaError::Read { name: name.clone(), reason: reason(&e) };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(MediaError::Read {
            name,
            reason: "it is a folder; choose the images in it".to_owned(),
        });
    }
    bytes_of_reader(&name, file)
}

/// As [`bytes_of_path`], but from `reader`; `name` is used in messages.
///
/// # Errors
/// The errors of [`from_path`] that do not come from decoding.
pub fn bytes_of_reader(name: &str, mut reader: impl Read) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    let mut read_up_to = |bytes: &mut Vec<u8>, limit: u64| {
        reader
            .by_ref()
            .take(limit - bytes.len() as u64)
            .read_to_end(bytes)
            .map_err(|e| MediaError::Read { name: name.to_owned(), reason: reason(&e) })
    };
    // An endless stream of other data is refused by its first bytes.
    read_up_to(&mut bytes, 64)?;
    named(name, format_of(&bytes))?;
    read_up_to(&mut bytes, MAX_FILE_BYTES + 1)?;
    Ok(bytes)
}

/// The format of a picture by its first bytes; `None` if it cannot be written.
pub fn format_of_bytes(bytes: &[u8]) -> Option<Format> {
    Kind::of(bytes)?.name().parse().ok()
}

/// Reads the picture in `bytes`; `name` is used in messages.
///
/// # Errors
/// [`MediaError`] names the picture and the reason. Never panics, whatever the bytes.
pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Photo, MediaError> {
    from_bytes_within(name, bytes, u64::MAX)
}

/// The memory that reading a picture takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Columns as stored; rotation may swap them with the rows.
    pub width: usize,
    /// Rows as stored.
    pub height: usize,
    /// Peak memory of reading in addition to the file's bytes, including the finished picture.
    pub bytes: u64,
}

/// The memory that reading the picture in `bytes` takes, from its header.
///
/// # Errors
/// The errors of [`from_bytes`] that the header shows.
pub fn needs(name: &str, bytes: &[u8]) -> Result<Needs, MediaError> {
    unless_it_panics(name, bytes, |clock| {
        let header = Header::read(bytes, clock)?;
        let (width, height) = header.opened.size;
        Ok(Needs {
            width: width as usize,
            height: height as usize,
            bytes: header.peak_bytes(bytes.len() as u64),
        })
    })
}

/// Runs `decode` on the picture in `bytes` with a clock, and turns a panic into an error.
fn unless_it_panics<T>(
    name: &str,
    bytes: &[u8],
    decode: impl FnOnce(&Clock<'_>) -> Result<T, ReadProblem>,
) -> Result<T, MediaError> {
    let start = Instant::now();
    let now = || start.elapsed();
    let panicked = |_| Err(damaged(format_of(bytes)?, "it cannot be decoded"));
    named(name, guarded(|| decode(&Clock::new(&now))).unwrap_or_else(panicked))
}

fn named<T>(name: &str, read: Result<T, ReadProblem>) -> Result<T, MediaError> {
    read.map_err(|problem| MediaError::Unreadable { name: name.to_owned(), problem })
}

/// As [`from_bytes`], within `limit_bytes` of memory in addition to `bytes`. A picture that needs less than 64 MB is
/// always read.
///
/// # Errors
/// See [`from_bytes`]; also [`ReadProblem::MemoryLimit`] if the limit is too low.
pub fn from_bytes_within(name: &str, bytes: &[u8], limit_bytes: u64) -> Result<Photo, MediaError> {
    unless_it_panics(name, bytes, |clock| decoded_within(name, bytes, limit_bytes, clock))
}

fn decoded_within(
    name: &str,
    bytes: &[u8],
    limit_bytes: u64,
    clock: &Clock<'_>,
) -> Result<Photo, ReadProblem> {
    let lacks_end = bytes.starts_with(PNG_START) && container::png_end(bytes) == PngEnd::NoMarker;
    if lacks_end {
        let mut photo = decoded_within(name, &[bytes, PNG_END].concat(), limit_bytes, clock)?;
        photo.notes.push(NO_END_MARKER.to_owned());
        return Ok(photo);
    }
    let header = Header::read(bytes, clock)?;
    let (format, size @ (width, height)) = (header.format, header.opened.size);
    let damaged = |reason: &str| damaged(format, reason);
    let failed = |error: ImageError| from_image_error(format, error);
    let peak_bytes = header.peak_bytes(bytes.len() as u64);
    // Counts the RGBA pixels twice, or once with the scaler's tables, because the picture will be painted.
    let rgba_bytes = RGBA_BYTES * header.pixels;
    let table_bytes = TABLE_BYTES_PER_SIDE_PX * (u64::from(width) + u64::from(height));
    let needed_bytes = peak_bytes.max(rgba_bytes + rgba_bytes.max(table_bytes));
    let fits = can_allocate(needed_bytes);
    if needed_bytes > ALWAYS_AVAILABLE_BYTES || !fits {
        let free_bytes = memory::available_bytes().unwrap_or(u64::MAX);
        let most_bytes = if fits { u64::MAX } else { needed_bytes - 1 };
        let available_bytes = free_bytes.min(most_bytes);
        if available_bytes < needed_bytes {
            return Err(ReadProblem::NotEnoughMemory {
                width,
                height,
                needed_mb: needed_bytes.div_ceil(1_000_000),
                available_mb: available_bytes / 1_000_000,
            });
        }
    }
    if peak_bytes > ALWAYS_AVAILABLE_BYTES.max(limit_bytes) {
        return Err(ReadProblem::MemoryLimit {
            width,
            height,
            needed_mb: peak_bytes.div_ceil(1_000_000),
            left_mb: limit_bytes / 1_000_000,
        });
    }
    let Header { mut opened, decoded_bytes, jpeg, .. } = header;
    let has_gain_map = has_gain_map(format, bytes, opened.xmp.as_deref());
    let exif = opened.exif.as_deref().or((format == Kind::Tiff).then_some(bytes));
    if opened.icc.is_none() && format != Kind::Png && exif.is_some_and(is_adobe_rgb) {
        opened.icc = adobe_rgb();
    }
    let metadata = Metadata::read(&mut opened, format, bytes);
    let Opened { icc: profile, pixels: stored, is_cmyk: cmyk, .. } = opened;

    let mut notes = Vec::new();
    if let Some(look) = jpeg {
        // In both cases the decoder fills the rows with grey and returns no error.
        if !look.has_data {
            return Err(damaged("it ends before the image data"));
        }
        if !look.has_end {
            notes.push(NO_END_MARKER.to_owned());
        }
    }
    if format == Kind::Gif && container::gif_is_cut(bytes) {
        notes.push(NO_END_MARKER.to_owned());
    }
    if let Some(what) = opened.further {
        notes.push(format!("the file contains several {what}s; the first is used"));
    }
    if stored.sample_bytes > 1 {
        notes.push("reduced to 8 bits per channel".to_owned());
    }
    let is_gray = stored.is_gray();
    let conversion = match (&profile, format) {
        (_, Kind::Png) => ToSrgb::of_png(bytes, profile.as_deref(), is_gray),
        (None, _) => Ok(None),
        (Some(profile), _) if cmyk => ToSrgb::of_inks(profile),
        (Some(profile), _) => ToSrgb::of_icc(profile, is_gray),
    };
    let conversion = conversion.unwrap_or_else(|Unusable| {
        notes.push("its colour profile cannot be used and was ignored".to_owned());
        None
    });
    let hdr = conversion.as_ref().and_then(|conversion| conversion.hdr);
    notes.extend(
        hdr.map(|curve| format!("the photo is HDR ({curve}); it is read and saved in SDR")),
    );
    if has_gain_map {
        notes.push("its gain map, which makes it HDR, is left out".to_owned());
    }
    if cmyk && conversion.is_none() {
        notes.push("converted from CMYK to RGB without a colour profile".to_owned());
    }
    clock.begin(size);
    let read = |pixels: &mut [u8]| clock.checked((opened.read)(pixels, decoded_bytes + SIDE_BYTES));
    let mut pixels = rgba(size, stored, read, conversion.as_ref()).map_err(failed)?;
    if cmyk && conversion.is_none() {
        inks::convert_without_profile(&mut pixels);
    }
    if opened.is_premultiplied {
        alpha::unpremultiply(&mut pixels);
    }
    alpha::fill_hidden(&mut pixels, width as usize);
    let mut upright = DynamicImage::ImageRgba8(pixels);
    upright.apply_orientation(opened.orientation);
    let (width, height) = (upright.width() as usize, upright.height() as usize);
    let frame = Frame::from_rgba(width, height, upright.into_rgba8().into_raw())
        .map_err(|e| damaged(&e.to_string()))?;
    Ok(Photo {
        frame: Arc::new(frame),
        profile: profile.filter(|_| conversion.is_some() && hdr.is_none() && !cmyk && !is_gray),
        metadata,
        notes,
        is_hdr: has_gain_map || hdr.is_some(),
        name: name.to_owned(),
        natural_format: format.name().parse().unwrap_or_default(),
    })
}

/// True if the file has a second picture from which displays make HDR: of Adobe, Apple or ISO 21496-1.
fn has_gain_map(format: Kind, bytes: &[u8], xmp: Option<&[u8]>) -> bool {
    let is_apple = |part: &[u8]| part == b"hdrgainmap";
    let is_declared = match format {
        Kind::Jpeg => container::jpeg_segments(bytes)
            .any(|segment| segment.content.starts_with(b"urn:iso:std:iso:ts:21496:-1")),
        Kind::Avif | Kind::Heic => {
            heif::brands(bytes).any(|brand| brand == b"tmap")
                || bytes[..bytes.len().min(HEADER_BYTES)].windows(10).any(is_apple)
        }
        Kind::JpegXl => heif::boxes(bytes).any(|(kind, _)| &kind == b"jhgm"),
        _ => false,
    };
    is_declared || xmp.is_some_and(promises_gain_map)
}

/// The pixels that `read` writes, as RGBA in sRGB; in the same memory if a channel has 8 bits.
fn rgba(
    (width, height): (u32, u32),
    stored: Pixels,
    read: impl FnOnce(&mut [u8]) -> ImageResult<()>,
    conversion: Option<&ToSrgb>,
) -> ImageResult<RgbaImage> {
    let columns = width as usize;
    let mut picture = RgbaImage::new(width, height);
    if stored.sample_bytes > 1 {
        let mut wide = vec![0; stored.bytes() * columns * height as usize];
        read(&mut wide)?;
        narrow(&wide, stored, conversion, &mut picture, columns);
    } else {
        in_place(&mut picture, stored.channels, read)?;
        if let Some(to_srgb) = conversion {
            to_srgb.apply(&mut picture, columns);
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs, time::Duration};

    use image::{ExtendedColorType, codecs::gif::GifEncoder};

    use super::*;
    use crate::encode::{Encoding, to_bytes};

    #[test]
    fn every_decoder_asks_the_clock_to_its_end() {
        // Noise, so that the files have several steps.
        let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729) * (x + 13) * (y + 7)) >> 4;
        let frame = Frame::from_fn(400, 300, |x, y| [0, 3, 6, 9].map(|n| (noise(x, y) >> n) as u8));
        let mut files: Vec<Vec<u8>> = (Format::ALL.iter())
            .map(|&format| to_bytes("a", &frame, None, Encoding::of(format)).expect("encoded").0)
            .collect();
        let mut gif = Vec::new();
        let encoded =
            GifEncoder::new(&mut gif).encode(frame.rgba(), 400, 300, ExtendedColorType::Rgba8);
        encoded.expect("encoded");
        files.push(gif);
        let folder = crate::home::project().join("tests/pictures");
        let names =
            ["cmyk.jpg", "formats/grid.avif", "formats/progressive.jxl", "formats/jpeg.tiff"];
        files.extend(names.map(|name| fs::read(folder.join(name)).expect("a file")));
        for file in files {
            let format = Kind::of(&file).expect("known").name();
            let asked = Cell::new(0u64);
            // After this many questions, each takes an hour.
            let clock = |last: u64| {
                asked.set(0);
                let asked = &asked;
                move || {
                    asked.update(|asked| asked + 1);
                    Duration::from_hours(asked.get().saturating_sub(last))
                }
            };
            let read = |last: u64| {
                let now = clock(last);
                decoded_within("a", &file, u64::MAX, &Clock::new(&now)).map_err(|e| e.to_string())
            };
            let now = clock(u64::MAX);
            Header::read(&file, &Clock::new(&now)).map(|_| ()).expect("a header");
            let of_header = asked.get();
            read(u64::MAX).expect("a picture");
            let all = asked.get();
            // One question begins the time for the pixels.
            assert!(all > of_header + 1, "{format}: {all} questions, {of_header} for the header");
            for last in [1, of_header + 1, all - 1] {
                let error = read(last).expect_err("time is over");
                assert!(error.contains("it takes too long to decode"), "{format}: {error}");
            }
        }
    }
}
