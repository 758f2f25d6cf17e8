//! The bytes of an AVI file: headers, chunks and indexes.
//!
//! Follows the public descriptions of AVI 1.0 and of OpenDML 1.02. The first part (`RIFF AVI `) contains the header,
//! the pictures, and their index in the OpenDML form (`ix00`) and in the form for old players (`idx1`). Each further
//! part (`RIFF AVIX`) contains pictures and `ix00`. The header's index of indexes (`indx`) lists all parts. All numbers
//! are little-endian.

use super::RATE;

/// Maximum number of parts; the header has space for this many.
pub const MAX_PARTS: usize = 256;

/// Name of the chunks of the only stream: number 00, compressed picture.
const CHUNK: &[u8; 4] = b"00dc";
/// Bytes of a chunk's name and length.
const HEAD: u32 = 8;
const MAIN_HEADER: u32 = 56;
const STREAM_HEADER: u32 = 56;
const PICTURE_FORMAT: u32 = 40;
const INDEX_OF_INDEXES: u32 = 24 + 16 * MAX_PARTS as u32;
const STREAM_LIST: u32 = 4 + HEAD + STREAM_HEADER + HEAD + PICTURE_FORMAT + HEAD + INDEX_OF_INDEXES;
/// Contains only the number of all slots.
const EXTENDED_HEADER: u32 = 248;
const EXTENDED_LIST: u32 = 4 + HEAD + EXTENDED_HEADER;
const HEADER_LIST: u32 = 4 + HEAD + MAIN_HEADER + HEAD + STREAM_LIST + HEAD + EXTENDED_LIST;
/// Bytes of a part up to its first chunk: `RIFF`, its length and type, and the list of chunks.
const PART_HEAD: u32 = 12 + 12;
/// Flags of the main header: the file has an index, and the index says which pictures are key frames.
const HAS_INDEX: u32 = 0x10;
const TRUST_KEYS: u32 = 0x800;
/// Flag of the old index: the chunk can be shown without the chunks before it.
const KEY_FRAME: u32 = 0x10;

/// A picture in the last part.
pub struct Chunk {
    /// From the start of the part to the content.
    pub offset: u32,
    /// Length of the content.
    pub bytes: u32,
}

/// A section of the file with its own lengths.
#[derive(Default)]
pub struct Part {
    /// Offset in the file.
    pub at: u64,
    pub places: u32,
    /// `None` until the part is complete.
    pub index: Option<Index>,
}

/// The index of a part.
#[derive(Clone, Copy)]
pub struct Index {
    /// Offset in the file.
    pub at: u64,
    pub bytes: u32,
    /// End of the whole part.
    pub part_end: u64,
}

/// The facts in a header.
#[derive(Default)]
pub struct Facts {
    /// Width and height of the pictures.
    pub size: (usize, usize),
    /// Length of the file so far: its header and complete chunks.
    pub bytes: u64,
    /// Used slots, including empty ones.
    pub places: u32,
    pub largest_chunk: u32,
    /// Never empty.
    pub parts: Vec<Part>,
}

