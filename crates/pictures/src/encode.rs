//! Encodes pictures into files, completely or not at all.
//!
//! A picture is encoded directly into the file of [`disk::write_whole`]. An existing file is not changed unless the
//! caller passes [`Existing::Replace`].

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read, Seek, Write},
    path::Path,
};

use image::{ExtendedColorType, ImageEncoder, ImageError, codecs::bmp::BmpEncoder};
use image_webp::{ColorType as WebPColor, WebPEncoder};
use jpeg_encoder::{ColorType as JpegColor, PixelDensity, PixelDensityUnit, SamplingFactor};
use tiff::encoder::colortype::{RGB8, RGB16, RGBA8, RGBA16};

pub use super::format::Format;
use super::{
    MediaError,
    alpha::{WHITE, color_name, on_background},
    color,
    container::jpeg_segments,
    jpeg_segments::{AfterHeader, COMMENT},
    metadata::{Header, Metadata, SEGMENT_BYTES},
    png_info::INFO_LIMITS,
    tiff_writer::write_tiff,
};
pub use values::disk::Existing;
use values::{
    deep_frame::DeepFrame,
    disk::{self, FolderSync, WriteError},
    frame::Frame,
};

/// Quality of lossy formats if none is chosen, 1 to 100.
pub const DEFAULT_QUALITY: u8 = 92;

/// Bytes of a JPEG in which its texts are looked for.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// Size of a chunk of a PNG file.
const PNG_CHUNK_BYTES: usize = 1 << 16;

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    pub format: Format,
    /// 1 to 100; only used for lossy formats.
    pub quality: u8,
    /// On which transparent pixels lie in formats without transparency.
    pub background: [u8; 3],
}

impl Encoding {
    /// A format at the default quality.
    pub const fn of(format: Format) -> Self {
        Self { format, quality: DEFAULT_QUALITY, background: WHITE }
    }
}

/// A picture to encode, in sRGB.
pub enum Picture<'a> {
    /// With 8 bits per channel. If it is owned, encoding reuses its memory.
    Frame(Cow<'a, Frame>),
    /// With 16 bits per channel, in formats that have them ([`Format::has_16_bits`]).
    Deep(DeepFrame),
}

impl<'a> From<Cow<'a, Frame>> for Picture<'a> {
    fn from(frame: Cow<'a, Frame>) -> Self {
        Self::Frame(frame)
    }
}

/// Writes `frame`, which is in sRGB, to `path`, and returns notes on what the format cannot contain. The file is tagged
/// as sRGB; with a `profile` of RGB it is converted to that.
///
/// # Errors
/// [`MediaError`] names the target and the reason; an existing target is unchanged.
pub fn save(
    path: &Path,
    frame: &Frame,
    profile: Option<&[u8]>,
    encoding: Encoding,
    existing: Existing,
) -> Result<Vec<String>, MediaError> {
    let attached = Attached { profile, ..Attached::default() };
    save_with(path, Cow::Borrowed(frame), attached, encoding, existing)
}

/// As [`save`], with metadata.
///
/// # Errors
/// See [`save`].
pub fn save_with<'a>(
    path: &Path,
    picture: impl Into<Picture<'a>>,
    attached: Attached<'_>,
    encoding: Encoding,
    existing: Existing,
) -> Result<Vec<String>, MediaError> {
    disk::write_whole(path, existing, FolderSync::Now, |writer, name| {
        write(writer, name, picture.into(), attached, encoding)
    })
}

/// Maximum memory that encoding a picture of `pixels` pixels takes in addition to the picture. `given_away`: whether
/// the picture is passed by value ([`save_with`]).
pub fn encoding_bytes(format: Format, pixels: u64, given_away: bool) -> u64 {
    // The encoder's own RGBA, and the compressed pixels, which are no larger.
    let encoder = match format {
        Format::WebP => 8,
        _ => 0,
    };
    let without_alpha = if given_away { 0 } else { 3 };
    (encoder + without_alpha) * pixels
}

/// Writes `bytes`, a complete picture file, to `path` by the same rules as [`save`]. For a photo that is written
/// unchanged.
///
/// # Errors
/// See [`save`].
pub fn save_bytes(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), MediaError> {
    Ok(disk::write_bytes(path, bytes, existing)?)
}

