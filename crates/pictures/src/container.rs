//! Facts that the decoders do not report: whether a file contains several pictures, and whether a JPEG has its end
//! marker.
//!
//! Walks the structure of the container without decoding pixels. Every walk ends with the given bytes. Malformed data
//! ends it without an error, because the decoder reports damage itself.

use std::io;

use super::{kind::Kind, png_info::png_info};

const PNG_SIGNATURE_BYTES: usize = 8;
/// Bytes of a chunk of a PNG other than its data.
const PNG_CHUNK_BYTES: usize = 12;

pub(super) fn is_animated(format: Kind, bytes: &[u8]) -> bool {
    match format {
        Kind::Gif => gif_frames(bytes).nth(1).is_some(),
        Kind::Png => png_is_animated(bytes),
        Kind::WebP => webp_is_animated(bytes).unwrap_or(false),
        _ => false,
    }
}

pub(super) const A_VIDEO: &str = "a video";

/// First bytes of videos: Matroska and WebM, MPEG program streams and raw MPEG video, ASF, FLV, MXF, NUT and raw DV.
const VIDEO_MAGIC: [&[u8]; 8] = [
    b"\x1a\x45\xdf\xa3",
    b"\0\0\x01\xba",
    b"\0\0\x01\xb3",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"FLV\x01",
    b"\x06\x0e\x2b\x34",
    b"nut/multimedia",
    b"\x1f\x07\0",
];
/// Bytes of a packet of an MPEG transport stream, and of its time stamp in `.m2ts` files.
const TS_PACKET_BYTES: usize = 188;
const TS_STAMP_BYTES: usize = 4;

/// True if these are the first bytes of a video without a brand.
fn is_video(bytes: &[u8]) -> bool {
    let has = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|b| b.starts_with(magic));
    let is_ts = |stamp: usize| {
        (0..3).all(|packet| has(stamp + packet * (stamp + TS_PACKET_BYTES), b"\x47"))
    };
    // QuickTime files are older than brands.
    let old_mov = ["moov", "mdat", "wide", "free", "skip", "pnot"];
    let is_ogg = has(0, b"OggS") && bytes.windows(6).any(|word| word == b"theora");
    VIDEO_MAGIC.iter().any(|magic| bytes.starts_with(magic))
        || has(0, b"RIFF") && has(8, b"AVI ")
        || old_mov.iter().any(|name| has(4, name.as_bytes()))
        || is_ogg
        || is_ts(0)
        || is_ts(TS_STAMP_BYTES)
}

/// The name of a format that is recognised but not read.
pub(super) fn foreign_format(bytes: &[u8]) -> Option<&'static str> {
    let brand = bytes.get(8..12).filter(|_| bytes.get(4..8) == Some(b"ftyp"));
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    Some(match brand {
        Some(b"crx ") => "a raw photo (CR3)",
        Some(b"M4A " | b"M4B " | b"M4P ") => "a sound file",
        Some(_) => A_VIDEO,
        None if starts(b"\0\0\0\x0cjP  ") || starts(b"\xff\x4f\xff\x51") => "JPEG 2000",
        None if is_video(bytes) => A_VIDEO,
        None if starts(b"FUJIFILMCCD-RAW") || starts(b"IIRO") || starts(b"IIU\0") => "a raw photo",
        None if starts(b"8BPS") => "a Photoshop file (PSD)",
        None if starts(b"%PDF") => "a PDF file",
        None if starts(b"<svg") || starts(b"<?xml") => "an SVG or XML file",
        None => return None,
    })
}

/// The kind of a PNG that decoders do not read.
pub(super) fn unsupported_png(bytes: &[u8]) -> Option<&'static str> {
    (bytes.get(12..16) == Some(b"CgBI")).then_some("an iPhone PNG, which is not standard")
}

/// How the chunks of a PNG end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PngEnd {
    /// As they should, or with something that the decoder reports.
    Usual,
    /// After the pixels, without the end marker.
    NoMarker,
    /// Inside a chunk.
    Cut,
}

