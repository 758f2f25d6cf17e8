//! Decodes TIFF: the first page that is not a thumbnail, in the colour spaces of photos.

use std::borrow::Cow;

use image::{
    ImageError, ImageResult,
    error::{LimitError, LimitErrorKind},
    metadata::Orientation,
};
use tiff::{
    ColorType as Samples, TiffError,
    decoder::{Decoder, DecodingResult, Limits as TiffLimits},
    tags::Tag,
};

use super::{
    clock::{Clock, Steps},
    container::jpeg_frame_pixels,
    foreign::{Opened, Pixels, from_ycbcr, invalid, unsupported, write_levels},
};

/// Maximum number of thumbnails before the picture.
const MAX_THUMBNAILS: usize = 16;
/// Maximum bytes of a tag's value, such as a profile.
const TAG_BYTES: usize = 8 << 20;
/// Number of pixels of strips and tiles, and of columns of a tile, that are always accepted.
const TILE_PIXELS: u64 = 4 << 20;
const MAX_TILE_PX: u32 = 4096;
/// How often the data of strips that are JPEGs may be read.
const MAX_READINGS: u64 = 4;
/// A compression (TIFF Technical Note 2).
const JPEG: u64 = 7;
const PALETTE: u16 = 3;
const CIE_LAB: u16 = 8;
const OLD_SUBFILE_TYPE: Tag = Tag::Unknown(255);
pub(super) const XMP: Tag = Tag::Unknown(700);
pub(super) const IPTC: Tag = Tag::Unknown(33_723);
const DNG_VERSION: Tag = Tag::Unknown(50_706);
const IEEE_FLOAT: u16 = 3;

/// How samples become colours.
enum Space {
    /// Grey or RGB, with or without alpha, or four inks in the place of RGBA, as they are.
    Direct,
    YCbCr,
    /// a and b are signed (CIE); otherwise they have an offset (ICC).
    Lab {
        is_signed: bool,
    },
    /// The colour of each index.
    Palette(Vec<[f32; 3]>),
}

struct TiffImage<'a> {
    decoder: Decoder<Steps<'a>>,
    samples: Samples,
    space: Space,
    size: (u32, u32),
    pixels: Pixels,
}

/// Reads the header.
pub(super) fn open<'a>(bytes: &'a [u8], clock: &'a Clock<'a>) -> ImageResult<Opened<'a>> {
    let (mut decoder, page) = page(bytes, clock)?;
    let photometric: Option<u16> =
        decoder.find_tag_unsigned(Tag::PhotometricInterpretation).map_err(failed)?;
    // The crate does not read these two. Their samples are those of grey and of RGB.
    let label = match photometric {
        Some(PALETTE) => Some(1),
        Some(CIE_LAB) => Some(2),
        _ => None,
    };
    if let Some(label) = label {
        let start = decoder.ifd_pointer().map_or(0, |pointer| pointer.0);
        let mut relabeled = bytes.to_vec();
        let byte = photometric_at(bytes, start).and_then(|at| relabeled.get_mut(at));
        *byte.ok_or_else(|| invalid("its tags are invalid"))? = label;
        decoder = decoder_of(relabeled, clock)?;
        decoder.seek_to_image(page).map_err(failed)?;
    }
    let size = decoder.dimensions().map_err(failed)?;
    let samples = decoder.colortype().map_err(failed)?;
    check_parts(&mut decoder, bytes, size)?;
    let formats = decoder
        .find_tag_unsigned_vec::<u16>(Tag::SampleFormat)
        .map_err(failed)?
        .unwrap_or_default();
    let is_float = formats.contains(&IEEE_FLOAT);
    if formats.iter().any(|&format| !matches!(format, 1 | IEEE_FLOAT)) {
        return Err(unsupported("samples with a sign".to_owned()));
    }
    let space = match (photometric, samples) {
        (Some(PALETTE), Samples::Gray(1 | 2 | 4 | 8)) => Space::Palette(colors(&mut decoder)?),
        (Some(CIE_LAB), Samples::RGB(8 | 16)) => Space::Lab { is_signed: true },
        (_, Samples::Lab(8 | 16)) => Space::Lab { is_signed: false },
        (_, Samples::YCbCr(_)) => Space::YCbCr,
        _ => Space::Direct,
    };
    let pixels = pixels_of(samples, &space, is_float)
        .ok_or_else(|| unsupported(format!("pixels of type {samples:?}")))?;
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
    let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let mut part = |tag| decoder.get_tag_u8_vec(tag).ok();
    let (icc, xmp, iptc) = (part(Tag::IccProfile), part(XMP), part(IPTC));
    let has_further_pages = decoder.more_images();
    let image = TiffImage { decoder, samples, space, size, pixels };
    let read = move |pixels: &mut [u8], max_bytes| image.read(pixels, max_bytes);
    Ok(Opened {
        is_cmyk: matches!(samples, Samples::CMYK(_)),
        is_premultiplied: extra.is_some_and(|extra| extra.first() == Some(&1)),
        orientation: orientation
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms),
        icc,
        xmp,
        iptc,
        further: has_further_pages.then_some("page"),
        copied_bytes: label.map_or(0, |_| bytes.len() as u64),
        ..Opened::new(size, pixels, Box::new(read))
    })
}