/// Checks that [`save`] can write to `path`, so that a long run is not started in vain.
///
/// # Errors
/// The errors of [`save`] that do not depend on the picture.
pub fn check_target(path: &Path, existing: Existing) -> Result<(), MediaError> {
    Ok(disk::check_target(path, existing)?)
}

/// Encodes `frame` to bytes, for standard output, and returns notes on what the format could not store.
///
/// # Errors
/// [`MediaError::TooLargeForFormat`], or [`MediaError::Write`] if the encoder fails.
pub fn to_bytes(
    name: &str,
    frame: &Frame,
    profile: Option<&[u8]>,
    encoding: Encoding,
) -> Result<(Vec<u8>, Vec<String>), MediaError> {
    let attached = Attached { profile, ..Attached::default() };
    to_bytes_with(name, Cow::Borrowed(frame), attached, encoding)
}

/// As [`to_bytes`], with metadata.
///
/// # Errors
/// See [`to_bytes`].
pub fn to_bytes_with<'a>(
    name: &str,
    picture: impl Into<Picture<'a>>,
    attached: Attached<'_>,
    encoding: Encoding,
) -> Result<(Vec<u8>, Vec<String>), MediaError> {
    let mut bytes = Cursor::new(Vec::new());
    let notes = write(&mut bytes, name, picture.into(), attached, encoding)?;
    Ok((bytes.into_inner(), notes))
}

/// The texts in a PNG or JPEG file, with their keywords ([`Attached::texts`]); none for other files. Compressed texts
/// are left out.
pub fn texts(path: &Path) -> Vec<(String, String)> {
    if Format::from_path(path) == Some(Format::Jpeg) {
        return jpeg_texts(path).unwrap_or_default();
    }
    File::open(path).map_or_else(|_| Vec::new(), |file| png_texts(BufReader::new(file)))
}

/// The uncompressed texts in a PNG file, with their keywords.
pub fn png_texts(file: impl BufRead + Seek) -> Vec<(String, String)> {
    let reader = png::Decoder::new_with_limits(file, INFO_LIMITS).read_info().ok();
    let chunks = reader.map(|reader| reader.info().utf8_text.clone()).unwrap_or_default();
    chunks
        .into_iter()
        .filter(|chunk| !chunk.compressed)
        .filter_map(|chunk| Some((chunk.keyword.clone(), chunk.get_text().ok()?)))
        .collect()
}

fn jpeg_texts(path: &Path) -> io::Result<Vec<(String, String)>> {
    let mut beginning = Vec::new();
    File::open(path)?.take(MAX_HEADER_BYTES).read_to_end(&mut beginning)?;
    let lines = jpeg_segments(&beginning)
        .filter(|segment| segment.marker == COMMENT)
        .map(|segment| String::from_utf8_lossy(segment.content).into_owned())
        .collect::<Vec<_>>()
        .join("\n");
    let pairs = lines.lines().filter_map(|line| line.split_once(": "));
    Ok(pairs.map(|(keyword, text)| (keyword.to_owned(), text.to_owned())).collect())
}

/// `frame` as a PNG file with texts about its origin. Each (keyword, text) becomes an uncompressed `iTXt` chunk, so
/// that every metadata reader shows it. Keywords are 1 to 79 Latin letters.
///
/// # Errors
/// See [`to_bytes`].
pub fn png_with_texts(
    name: &str,
    frame: &Frame,
    texts: &[(&str, String)],
) -> Result<Vec<u8>, MediaError> {
    let attached = Attached { texts, ..Attached::default() };
    let (bytes, _) =
        to_bytes_with(name, Cow::Borrowed(frame), attached, Encoding::of(Format::Png))?;
    Ok(bytes)
}

/// A file or memory. Encoders get it as a trait object: as a type parameter, each of them would be compiled again for
/// every kind of target.
pub trait Target: Write + Seek {}

impl<T: Write + Seek> Target for T {}

/// A writer that keeps the system's error, because some encoders pass on only its text, without the kind.
struct ErrorKeeper<'a> {
    to: &'a mut dyn Target,
    failure: Option<io::Error>,
}

impl ErrorKeeper<'_> {
    fn note<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            self.failure = error.raw_os_error().map(io::Error::from_raw_os_error);
        })
    }
}

impl Write for ErrorKeeper<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.to.write(bytes);
        self.note(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.to.flush();
        self.note(done)
    }
}

impl Seek for ErrorKeeper<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let done = self.to.seek(to);
        self.note(done)
    }
}