/// Walks the chunks of a PNG.
pub(super) fn png_end(bytes: &[u8]) -> PngEnd {
    let (mut end, mut has_pixels) = (PNG_SIGNATURE_BYTES, false);
    for (kind, data) in png_chunks(bytes) {
        if kind == b"IEND" {
            return PngEnd::Usual;
        }
        has_pixels |= kind == b"IDAT";
        end += PNG_CHUNK_BYTES + data.len();
    }
    match bytes.get(end..) {
        Some([]) if has_pixels => PngEnd::NoMarker,
        // Of the marker, only the checksum may be missing.
        Some([_, _, _, _, b'I', b'E', b'N', b'D', ..]) => PngEnd::Usual,
        _ => PngEnd::Cut,
    }
}

/// The complete chunks of a PNG: their types and data.
fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(PNG_SIGNATURE_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (kind, after) = after.split_first_chunk()?;
        let data = after.get(..u32::from_be_bytes(*length) as usize)?;
        // A checksum follows.
        rest = after.get(data.len() + 4..)?;
        Some((kind, data))
    })
}

/// The frames of a GIF, each with its number of pixels, which may be more than those of the picture.
pub(super) fn gif_frames(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(bytes).ok();
    std::iter::from_fn(move || {
        let frame = decoder.as_mut()?.next_frame_info().ok()??;
        Some(u64::from(frame.width) * u64::from(frame.height))
    })
}

/// True if a GIF ends before its end marker.
pub fn gif_is_cut(gif: impl io::Read) -> bool {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let walk = || {
        let mut decoder = options.read_info(gif)?;
        while decoder.next_frame_info()?.is_some() {}
        Ok(())
    };
    matches!(walk(), Err(gif::DecodingError::UnexpectedEof))
}

/// True if a PNG declares several frames (PNG, third edition, 11.3.6).
fn png_is_animated(bytes: &[u8]) -> bool {
    png_info(bytes).and_then(|info| info.animation_control).is_some_and(|all| all.num_frames > 1)
}

/// The primaries and the transfer function (ITU-T H.273) that the beginning of a PNG names.
pub fn png_code_points(bytes: &[u8]) -> Option<(u8, u8)> {
    let points = png_info(bytes)?.coding_independent_code_points?;
    Some((points.color_primaries, points.transfer_function))
}

/// The animation flag of the `VP8X` header (RFC 9649, 2.7).
fn webp_is_animated(bytes: &[u8]) -> Option<bool> {
    Some(bytes.get(12..16)? == b"VP8X" && bytes.get(20)? & 2 != 0)
}

/// True if the lossy frames of a WebP have the sizes that are declared for them (RFC 9649, 2.5 to 2.7). The decoder
/// allocates memory for a frame before it compares the sizes, regardless of the picture's size.
pub(super) fn webp_sizes_agree(bytes: &[u8]) -> bool {
    let chunks = riff_chunks(bytes.get(12..).unwrap_or_default());
    let mut canvas = None;
    chunks.into_iter().all(|Chunk { name, data, .. }| match name {
        // The decoder reads a size here, even if the chunk declares a shorter length.
        b"VP8X" => {
            canvas = webp_size(data, 4);
            canvas.is_some()
        }
        b"ANMF" => {
            let size = webp_size(data, 6);
            riff_chunks(data.get(16..).unwrap_or_default())
                .all(|Chunk { name, data, .. }| name != b"VP8 " || vp8_size(data) == size)
        }
        // Without a `VP8X` header the picture has the frame's size.
        b"VP8 " => canvas.is_none() || vp8_size(data) == canvas,
        _ => true,
    })
}

/// A frame of an animated WebP (RFC 9649, 2.7.1.1).
pub struct WebpFrame<'a> {
    /// Where its data starts in the file.
    pub start: usize,
    /// Column and row of its first pixel.
    pub at: [usize; 2],
    pub ms: u32,
    /// It is drawn over the picture before, by its transparency, instead of replacing it.
    pub is_blended: bool,
    /// Its area becomes transparent before the next frame.
    pub is_removed: bool,
    size: &'a [u8],
    /// Its chunks.
    parts: &'a [u8],
}

impl WebpFrame<'_> {
    /// The frame as a file of its own.
    pub fn file(&self) -> Vec<u8> {
        let mut body = b"WEBP".to_vec();
        if self.parts.starts_with(b"ALPH") {
            body.extend(b"VP8X\x0a\0\0\0\x10\0\0\0");
            body.extend(self.size);
        }
        body.extend(self.parts);
        [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
    }
}

