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
/// The codec, as a number.
const MJPG: u32 = u32::from_le_bytes(*b"MJPG");
/// Bytes of the index of indexes.
const INDEX_OF_INDEXES: usize = 24 + 16 * MAX_PARTS;
/// Bytes of a header that contains only the number of all slots.
const EXTENDED_HEADER: usize = 248;
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
    let buffer = facts.largest_chunk + 8;
    // Microseconds per slot, bytes per second (unknown), granularity, flags, slots; first frame, streams, buffer,
    // sides, reserved.
    let main =
        [1_000_000 / RATE, 0, 0, flags, first.places, 0, 1, buffer, width, height, 0, 0, 0, 0];
    // Kind and codec. Flags, priority, first frame; slots per second as a fraction; start and length; buffer, the
    // codec's own quality, samples of varying size; left and top, right and bottom in 16 bits each.
    let corner = height << 16 | width & 0xffff;
    let kind = u32::from_le_bytes(*b"vids");
    let stream = [kind, MJPG, 0, 0, 0, 1, RATE, 0, places, buffer, u32::MAX, 0, 0, corner];
    // Length, sides, one plane of 24 bits, codec, bytes per picture, dots per metre in both directions, colours.
    let picture_bytes = width.saturating_mul(height).saturating_mul(3);
    let format = [40, width, height, 24 << 16 | 1, MJPG, picture_bytes, 0, 0, 0, 0];
    let indexed = parts.iter().filter_map(|part| Some((part.places, part.index?)));
    // Four numbers per entry; an index of indexes.
    let count = indexed.clone().count() as u32;
    let mut indexes = numbers(&[4, count, u32::from_le_bytes(*CHUNK), 0, 0, 0]);
    for (places, index) in indexed {
        indexes.extend(index.at.to_le_bytes());
        indexes.extend(numbers(&[index.bytes, places]));
    }
    indexes.resize(INDEX_OF_INDEXES, 0);
    let mut extended = numbers(&[places]);
    extended.resize(EXTENDED_HEADER, 0);

    let stream = [
        chunk(b"strh", &numbers(&stream)),
        chunk(b"strf", &numbers(&format)),
        chunk(b"indx", &indexes),
    ];
    let headers = [
        chunk(b"avih", &numbers(&main)),
        list(b"strl", &stream),
        list(b"odml", &[chunk(b"dmlh", &extended)]),
    ];
    part_start(b"AVI ", &list(b"hdrl", &headers), first, facts.bytes)
}

/// The header of a part after the first, up to its first chunk. `file_bytes` is the length of the file.
pub fn part_head(part: &Part, file_bytes: u64) -> Vec<u8> {
    part_start(b"AVIX", &[], part, file_bytes)
}

/// The start of a part up to its first chunk, with the lengths of the part and of its list of chunks.
fn part_start(kind: &[u8; 4], headers: &[u8], part: &Part, file_bytes: u64) -> Vec<u8> {
    let ends = part.index.map(|index| (index.at + u64::from(index.bytes), index.part_end));
    let (list_end, part_end) = ends.unwrap_or((file_bytes, file_bytes));
    let list_at = part.at + 20 + headers.len() as u64;
    let length = |end: u64, start: u64| (end.saturating_sub(start) as u32).to_le_bytes();
    let riff = [*b"RIFF", length(part_end, part.at + 8), *kind].concat();
    let list = [*b"LIST", length(list_end, list_at), *b"movi"].concat();
    [&riff, headers, &list].concat()
}

/// A picture's chunk; an empty one repeats the previous picture.
pub fn picture(jpeg: &[u8]) -> Vec<u8> {
    chunk(CHUNK, jpeg)
}

/// The index of a part in the OpenDML form.
pub fn index(part: &Part, chunks: &[Chunk]) -> Vec<u8> {
    // Two numbers per entry; an index of chunks.
    let head = numbers(&[0x0100_0002, chunks.len() as u32]);
    let entries: Vec<u32> = chunks.iter().flat_map(|chunk| [chunk.offset, chunk.bytes]).collect();
    let base = part.at.to_le_bytes();
    chunk(b"ix00", &[&head, &CHUNK[..], &base, &[0; 4], &numbers(&entries)].concat())
}

/// The index of the first part in the form for old players.
pub fn old_index(chunks: &[Chunk]) -> Vec<u8> {
    // From the word `movi`, which is before the first chunk, to a chunk's header.
    let first = chunks.first().map_or(0, |chunk| chunk.offset);
    let name = u32::from_le_bytes(*CHUNK);
    let entry = |chunk: &Chunk| [name, KEY_FRAME, chunk.offset - first + 4, chunk.bytes];
    chunk(b"idx1", &numbers(&chunks.iter().flat_map(entry).collect::<Vec<_>>()))
}

fn list(kind: &[u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"LIST", &[&kind[..], &chunks.concat()].concat())
}

/// A chunk, which is padded to an even length.
fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_le_bytes();
    [&name[..], &length, content, &[0][..content.len() % 2]].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