impl TiffImage<'_> {
    /// The red, green, blue and alpha, or grey and alpha, of the samples at an index, from 0 to 1.
    fn color(&self, sample: impl Fn(usize) -> f32) -> [f32; 4] {
        let [r, g, b] = match &self.space {
            Space::Direct => {
                // Grey floats become RGB.
                let stored = usize::from(self.samples.num_samples()).min(self.pixels.channels);
                return [0, 1, 2, 3].map(|n| sample(n.min(stored - 1)));
            }
            Space::YCbCr => {
                let [cb, cr] = [1, 2].map(|n| sample(n) - 128.0 / 255.0);
                from_ycbcr(sample(0), cb, cr)
            }
            Space::Lab { is_signed } => {
                // Of 256 levels, a and b are whole numbers.
                let levels = if self.samples.bit_depth() == 8 { 255.0 } else { 65535.0 / 256.0 };
                let [a, b] = [1, 2].map(|n| match sample(n) * levels {
                    level if *is_signed && level >= 128.0 => level - 256.0,
                    level if *is_signed => level,
                    level => level - 128.0,
                });
                from_lab(100.0 * sample(0), a, b)
            }
            Space::Palette(colors) => {
                let index = (sample(0) * (colors.len() - 1) as f32).round() as usize;
                colors[index.min(colors.len() - 1)]
            }
        };
        [r, g, b, 1.0]
    }

    fn read(mut self, pixels: &mut [u8], max_bytes: u64) -> ImageResult<()> {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let complete = self.decoder.image_buffer_layout().map_err(failed)?.complete_len;
        let mut limits = TiffLimits::default();
        limits.decoding_buffer_size = complete.min(max_bytes);
        limits.intermediate_buffer_size = max_bytes.saturating_sub(complete);
        limits.ifd_value_size = limits.intermediate_buffer_size;
        self.decoder = self.decoder.with_limits(limits);
        let mut stored = DecodingResult::U8(Vec::new());
        let layout = self.decoder.read_image_to_buffer(&mut stored).map_err(failed)?;
        if stored.as_buffer(0).as_bytes().len() < layout.complete_len {
            return Err(too_large());
        }
        let bits = self.samples.bit_depth();
        if bits < 8
            && let DecodingResult::U8(packed) = &stored
        {
            let row_bytes = (self.size.0 as usize * usize::from(bits)).div_ceil(8);
            stored = DecodingResult::U8(unpacked(packed, self.size.0 as usize, row_bytes, bits));
        }
        let is_stored_so = stored.as_buffer(0).as_bytes().len() == pixels.len()
            && matches!(self.space, Space::Direct)
            && layout.planes == 1
            && bits >= 8;
        if is_stored_so {
            pixels.copy_from_slice(stored.as_buffer(0).as_bytes());
            return Ok(());
        }
        let max = if bits < 8 { f32::from((1u8 << bits) - 1) } else { 255.0 };
        let channels = usize::from(self.samples.num_samples());
        let count = self.size.0 as usize * self.size.1 as usize;
        let (of_pixel, of_sample) = if layout.planes == 1 { (channels, 1) } else { (1, count) };
        let Pixels { channels, sample_bytes } = self.pixels;
        for (index, pixel) in pixels.chunks_exact_mut(self.pixels.bytes()).enumerate() {
            let color = self.color(|n| level(&stored, index * of_pixel + n * of_sample, max));
            write_levels(pixel, &color[..channels], sample_bytes);
        }
        Ok(())
    }
}