/// The frames of an animated WebP; none if it is not animated. The last one may be cut off.
pub fn webp_frames(bytes: &[u8]) -> impl Iterator<Item = WebpFrame<'_>> {
    let frames = riff_chunks(bytes.get(12..).unwrap_or_default());
    frames.filter(|chunk| chunk.name == b"ANMF").filter_map(|chunk| {
        let (head, parts) = chunk.data.split_first_chunk::<16>()?;
        let &[x0, x1, x2, y0, y1, y2, .., ms0, ms1, ms2, flags] = head;
        let number = |a, b, c| u32::from_le_bytes([a, b, c, 0]);
        Some(WebpFrame {
            start: chunk.data.as_ptr() as usize - bytes.as_ptr() as usize,
            at: [number(x0, x1, x2), number(y0, y1, y2)].map(|half| 2 * half as usize),
            ms: number(ms0, ms1, ms2),
            is_blended: flags & 2 == 0,
            is_removed: flags & 1 == 1,
            size: chunk.data.get(6..12)?,
            parts,
        })
    })
}

/// How often an animated WebP is played, 0 for ever; `None` if it is not animated.
pub fn webp_plays(bytes: &[u8]) -> Option<u16> {
    let mut chunks = riff_chunks(bytes.get(12..)?);
    let plays = chunks.find(|chunk| chunk.name == b"ANIM")?.data.get(4..)?.first_chunk()?;
    Some(u16::from_le_bytes(*plays))
}

/// True if every chunk of a WebP and of its frames has its declared length. The decoder allocates memory for metadata
/// by the declared length, and also looks for metadata in the first frame.
pub(super) fn webp_is_whole(bytes: &[u8]) -> bool {
    let is_whole = |chunk: &Chunk<'_>| chunk.data.len() == chunk.declared_bytes;
    riff_chunks(bytes.get(12..).unwrap_or_default()).all(|chunk| {
        let frame = match chunk.name {
            b"ANMF" => chunk.data.get(16..).unwrap_or_default(),
            _ => &[],
        };
        is_whole(&chunk) && riff_chunks(frame).all(|part| is_whole(&part))
    })
}

/// A chunk of a RIFF file.
struct Chunk<'a> {
    name: &'a [u8],
    /// The available part of its data.
    data: &'a [u8],
    /// The declared length of its data.
    declared_bytes: usize,
}

/// The chunks of a RIFF file.
fn riff_chunks(mut bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let padded = length.saturating_add(length % 2);
        bytes = rest.get(padded..).unwrap_or_default();
        Some(Chunk {
            name: &head[..4],
            data: &rest[..length.min(rest.len())],
            declared_bytes: length,
        })
    })
}

/// Width and height at `at`, three bytes each, stored minus one.
fn webp_size(data: &[u8], at: usize) -> Option<[u32; 2]> {
    let &[a, b, c, d, e, f] = data.get(at..at + 6)? else {
        return None;
    };
    Some([[a, b, c, 0], [d, e, f, 0]].map(|side| u32::from_le_bytes(side) + 1))
}

/// Width and height of a lossy frame (RFC 6386, 9.1).
fn vp8_size(data: &[u8]) -> Option<[u32; 2]> {
    let &[a, b, c, d] = data.get(6..10)? else {
        return None;
    };
    Some([[a, b], [c, d]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff)))
}

/// The numbers of pixels in all JPEG frame headers in these bytes (ITU-T T.81, B.2.2). Compressed data contains nothing
/// that looks like a frame header.
pub(super) fn jpeg_frame_pixels(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.windows(10).filter_map(|header| {
        let &[0xff, marker @ 0xc0..=0xcf, _, _, 8 | 12, a, b, c, d, 1..=4] = header else {
            return None;
        };
        let is_frame = !matches!(marker, 0xc4 | 0xc8 | 0xcc);
        let side = |high, low| u64::from(u16::from_be_bytes([high, low]));
        is_frame.then(|| side(a, b) * side(c, d))
    })
}