fn refused(name: &str, error: &io::Error) -> MediaError {
    unwritten(name, disk::reason(error))
}

fn unwritten(name: &str, reason: String) -> MediaError {
    let name = name.to_owned();
    WriteError::Refused { name, reason }.into()
}

/// What a file contains in addition to its pixels.
#[derive(Clone, Copy, Default)]
pub struct Attached<'a> {
    /// An RGB profile, to which the pixels are converted.
    pub profile: Option<&'a [u8]>,
    pub metadata: Option<&'a Metadata>,
    /// Keywords and texts, only for PNG and JPEG.
    pub texts: &'a [(&'a str, String)],
}

/// Encodes `picture` into `writer`.
pub fn write(
    writer: &mut dyn Target,
    name: &str,
    picture: Picture<'_>,
    attached: Attached<'_>,
    encoding: Encoding,
) -> Result<Vec<String>, MediaError> {
    let Attached { profile, metadata, texts } = attached;
    let format = encoding.format;
    let limit = format.max_side_px();
    let (columns, rows) = match &picture {
        Picture::Frame(frame) => frame.size(),
        Picture::Deep(frame) => frame.size(),
    };
    if columns.max(rows) > limit {
        return Err(MediaError::TooLargeForFormat {
            format: format.name().to_owned(),
            width: columns,
            height: rows,
            limit,
        });
    }
    // No limit is larger than 32 bits.
    let size = (columns as u32, rows as u32);

    let mut notes = Vec::new();
    let mut picture = match picture {
        Picture::Deep(frame) if !format.has_16_bits() => {
            notes.push(format!("{} has 8 bits per channel", format.name().to_uppercase()));
            Picture::Frame(Cow::Owned(frame.narrowed()))
        }
        picture => picture,
    };
    let has_profiles = format != Format::Bmp;
    if profile.is_some() && !has_profiles {
        notes.push("BMP has no colour profile; the painting is saved in sRGB".to_owned());
    }
    let wanted = profile.filter(|_| has_profiles);
    let profile = wanted.filter(|profile| match &mut picture {
        Picture::Frame(frame) => color::from_srgb(frame.to_mut().rgba_mut(), columns, profile),
        Picture::Deep(frame) => color::from_srgb_deep(frame, profile),
    });
    if profile != wanted {
        let note = "its colour profile cannot be written; the painting is saved in sRGB";
        notes.push(note.to_owned());
    }
    let none = Metadata::default();
    let metadata = metadata.unwrap_or(&none);
    let icc = profile.map(<[u8]>::to_vec);
    let mut writer = ErrorKeeper { to: writer, failure: None };
    let header = Header { icc, metadata, texts, size };
    let encoded = match picture {
        Picture::Frame(frame) => {
            let opaque = frame.is_opaque();
            let flatten = !format.has_alpha() && !opaque;
            if flatten {
                let background = color_name(encoding.background);
                notes.push(format!("JPEG has no transparency; the background is {background}"));
            }
            let pixels = if opaque || flatten {
                Cow::Owned(without_alpha(name, frame, encoding.background)?)
            } else {
                match frame {
                    Cow::Borrowed(frame) => Cow::Borrowed(frame.rgba()),
                    Cow::Owned(frame) => Cow::Owned(frame.into_rgba()),
                }
            };
            write_bytes(&mut writer, header, &pixels, !(opaque || flatten), encoding)
        }
        Picture::Deep(frame) => write_words(&mut writer, header, frame, format),
    };
    notes.extend(metadata.left_out(format));
    encoded.map_err(|e| match (writer.failure.take(), e) {
        (Some(e), _) | (None, ImageError::IoError(e)) => refused(name, &e),
        (None, other) => unwritten(name, other.to_string()),
    })?;
    Ok(notes)
}