/// The decoder at the first page that is not a thumbnail, and the number of that page.
fn page<'a>(bytes: &'a [u8], clock: &'a Clock<'a>) -> ImageResult<(Decoder<Steps<'a>>, usize)> {
    let mut decoder = decoder_of(bytes, clock)?;
    let is_raw = bytes.get(8..10) == Some(b"CR")
        || has_tag(&mut decoder, DNG_VERSION)
        || (is_thumbnail(&mut decoder) && has_tag(&mut decoder, Tag::SubIfd));
    if is_raw {
        return Err(unsupported("a raw photo; develop it to JPEG or PNG first".to_owned()));
    }
    for page in 0..MAX_THUMBNAILS {
        if !is_thumbnail(&mut decoder) {
            return Ok((decoder, page));
        }
        if !decoder.more_images() || decoder.next_image().is_err() {
            break;
        }
    }
    Ok((decoder_of(bytes, clock)?, 0))
}

/// The decoder of a file, in which one byte may be replaced.
fn decoder_of<'a>(
    bytes: impl Into<Cow<'a, [u8]>>,
    clock: &'a Clock<'a>,
) -> ImageResult<Decoder<Steps<'a>>> {
    let mut limits = TiffLimits::default();
    limits.ifd_value_size = TAG_BYTES;
    Ok(Decoder::new(Steps::new(bytes, clock)).map_err(failed)?.with_limits(limits))
}

fn has_tag(decoder: &mut Decoder<Steps<'_>>, tag: Tag) -> bool {
    decoder.find_tag(tag).is_ok_and(|value| value.is_some())
}

/// True if the page is a smaller version of another one (TIFF 6.0, NewSubfileType and SubfileType).
fn is_thumbnail(decoder: &mut Decoder<Steps<'_>>) -> bool {
    let mut number = |tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten().unwrap_or(0);
    number(Tag::NewSubfileType) & 1 == 1 || number(OLD_SUBFILE_TYPE) == 2
}

/// Refuses strips and tiles that are much larger than the picture, each or together: the decoder allocates memory for a
/// row of a tile, and for a strip by the size that its JPEG declares; and any number of them may share their data.
fn check_parts(
    decoder: &mut Decoder<Steps<'_>>,
    bytes: &[u8],
    (width, height): (u32, u32),
) -> ImageResult<()> {
    let odd = || invalid("its strips or tiles are larger than the image");
    if decoder.chunk_dimensions().0 > MAX_TILE_PX.max(width.saturating_mul(2)) {
        return Err(odd());
    }
    let mut numbers = |tag| decoder.find_tag_unsigned_vec::<u64>(tag).map_err(failed);
    let first = |numbers: Option<Vec<u64>>| numbers.and_then(|numbers| numbers.first().copied());
    if first(numbers(Tag::Compression)?) != Some(JPEG) {
        return Ok(());
    }
    let planes = match first(numbers(Tag::PlanarConfiguration)?) {
        Some(2) => first(numbers(Tag::SamplesPerPixel)?).unwrap_or(1),
        _ => 1,
    };
    let offsets = numbers(Tag::StripOffsets)?.or(numbers(Tag::TileOffsets)?).unwrap_or_default();
    let lengths = numbers(Tag::StripByteCounts)?.or(numbers(Tag::TileByteCounts)?);
    // The decoder puts them in front of every part, without the markers between.
    let tables = decoder.get_tag_u8_vec(Tag::JPEGTables).ok();
    let [across, down] = [width, height].map(|side| u64::from(side.max(MAX_TILE_PX / 8)));
    let mut left_pixels = (2 * planes * across).saturating_mul(down).max(TILE_PIXELS);
    let mut left_bytes = (MAX_READINGS * bytes.len() as u64).max(left_pixels);
    for (offset, length) in offsets.into_iter().zip(lengths.unwrap_or_default()) {
        let end = offset.saturating_add(length).min(bytes.len() as u64);
        let part = bytes.get(offset as usize..end as usize).unwrap_or_default();
        let (start, part) = match &tables {
            Some(tables) => (&tables[..tables.len().saturating_sub(2)], part.get(2..)),
            None => (&[][..], Some(part)),
        };
        let part = part.unwrap_or_default();
        let read_bytes = (start.len() + part.len()) as u64;
        left_bytes = left_bytes.checked_sub(read_bytes).ok_or_else(odd)?;
        let jpeg = [start, part].concat();
        let frame = jpeg_frame_pixels(&jpeg).max().unwrap_or(0);
        left_pixels = left_pixels.checked_sub(frame).ok_or_else(odd)?;
    }
    Ok(())
}