/// The result of a walk over a JPEG's markers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct JpegLook {
    /// Colour components of the frame header (4: CMYK or YCCK); 0 if there is none.
    pub components: u8,
    /// The marker of the frame header (ITU-T T.81, table B.1); 0 if there is none.
    pub frame: u8,
    /// Bits of a sample.
    pub bits: u8,
    /// The colour transform that an Adobe segment names (2: YCCK); with this segment, inks are stored inverted.
    pub adobe: Option<u8>,
    /// An end-of-image marker follows a scan.
    pub has_end: bool,
    /// There is data after the header of the last scan.
    pub has_data: bool,
    /// A decoder must keep the coefficients of all components, because a scan refines them (progressive) or contains
    /// only some of them.
    pub keeps_coefficients: bool,
}

impl JpegLook {
    /// The kind of JPEG, if it is one that decoders do not read.
    pub fn unsupported(&self) -> Option<&'static str> {
        match self.frame {
            0xc3 => Some("lossless JPEG"),
            0xc5..=0xc7 => Some("hierarchical JPEG"),
            0xc9..=0xcf => Some("arithmetic coding"),
            0xf7 => Some("JPEG-LS"),
            0 => None,
            _ => (self.bits != 8).then_some("12 bits a sample"),
        }
    }
}

/// A segment of a JPEG.
pub struct JpegSegment<'a> {
    pub marker: u8,
    /// What is available of it, without its length.
    pub content: &'a [u8],
    /// Offset of what follows.
    pub end: usize,
}

/// The markers of a JPEG with their segments, up to the end marker (ITU-T T.81, annex B). Of the stand-alone markers
/// only that one is returned.
pub fn jpeg_segments(bytes: &[u8]) -> impl Iterator<Item = JpegSegment<'_>> {
    let mut next = Some(2usize);
    std::iter::from_fn(move || {
        let mut at = next?;
        loop {
            match *bytes.get(at..at.checked_add(2)?)? {
                // Fill bytes, stuffed zeros, restarts and stand-alone markers have no length.
                [0xff, 0x00 | 0x01 | 0xd0..=0xd8] => at += 2,
                [0xff, 0xd9] => {
                    next = None;
                    return Some(JpegSegment { marker: 0xd9, content: &[], end: at + 2 });
                }
                [0xff, marker] if marker != 0xff => {
                    let length = bytes.get(at + 2..)?.first_chunk()?;
                    let end = at + 2 + usize::from(u16::from_be_bytes(*length));
                    let content = bytes.get(at + 4..end.min(bytes.len())).unwrap_or_default();
                    next = Some(end);
                    return Some(JpegSegment { marker, content, end });
                }
                _ => at += 1,
            }
        }
    })
}