/// Writes RGB or RGBA with 8 bits per channel.
fn write_bytes(
    writer: &mut ErrorKeeper<'_>,
    header: Header<'_>,
    pixels: &[u8],
    has_alpha: bool,
    encoding: Encoding,
) -> Result<(), ImageError> {
    let Header { metadata, size: (width, height), .. } = header;
    let color = if has_alpha { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    match encoding.format {
        Format::Png => write_png(writer, header, has_alpha, png::BitDepth::Eight, |rows| {
            rows.write_all(pixels)
        }),
        Format::Jpeg => {
            let writer = AfterHeader::of(writer, &header);
            let mut jpeg = jpeg_encoder::Encoder::new(writer, encoding.quality.clamp(1, 100));
            // Full chroma at any quality: paintings have fine coloured lines.
            jpeg.set_sampling_factor(SamplingFactor::F_1_1);
            if let Some(dpi) = metadata.dpi {
                let unit = PixelDensityUnit::Inches;
                jpeg.set_density(PixelDensity { density: (dpi, dpi), unit });
            }
            let exif = metadata.exif.as_deref().filter(|exif| exif.len() < SEGMENT_BYTES);
            let exif = exif.map_or(Ok(()), |exif| jpeg.add_exif_metadata(exif));
            let icc = header.icc.or_else(color::srgb_profile).unwrap_or_default();
            // The format's limit of a side is that of this number.
            let (width, height) = (width as u16, height as u16);
            exif.and_then(|()| jpeg.add_icc_profile(&icc))
                .and_then(|()| jpeg.encode(pixels, width, height, JpegColor::Rgb))
                .map_err(|error| ImageError::IoError(io::Error::other(error)))
        }
        Format::WebP => {
            let mut webp = WebPEncoder::new(writer);
            webp.set_icc_profile(header.icc.or_else(color::srgb_profile).unwrap_or_default());
            webp.set_exif_metadata(metadata.exif.clone().unwrap_or_default());
            webp.set_xmp_metadata(metadata.xmp.clone().unwrap_or_default());
            let color = if has_alpha { WebPColor::Rgba8 } else { WebPColor::Rgb8 };
            webp.encode(pixels, width, height, color)
                .map_err(|error| ImageError::IoError(io::Error::other(error)))
        }
        Format::Bmp => BmpEncoder::new(writer).write_image(pixels, width, height, color),
        Format::Tiff if has_alpha => write_tiff::<RGBA8>(writer, header, pixels),
        Format::Tiff => write_tiff::<RGB8>(writer, header, pixels),
    }
}

/// Writes RGB or RGBA with 16 bits per channel, as TIFF or PNG.
fn write_words(
    writer: &mut ErrorKeeper<'_>,
    header: Header<'_>,
    frame: DeepFrame,
    format: Format,
) -> Result<(), ImageError> {
    let has_alpha = !frame.is_opaque();
    let (columns, _) = frame.size();
    let words: Vec<u16> = if has_alpha {
        frame.pixels.into_flattened()
    } else {
        frame.pixels.into_iter().flat_map(|[r, g, b, _]| [r, g, b]).collect()
    };
    match format {
        Format::Tiff if has_alpha => write_tiff::<RGBA16>(writer, header, &words),
        Format::Tiff => write_tiff::<RGB16>(writer, header, &words),
        _ => write_png(writer, header, has_alpha, png::BitDepth::Sixteen, |rows| {
            words.chunks(4 * columns).try_for_each(|part| {
                let bytes: Vec<u8> = part.iter().flat_map(|word| word.to_be_bytes()).collect();
                rows.write_all(&bytes)
            })
        }),
    }
}

/// Writes what `pixels` writes, compressed at once, because the image crate's encoder would keep all compressed pixels
/// in memory.
fn write_png(
    writer: &mut ErrorKeeper<'_>,
    Header { icc, metadata, texts, size: (width, height) }: Header<'_>,
    has_alpha: bool,
    depth: png::BitDepth,
    pixels: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ImageError> {
    let failed = |error: png::EncodingError| ImageError::IoError(error.into());
    let mut info = png::Info::with_size(width, height);
    info.srgb = icc.is_none().then_some(png::SrgbRenderingIntent::RelativeColorimetric);
    info.icc_profile = icc.map(Cow::Owned);
    info.exif_metadata = metadata.exif.as_deref().map(Cow::Borrowed);
    info.pixel_dims = metadata.dpi.map(|dpi| {
        let per_meter = (f64::from(dpi) / 0.0254).round() as u32;
        png::PixelDimensions { xppu: per_meter, yppu: per_meter, unit: png::Unit::Meter }
    });
    let mut encoder = png::Encoder::with_info(writer, info).map_err(failed)?;
    encoder.set_color(if has_alpha { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    for (keyword, text) in texts {
        encoder.add_itxt_chunk((*keyword).to_owned(), text.clone()).map_err(failed)?;
    }
    if let Some(xmp) = &metadata.xmp {
        let text = String::from_utf8_lossy(xmp).into_owned();
        encoder.add_itxt_chunk("XML:com.adobe.xmp".to_owned(), text).map_err(failed)?;
    }
    let mut encoder = encoder.write_header().map_err(failed)?;
    let mut rows = encoder.stream_writer_with_size(PNG_CHUNK_BYTES).map_err(failed)?;
    pixels(&mut rows).map_err(ImageError::IoError)?;
    rows.finish().map_err(failed)?;
    encoder.finish().map_err(failed)
}

/// RGB bytes on a background. Reuses the picture's memory if it is passed by value.
fn without_alpha(
    name: &str,
    frame: Cow<'_, Frame>,
    background: [u8; 3],
) -> Result<Vec<u8>, MediaError> {
    let bytes = frame.pixel_count() * 3;
    if let Cow::Owned(frame) = frame {
        let mut rgb = frame.into_rgba();
        for index in 0..bytes / 3 {
            let pixel = on_background(rgb.as_chunks().0[index], background);
            rgb[3 * index..3 * (index + 1)].copy_from_slice(&pixel);
        }
        rgb.truncate(bytes);
        return Ok(rgb);
    }
    let mut rgb = Vec::new();
    rgb.try_reserve_exact(bytes).map_err(|_| {
        let megabytes = bytes.div_ceil(1_000_000);
        let reason =
            format!("{megabytes} MB of memory could not be allocated; close other programs");
        unwritten(name, reason)
    })?;
    for pixel in frame.rgba().as_chunks().0 {
        rgb.extend_from_slice(&on_background(*pixel, background));
    }
    Ok(rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_in_a_png_and_leave_the_picture_unchanged() {
        let frame = Frame::from_fn(5, 4, |x, y| [x as u8 * 40, y as u8 * 50, 9, 200]);
        let texts = [("Style", "Große Welle".to_owned())];
        let bytes = png_with_texts("a picture", &frame, &texts).expect("a small picture");
        let mut reader = png::Decoder::new(Cursor::new(&bytes)).read_info().expect("still a PNG");
        let text = &reader.info().utf8_text[0];
        assert_eq!(text.keyword, "Style");
        assert_eq!(text.get_text().as_deref().ok(), Some("Große Welle"));
        let mut pixels = vec![0; 4 * frame.pixel_count()];
        reader.next_frame(&mut pixels).expect("every checksum holds");
        assert_eq!(pixels, frame.rgba());
        assert!(png_with_texts("a picture", &frame, &[("", String::new())]).is_err());
    }

    #[test]
    fn a_full_disk_has_our_words_in_every_format_and_at_every_byte() {
        /// A disk with room for this many bytes.
        struct Disk(Cursor<Vec<u8>>, u64);
        impl Write for Disk {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let left = self.1.saturating_sub(self.0.position()) as usize;
                match left {
                    0 => Err(io::Error::from_raw_os_error(28)),
                    left => self.0.write(&bytes[..left.min(bytes.len())]),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        impl Seek for Disk {
            fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }
        let frame = Frame::from_fn(97, 41, |x, y| [x as u8, y as u8, (x * y) as u8, 255]);
        for &format in Format::ALL {
            let encoding = Encoding::of(format);
            let (whole, _) = to_bytes("a", &frame, None, encoding).expect("encoded");
            for room in (0..whole.len()).step_by(97) {
                let mut disk = Disk(Cursor::default(), room as u64);
                let written = write(
                    &mut disk,
                    "a",
                    Cow::Borrowed(&frame).into(),
                    Attached::default(),
                    encoding,
                );
                let said = written.expect_err("a full disk").to_string();
                assert!(said.contains("the disk is full; free some space"), "{format}: {said}");
            }
        }
    }

    #[test]
    fn an_owned_picture_is_encoded_to_the_same_bytes() {
        let opaque = Frame::from_fn(37, 21, |x, y| [(x * 6) as u8, (y * 12) as u8, 9, 255]);
        let clear = Frame::from_fn(37, 21, |x, y| [(x * 6) as u8, 7, 9, (y * 12) as u8]);
        for frame in [opaque, clear] {
            for &format in Format::ALL {
                let encoding = Encoding::of(format);
                let lent = to_bytes("a", &frame, None, encoding).expect("encoded");
                let given = Cow::Owned(frame.clone());
                let given =
                    to_bytes_with("a", given, Attached::default(), encoding).expect("encoded");
                assert!(lent == given, "{format}");
            }
        }
    }
}