/// The decoded pixels; `None` if they are not read.
fn pixels_of(samples: Samples, space: &Space, is_float: bool) -> Option<Pixels> {
    let sample_bytes = match (samples.bit_depth(), is_float) {
        (16 | 32, true) => 4,
        (8, false) => 1,
        (16, false) => 2,
        (1 | 2 | 4, false) if matches!(samples, Samples::Gray(_)) => 1,
        _ => return None,
    };
    let channels = match samples {
        Samples::Gray(_) | Samples::RGB(_) if is_float => 3,
        Samples::RGBA(_) => 4,
        _ if is_float => return None,
        Samples::Gray(_) if matches!(space, Space::Direct) || sample_bytes > 1 => 1,
        Samples::GrayA(_) | Samples::Multiband { num_samples: 2, .. } => 2,
        Samples::CMYK(_) => 4,
        Samples::CMYKA(_) | Samples::Multiband { .. } => return None,
        _ => 3,
    };
    Some(Pixels { channels, sample_bytes })
}

/// The colours of a palette: all reds, all greens and all blues. Some writers multiply levels by 256 and others by 257,
/// so only the high bytes count; a few write only low bytes.
fn colors(decoder: &mut Decoder<Steps<'_>>) -> ImageResult<Vec<[f32; 3]>> {
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).map_err(failed)?;
    let count = map.len() / 3;
    let bits = decoder.colortype().map_err(failed)?.bit_depth();
    if count != 1 << bits {
        return Err(invalid("its palette does not have its declared size"));
    }
    let shift = if map.iter().all(|&level| level < 256) { 0 } else { 8 };
    let level = |index: usize| f32::from(map[index] >> shift) / 255.0;
    Ok((0..count).map(|n| [level(n), level(count + n), level(2 * count + n)]).collect())
}

/// sRGB of a colour in CIE L*a*b* for a white of D50.
fn from_lab(l: f32, a: f32, b: f32) -> [f32; 3] {
    let y = (l + 16.0) / 116.0;
    let linear = |t: f32| if t > 6.0 / 29.0 { t.powi(3) } else { (t - 4.0 / 29.0) * 108.0 / 841.0 };
    let [x, y, z] = [0.9642 * linear(y + a / 500.0), linear(y), 0.8249 * linear(y - b / 200.0)];
    // From XYZ for D50 to the primaries of sRGB.
    let rows = [
        [3.133_856, -1.616_867, -0.490_615],
        [-0.978_768, 1.916_142, 0.033_454],
        [0.071_945, -0.228_991, 1.405_243],
    ];
    rows.map(|[of_x, of_y, of_z]| match of_x * x + of_y * y + of_z * z {
        linear if linear <= 0.003_130_8 => 12.92 * linear,
        linear => 1.055 * linear.powf(1.0 / 2.4) - 0.055,
    })
}

/// Samples of less than 8 bits, each in a byte. A row starts with a new byte.
fn unpacked(packed: &[u8], width: usize, row_bytes: usize, bits: u8) -> Vec<u8> {
    let bits = usize::from(bits);
    let row = |row: &[u8]| {
        let sample = |column: usize| {
            let bit = column * bits;
            row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1) as u8
        };
        (0..width).map(sample).collect::<Vec<_>>()
    };
    packed.chunks_exact(row_bytes).flat_map(row).collect()
}

/// A sample, from 0 to 1 unless it is a float. `max` is the highest one in bytes.
fn level(samples: &DecodingResult, index: usize, max: f32) -> f32 {
    match samples {
        DecodingResult::U8(s) => f32::from(s[index]) / max,
        DecodingResult::U16(s) => f32::from(s[index]) / 65535.0,
        DecodingResult::F16(s) => s[index].to_f32(),
        DecodingResult::F32(s) => s[index],
        _ => 0.0,
    }
}

fn too_large() -> ImageError {
    ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory))
}

fn failed(error: TiffError) -> ImageError {
    match error {
        TiffError::IoError(error) => ImageError::IoError(error),
        TiffError::UnsupportedError(what) => unsupported(what.to_string()),
        TiffError::LimitsExceeded => too_large(),
        other => invalid(&other.to_string()),
    }
}

/// Where the low byte of the value of PhotometricInterpretation is, in the directory that starts at `start` (TIFF 6.0,
/// section 2, and BigTIFF).
fn photometric_at(bytes: &[u8], start: u64) -> Option<usize> {
    let is_little = bytes.starts_with(b"II");
    let is_big = matches!(bytes.get(2..4), Some(&[43, 0] | &[0, 43]));
    let word = |at: usize| {
        let raw = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) })
    };
    let (head, length, value) = if is_big { (8, 20, 12) } else { (2, 12, 8) };
    let first = usize::try_from(start).ok()?.checked_add(head)?;
    let mut entries = (0..).map(|n| first + n * length).take_while(|&at| at < bytes.len());
    let entry = entries.find(|&at| word(at) == Some(262))?;
    Some(entry + value + usize::from(!is_little))
}