/// Walks the markers of a JPEG.
pub(super) fn look_at_jpeg(bytes: &[u8]) -> JpegLook {
    let mut look = JpegLook::default();
    let (mut scan, mut end_of_data) = (None, bytes.len());
    for JpegSegment { marker, content, end } in jpeg_segments(bytes) {
        let first = content.first().copied().unwrap_or(0);
        match marker {
            0xd9 => {
                look.has_end = scan.is_some();
                end_of_data = end - 2;
            }
            0xf7 if look.frame == 0 => look.frame = marker,
            // Tables; the other Cx are frame headers.
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => {
                look.components = content.get(5).copied().unwrap_or(0);
                if look.frame == 0 {
                    look.frame = marker;
                    look.bits = first;
                }
                // C0 and C1 are sequential.
                look.keeps_coefficients |= marker > 0xc1;
            }
            0xee if content.starts_with(b"Adobe") => look.adobe = content.get(11).copied(),
            0xda => {
                look.keeps_coefficients |= first < look.components;
                scan = Some(end);
            }
            _ => {}
        }
    }
    look.has_data = scan.is_some_and(|start| start < end_of_data);
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_end_on_nonsense() {
        for format in [Kind::Gif, Kind::Png, Kind::WebP] {
            for length in 0..64 {
                assert!(!is_animated(format, &vec![0xff; length]));
                assert!(!is_animated(format, &vec![0; length]));
            }
        }
        assert_eq!(look_at_jpeg(&[]), JpegLook::default());
        assert!(!look_at_jpeg(&[0xff; 9]).has_end);
    }

    #[test]
    fn jpegs_whose_coefficients_are_kept_are_known() {
        let look = |frame: u8, scan_components: u8| {
            let header = [0xff, frame, 0, 17, 8, 0, 9, 0, 9, 3];
            let parts = [1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
            let scan = [0xff, 0xda, 0, 3, scan_components, 7, 0xff, 0xd9];
            look_at_jpeg(&[&[0xff, 0xd8][..], &header, &parts, &scan].concat())
        };
        let baseline = look(0xc0, 3);
        assert!(baseline.has_end && baseline.components == 3);
        assert!(!baseline.keeps_coefficients);
        assert!(!look(0xc1, 3).keeps_coefficients);
        assert!(look(0xc2, 3).keeps_coefficients, "progressive");
        assert!(look(0xc0, 1).keeps_coefficients, "one scan a component");
    }

    #[test]
    fn frames_of_a_webp_have_the_sizes_declared_for_them() {
        let chunk = |kind: &[u8; 4], data: &[u8]| {
            let length = (data.len() as u32).to_le_bytes();
            [&kind[..], &length, data].concat()
        };
        let vp8 = |width: u8| chunk(b"VP8 ", &[0, 0, 0, 0x9d, 1, 0x2a, width, 0x40, 5, 0x80]);
        let header = chunk(b"VP8X", &[0, 0, 0, 0, 6, 0, 0, 4, 0, 0]);
        let file = |parts: &[&[u8]]| [&b"RIFF\0\0\0\0WEBP"[..], &parts.concat()].concat();
        assert!(webp_sizes_agree(&file(&[&vp8(9)])));
        assert!(webp_sizes_agree(&file(&[&header, &vp8(7)])));
        assert!(!webp_sizes_agree(&file(&[&header, &vp8(8)])));
        assert!(!webp_sizes_agree(&file(&[&header, &chunk(b"VP8 ", b"")])));
        assert!(!webp_sizes_agree(&file(&[&chunk(b"VP8X", b""), &vp8(7)])));
        let frame = |width| {
            let start = [0, 0, 0, 0, 0, 0, 6, 0, 0, 4, 0, 0, 0, 0, 0, 0];
            chunk(b"ANMF", &[&start[..], &vp8(width)].concat())
        };
        assert!(webp_sizes_agree(&file(&[&header, &frame(7)])));
        assert!(!webp_sizes_agree(&file(&[&header, &frame(7), &frame(8)])));
        for length in 0..40 {
            let whole = file(&[&header, &frame(7)]);
            webp_sizes_agree(&whole[..length]);
        }
    }

    #[test]
    fn frames_of_a_gif_are_found_with_their_sizes() {
        // With a table of two colours, without which the decoder reads no frame.
        let screen = b"GIF89a\x05\0\x04\0\x80\0\0\0\0\0\xff\xff\xff";
        let frame = b"\x2c\0\0\0\0\x00\x01\x02\0\0\x02\x01\x44\0";
        let file = [&screen[..], b"\x21\xfe\x01x\0", frame, frame, b"\x3b"].concat();
        assert_eq!(gif_frames(&file).collect::<Vec<_>>(), [512; 2]);
        assert!(!gif_is_cut(&file[..]) && !gif_is_cut(&[&file[..], b"more"].concat()[..]));
        assert_eq!(gif_frames(&file[..screen.len()]).next(), None);
        for length in 0..file.len() {
            assert!(gif_frames(&file[..length]).count() <= 2);
            assert!(gif_is_cut(&file[..length]), "{length} bytes");
        }
    }

    #[test]
    fn an_end_marker_inside_a_thumbnail_is_not_the_end() {
        // A JFIF extension segment of 6 bytes that contains FF D9, then a truncated scan.
        let cut = [0xff, 0xd8, 0xff, 0xe0, 0, 6, 0xff, 0xd9, 1, 2, 0xff, 0xda, 0, 2, 7, 7];
        assert!(!look_at_jpeg(&cut).has_end);
        let whole = [&cut[..], &[0xff, 0x00, 9, 0xff, 0xd9]].concat();
        assert!(look_at_jpeg(&whole).has_end);
    }
}
