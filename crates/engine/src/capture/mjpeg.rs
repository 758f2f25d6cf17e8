//! Decodes the JPEG pictures of cameras to RGBA8.
//!
//! Stricter than a photo decoder: a truncated or corrupt frame is refused, because the next one arrives 33 ms later.
//! Missing bytes in the middle are not always detected here; drivers flag such frames.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::format::MAX_SIDE_PX;
use pictures::{container::jpeg_segments, guard::guarded};
use values::raw_frame::Unusable;

/// Number of consecutive complete frames that the strict decoder refuses before the camera counts as one that writes
/// unusual files.
const PATIENCE_FRAMES: u32 = 15;
/// Columns and rows by which a picture may be larger than agreed, as of cameras that send whole blocks.
const MAX_SURPLUS_PX: usize = 64;
/// Start of image.
const SOI: [u8; 2] = [0xff, 0xd8];
/// End of image.
const EOI: [u8; 2] = [0xff, 0xd9];
/// Define Huffman tables.
const DHT: u8 = 0xc4;
/// Start of scan.
const SOS: u8 = 0xda;
/// A segment that selects the standard Huffman tables, which many cameras omit.
const STANDARD_TABLES: [u8; 18] =
    [0xff, 0xe0, 0, 16, b'A', b'V', b'I', b'1', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Decodes the frames of one stream. The JPEG decoder allocates its own tables and rows for each frame; pixel and byte
/// buffers are reused.
#[derive(Default)]
pub(super) struct Mjpeg {
    refused: u32,
    /// A frame with the missing tables inserted.
    completed: Vec<u8>,
    /// The pixels of a picture that is larger than agreed.
    larger: Vec<u8>,
}

impl Mjpeg {
    /// Decodes `bytes`, which may begin before the picture and continue after it, into `rgba` of `width * height * 4`
    /// bytes. A larger picture is cropped on the right and below.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        size: (usize, usize),
        rgba: &mut [u8],
    ) -> Result<(), Unusable> {
        let begin = bytes.windows(2).position(|pair| pair == SOI).ok_or(Unusable::Damaged)?;
        let bytes = &bytes[begin..];
        let look = look(bytes).ok_or(Unusable::Damaged)?;
        let picture = if look.has_tables {
            &bytes[..look.end]
        } else {
            self.completed.clear();
            self.completed.extend_from_slice(&SOI);
            self.completed.extend_from_slice(&STANDARD_TABLES);
            self.completed.extend_from_slice(&bytes[2..look.end]);
            &self.completed
        };
        let strict = self.refused < PATIENCE_FRAMES;
        let decoded = decode_with(picture, size, (rgba, &mut self.larger), strict);
        match decoded {
            Ok(()) if strict => self.refused = 0,
            Err(Unusable::Damaged) if strict => self.refused += 1,
            _ => {}
        }
        decoded
    }
}

fn decode_with(
    picture: &[u8],
    (width, height): (usize, usize),
    (rgba, larger): (&mut [u8], &mut Vec<u8>),
    strict: bool,
) -> Result<(), Unusable> {
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(MAX_SIDE_PX as usize)
        .set_max_height(MAX_SIDE_PX as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGBA);
    let decode = || {
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
        decoder.decode_headers().map_err(|_| Unusable::Damaged)?;
        let (columns, rows) = decoder.dimensions().ok_or(Unusable::Damaged)?;
        if (columns, rows) == (width, height) {
            return decoder.decode_into(rgba).map_err(|_| Unusable::Damaged);
        }
        let fits = |side, agreed| (agreed..=agreed + MAX_SURPLUS_PX).contains(&side);
        if !fits(columns, width) || !fits(rows, height) {
            return Err(Unusable::OtherFormat);
        }
        larger.resize(columns * rows * 4, 0);
        decoder.decode_into(larger).map_err(|_| Unusable::Damaged)?;
        let rows = larger.chunks_exact(columns * 4);
        for (to, from) in rgba.chunks_exact_mut(width * 4).zip(rows) {
            to.copy_from_slice(&from[..width * 4]);
        }
        Ok(())
    };
    guarded(decode).unwrap_or(Err(Unusable::Damaged))
}

/// Facts from a picture's segments, read before decoding.
struct Look {
    /// Offset of the first byte after the picture.
    end: usize,
    has_tables: bool,
}