/// Everything before the first chunk. Its length never changes.
pub fn header(facts: &Facts) -> Vec<u8> {
    let Facts { places, parts, .. } = facts;
    let (places, first) = (*places, &parts[0]);
    let [width, height] = [facts.size.0, facts.size.1].map(|side| side as u32);
    let flags = if first.index.is_some() { HAS_INDEX | TRUST_KEYS } else { TRUST_KEYS };
    let buffer = facts.largest_chunk + HEAD;
    let (list_bytes, riff_bytes) = lengths(first, facts.bytes);

    let mut out = Vec::new();
    put(&mut out, b"RIFF", &[riff_bytes]);
    put(&mut out, b"AVI ", &[]);
    put(&mut out, b"LIST", &[HEADER_LIST]);
    put(&mut out, b"hdrl", &[]);
    // Microseconds per slot, bytes per second (unknown), granularity, flags, slots; first frame, streams, buffer,
    // sides, reserved.
    put(&mut out, b"avih", &[MAIN_HEADER, 1_000_000 / RATE, 0, 0, flags, first.places]);
    put_numbers(&mut out, &[0, 1, buffer, width, height, 0, 0, 0, 0]);

    put(&mut out, b"LIST", &[STREAM_LIST]);
    put(&mut out, b"strl", &[]);
    put(&mut out, b"strh", &[STREAM_HEADER]);
    put(&mut out, b"vids", &[]);
    // Flags, priority, first frame; slots per second as a fraction; start and length; buffer, the codec's own quality,
    // samples of varying size; left and top, right and bottom in 16 bits each.
    put(&mut out, b"MJPG", &[0, 0, 0, 1, RATE, 0, places, buffer, u32::MAX, 0, 0]);
    put_numbers(&mut out, &[height << 16 | width & 0xffff]);
    // One plane of 24 bits.
    put(&mut out, b"strf", &[PICTURE_FORMAT, PICTURE_FORMAT, width, height, 24 << 16 | 1]);
    // Bytes per picture, dots per metre in both directions, colours.
    put(&mut out, b"MJPG", &[width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]);

    let end = out.len() + (HEAD + INDEX_OF_INDEXES) as usize;
    let indexed = parts.iter().filter_map(|part| Some((part.places, part.index?)));
    // Four numbers per entry; an index of indexes.
    put(&mut out, b"indx", &[INDEX_OF_INDEXES, 4, indexed.clone().count() as u32]);
    put(&mut out, CHUNK, &[0, 0, 0]);
    for (places, index) in indexed {
        out.extend_from_slice(&index.at.to_le_bytes());
        put_numbers(&mut out, &[index.bytes, places]);
    }
    out.resize(end, 0);

    put(&mut out, b"LIST", &[EXTENDED_LIST]);
    put(&mut out, b"odml", &[]);
    let end = out.len() + (HEAD + EXTENDED_HEADER) as usize;
    put(&mut out, b"dmlh", &[EXTENDED_HEADER, places]);
    out.resize(end, 0);

    put(&mut out, b"LIST", &[list_bytes]);
    put(&mut out, b"movi", &[]);
    out
}

/// The header of a part after the first, up to its first chunk. `file_bytes` is the length of the file.
pub fn part_head(part: &Part, file_bytes: u64) -> Vec<u8> {
    let (list_bytes, riff_bytes) = lengths(part, file_bytes);
    let mut out = Vec::new();
    put(&mut out, b"RIFF", &[riff_bytes]);
    put(&mut out, b"AVIX", &[]);
    put(&mut out, b"LIST", &[list_bytes]);
    put(&mut out, b"movi", &[]);
    out
}

/// The lengths of a part's list of chunks and of the part, for their headers.
fn lengths(part: &Part, file_bytes: u64) -> (u32, u32) {
    let ends = part.index.map(|index| (index.at + u64::from(index.bytes), index.part_end));
    let (list_end, part_end) = ends.unwrap_or((file_bytes, file_bytes));
    let list_at = part.at + u64::from(list_offset(part));
    (
        list_end.saturating_sub(list_at) as u32,
        part_end.saturating_sub(part.at + u64::from(HEAD)) as u32,
    )
}

/// From the start of a part to the word `movi`.
fn list_offset(part: &Part) -> u32 {
    let headers = if part.at == 0 { HEAD + HEADER_LIST } else { 0 };
    headers + PART_HEAD - 4
}

/// A picture's chunk; an empty one repeats the previous picture.
pub fn chunk(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 9);
    put(&mut out, CHUNK, &[content.len() as u32]);
    out.extend_from_slice(content);
    if content.len() % 2 == 1 {
        out.push(0);
    }
    out
}

/// The index of a part in the OpenDML form.
pub fn index(part: &Part, chunks: &[Chunk]) -> Vec<u8> {
    let count = chunks.len() as u32;
    let mut out = Vec::new();
    // Two numbers per entry; an index of chunks.
    put(&mut out, b"ix00", &[24 + 8 * count, 0x0100_0002, count]);
    put(&mut out, CHUNK, &[]);
    out.extend_from_slice(&part.at.to_le_bytes());
    put_numbers(&mut out, &[0]);
    for chunk in chunks {
        put_numbers(&mut out, &[chunk.offset, chunk.bytes]);
    }
    out
}

/// The index of the first part in the form for old players.
pub fn old_index(part: &Part, chunks: &[Chunk]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, b"idx1", &[16 * chunks.len() as u32]);
    for chunk in chunks {
        // From the word `movi` to the chunk's header.
        let offset = chunk.offset - HEAD - list_offset(part);
        put(&mut out, CHUNK, &[KEY_FRAME, offset, chunk.bytes]);
    }
    out
}

fn put(out: &mut Vec<u8>, name: &[u8; 4], numbers: &[u32]) {
    out.extend_from_slice(name);
    put_numbers(out, numbers);
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}