/// Walks the segments to the pixels, and from there to the first end marker that is not pixel data. Buffers are longer
/// than pictures and contain the rest of an older picture after the end. Returns `None` if a marker is missing.
fn look(bytes: &[u8]) -> Option<Look> {
    let mut has_tables = false;
    let pixels = jpeg_segments(bytes).find_map(|segment| {
        has_tables |= segment.marker == DHT;
        (segment.marker == SOS).then_some(segment.end)
    })?;
    let end = bytes.get(pixels..)?.windows(2).position(|pair| pair == EOI)?;
    Some(Look { end: pixels + end + 2, has_tables })
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

    use super::*;

    const SIZE: (usize, usize) = (43, 30);

    fn picture(colour: ExtendedColorType) -> Vec<u8> {
        let (width, height) = SIZE;
        let channels = usize::from(colour.channel_count());
        let pixels: Vec<u8> = (0..width * height * channels)
            .map(|i| {
                let (x, y) = (i / channels % width, i / channels / width);
                [x * 5, y * 8, 90][i % channels] as u8
            })
            .collect();
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95)
            .encode(&pixels, width as u32, height as u32, colour)
            .expect("encoded");
        bytes
    }

    fn decoded(mjpeg: &mut Mjpeg, bytes: &[u8]) -> Result<Vec<[u8; 4]>, Unusable> {
        let mut rgba = vec![0; SIZE.0 * SIZE.1 * 4];
        mjpeg.decode(bytes, SIZE, &mut rgba)?;
        Ok(rgba.as_chunks::<4>().0.to_vec())
    }

    /// The picture without its Huffman tables.
    fn without_tables(bytes: &[u8]) -> Vec<u8> {
        let mut left = bytes[..2].to_vec();
        let mut at = 2;
        while bytes[at + 1] != SOS {
            let length = 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
            if bytes[at + 1] != DHT {
                left.extend_from_slice(&bytes[at..at + length]);
            }
            at += length;
        }
        left.extend_from_slice(&bytes[at..]);
        left
    }

    #[test]
    fn colours_and_greys_arrive() {
        let mut mjpeg = Mjpeg::default();
        let pixels = decoded(&mut mjpeg, &picture(ExtendedColorType::Rgb8)).expect("decoded");
        for (i, p) in pixels.iter().enumerate() {
            let expected = [i % SIZE.0 * 5, i / SIZE.0 * 8, 90, 255];
            for c in 0..4 {
                let apart = p[c].abs_diff(expected[c] as u8);
                assert!(apart < 20, "{i}: {p:?} for {expected:?}");
            }
        }
        let pixels = decoded(&mut mjpeg, &picture(ExtendedColorType::L8)).expect("decoded");
        assert!(pixels.iter().all(|p| p[0] == p[1] && p[1] == p[2]));
    }

    #[test]
    fn a_buffer_may_be_longer_than_its_picture() {
        let mut bytes = picture(ExtendedColorType::Rgb8);
        let alone = decoded(&mut Mjpeg::default(), &bytes);
        bytes.extend_from_slice(&[0; 5000]);
        assert_eq!(decoded(&mut Mjpeg::default(), &bytes), alone);
        // As in a reused buffer: the rest of an older picture follows the new one.
        let mut old = picture(ExtendedColorType::Rgb8);
        old.extend_from_slice(&picture(ExtendedColorType::L8));
        let new = picture(ExtendedColorType::Rgb8);
        old[..new.len()].copy_from_slice(&new);
        assert_eq!(decoded(&mut Mjpeg::default(), &old), alone);
        assert_eq!(look(&old).map(|look| look.end), Some(new.len()));
    }

    #[test]
    fn missing_tables_are_put_in() {
        let whole = picture(ExtendedColorType::Rgb8);
        let bare = without_tables(&whole);
        assert!(bare.len() < whole.len() - 400, "the tables are gone");
        let mut mjpeg = Mjpeg::default();
        assert_eq!(decoded(&mut mjpeg, &bare), decoded(&mut mjpeg, &whole));
    }

    #[test]
    fn truncated_data_and_other_sizes_are_refused() {
        let whole = picture(ExtendedColorType::Rgb8);
        for kept in [0, 1, 2, 3, 20, 300, whole.len() / 2, whole.len() - 1] {
            let got = decoded(&mut Mjpeg::default(), &whole[..kept]);
            assert_eq!(got, Err(Unusable::Damaged), "{kept} bytes");
        }
        for (width, height) in [(8, 30), (43, 8), (44, 30), (43, 31)] {
            let mut rgba = vec![0; width * height * 4];
            let smaller = SIZE.0 >= width && SIZE.1 >= height;
            let got = Mjpeg::default().decode(&whole, (width, height), &mut rgba);
            assert_eq!(got.is_ok(), smaller, "{width} x {height}: {got:?}");
        }
        let mut rgba = vec![0; 4];
        let mut large = Vec::new();
        JpegEncoder::new(&mut large)
            .encode(&[9; 200 * 3], 200, 1, ExtendedColorType::Rgb8)
            .expect("encoded");
        let got = Mjpeg::default().decode(&large, (1, 1), &mut rgba);
        assert_eq!(got, Err(Unusable::OtherFormat));
    }

    #[test]
    fn a_larger_picture_is_cropped_and_what_precedes_it_is_skipped() {
        let bytes = picture(ExtendedColorType::Rgb8);
        let whole = decoded(&mut Mjpeg::default(), &bytes).expect("decoded");
        let mut late = vec![0xff, 0x00, 0xd8, 0x12];
        late.extend_from_slice(&bytes);
        assert_eq!(decoded(&mut Mjpeg::default(), &late), Ok(whole.clone()));
        let (width, height) = (SIZE.0 - 3, SIZE.1 - 8);
        let mut rgba = vec![0; width * height * 4];
        let mut mjpeg = Mjpeg::default();
        assert_eq!(mjpeg.decode(&bytes, (width, height), &mut rgba), Ok(()));
        for (y, row) in rgba.as_chunks::<4>().0.chunks(width).enumerate() {
            assert_eq!(row, &whole[y * SIZE.0..][..width], "row {y}");
        }
    }

    #[test]
    fn an_unusual_camera_is_understood_after_a_while() {
        let mut bytes = picture(ExtendedColorType::Rgb8);
        // Bytes between two segments, which only a lenient decoder skips.
        bytes.splice(2..2, [0x00, 0x12, 0x00]);
        let mut mjpeg = Mjpeg::default();
        let refused = (0..PATIENCE_FRAMES).filter(|_| decoded(&mut mjpeg, &bytes).is_err()).count();
        assert_eq!(refused, PATIENCE_FRAMES as usize);
        assert!(decoded(&mut mjpeg, &bytes).is_ok());
    }
}
