//! Where the bytes of an AVI file go: header, parts, chunks and indexes.
//!
//! After the public descriptions of AVI 1.0 and of OpenDML 1.02. The first part (`RIFF AVI `) holds the header,
//! the pictures, their index as OpenDML has it (`ix00`) and as old players read it (`idx1`); each further part
//! (`RIFF AVIX`) holds pictures and `ix00`. The header's index of indexes (`indx`) lists all parts. Every number is
//! little-endian. Knows no file: bytes are appended to buffers, and [`Layout::patches`] tells what to write again.

/// Parts that the header has room for.
pub const MOST_PARTS: usize = 256;

/// Bytes from a part's beginning to the word `movi` of its list, for a part behind the first.
const PART_HEAD: u64 = 20;
/// The file has an index; the pictures' key frames are as the index says.
const HAS_INDEX: u32 = 0x10;
const TRUST_KEYS: u32 = 0x800;
/// In the old index: this chunk can be shown without those before.
const KEY_FRAME: u32 = 0x10;
/// The one stream's chunks: number 00, compressed picture.
const CHUNK: &[u8; 4] = b"00dc";

/// Bytes of the extended header: the count of all places, and nothing else.
const DMLH_BYTES: usize = 248;

/// What of a file is written so far.
pub struct Layout {
    width: u32,
    height: u32,
    /// Places a second.
    rate: u32,
    /// Bytes so far.
    position: u64,
    /// Never empty.
    parts: Vec<Part>,
    /// The chunks of the last part.
    chunks: Vec<Chunk>,
    places: u32,
    /// The largest picture, in bytes.
    largest: u32,
}

#[derive(Clone, Copy)]
struct Part {
    /// Where it begins.
    at: u64,
    /// Where its word `movi` stands.
    movi: u64,
    places: u32,
    index: Option<Index>,
}

/// The index of a part that has ended.
#[derive(Clone, Copy)]
struct Index {
    at: u64,
    bytes: u32,
    /// Where the whole part ends.
    end: u64,
}

#[derive(Clone, Copy)]
struct Chunk {
    /// Of its content, from the part's beginning.
    offset: u32,
    bytes: u32,
}

impl Chunk {
    fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.bytes) + u64::from(self.bytes % 2)
    }
}

impl Layout {
    /// A file with nothing but its header.
    pub fn new(width: usize, height: usize, rate: u32) -> Self {
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let mut layout = Self {
            width: side(width),
            height: side(height),
            rate,
            position: 0,
            parts: Vec::new(),
            chunks: Vec::new(),
            places: 0,
            largest: 0,
        };
        layout.parts.push(Part { at: 0, movi: 0, places: 0, index: None });
        layout.position = layout.header().len() as u64;
        layout.parts[0].movi = layout.position - 4;
        layout
    }

    /// Places that are taken, empty ones too.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// Parts so far.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Bytes of the last part with the indexes that it will have.
    pub fn part_bytes(&self) -> u64 {
        self.position - self.part().at + 64 + 24 * self.chunks.len() as u64
    }

    /// Bytes that a chunk takes, in the indexes too.
    pub fn chunk_bytes(&self, content: usize) -> u64 {
        8 + content as u64 + content as u64 % 2 + 24
    }

    /// Appends a chunk; an empty one shows the picture before once more.
    pub fn chunk(&mut self, content: &[u8], out: &mut Vec<u8>) {
        let bytes = content.len() as u32;
        let offset = (self.position - self.part().at) as u32 + 8;
        self.chunks.push(Chunk { offset, bytes });
        let from = out.len();
        put_chunk(out, CHUNK, |out| out.extend_from_slice(content));
        self.position += (out.len() - from) as u64;
        self.places += 1;
        self.part_mut().places += 1;
        self.largest = self.largest.max(bytes);
    }

    /// Appends the indexes of the last part; nothing when they are there.
    pub fn end_part(&mut self, out: &mut Vec<u8>) {
        if self.part().index.is_some() {
            return;
        }
        let from = out.len();
        let part = *self.part();
        put_chunk(out, b"ix00", |out| {
            // Two numbers an entry, of frames; an index of chunks.
            put_u16(out, 2);
            out.extend_from_slice(&[0, 1]);
            put_u32(out, self.chunks.len() as u32);
            out.extend_from_slice(CHUNK);
            put_u64(out, part.at);
            put_u32(out, 0);
            for chunk in &self.chunks {
                put_u32(out, chunk.offset);
                put_u32(out, chunk.bytes);
            }
        });
        let bytes = (out.len() - from) as u32;
        if self.parts.len() == 1 {
            put_chunk(out, b"idx1", |out| {
                for chunk in &self.chunks {
                    out.extend_from_slice(CHUNK);
                    put_u32(out, KEY_FRAME);
                    // Of the chunk's own header, from the word `movi`.
                    put_u32(out, chunk.offset - 8 - part.movi as u32);
                    put_u32(out, chunk.bytes);
                }
            });
        }
        let at = self.position;
        self.position += (out.len() - from) as u64;
        let end = self.position;
        self.part_mut().index = Some(Index { at, bytes, end });
    }

    /// Appends the beginning of another part; the one before has ended.
    pub fn begin_part(&mut self, out: &mut Vec<u8>) {
        self.chunks.clear();
        let at = self.position;
        self.parts.push(Part { at, movi: at + PART_HEAD, places: 0, index: None });
        self.position += PART_HEAD + 4;
        let part = *self.part();
        out.extend_from_slice(&self.part_head(&part));
    }

    /// Only the first `bytes` bytes reached the file.
    pub fn forget_after(&mut self, bytes: u64) {
        if self.parts.len() > 1 && self.part().at >= bytes {
            self.places -= self.part().places;
            self.parts.pop();
            self.chunks.clear();
        }
        if self.part().index.is_some_and(|index| index.end > bytes) {
            self.part_mut().index = None;
        }
        let begins = self.part().at;
        while self.chunks.last().is_some_and(|last| begins + last.end() > bytes) {
            self.chunks.pop();
            self.places -= 1;
            self.part_mut().places -= 1;
        }
        self.position = bytes;
    }

    /// The last part stays without its indexes; it ends after so many bytes of the file.
    pub fn without_index(&mut self, bytes: u64) {
        self.part_mut().index = None;
        self.position = bytes;
    }

    /// What the file's fixed places hold by now: where, and the bytes.
    pub fn patches(&self) -> Vec<(u64, Vec<u8>)> {
        let heads = self.parts[1..].iter();
        let heads = heads.map(|part| (part.at, self.part_head(part)));
        std::iter::once((0, self.header())).chain(heads).collect()
    }

    /// Everything up to the first chunk. Its length never changes.
    pub fn header(&self) -> Vec<u8> {
        let first = &self.parts[0];
        let mut out = Vec::new();
        out.extend_from_slice(b"RIFF");
        put_u32(&mut out, self.riff_bytes(first));
        out.extend_from_slice(b"AVI ");
        put_list(&mut out, b"hdrl", |out| {
            put_chunk(out, b"avih", |out| self.put_main_header(out));
            put_list(out, b"strl", |out| {
                put_chunk(out, b"strh", |out| self.put_stream_header(out));
                put_chunk(out, b"strf", |out| self.put_picture_format(out));
                put_chunk(out, b"indx", |out| self.put_index_of_indexes(out));
            });
            put_list(out, b"odml", |out| {
                put_chunk(out, b"dmlh", |out| {
                    put_u32(out, self.places);
                    out.extend_from_slice(&[0; DMLH_BYTES - 4]);
                });
            });
        });
        out.extend_from_slice(b"LIST");
        put_u32(&mut out, self.movi_bytes(first));
        out.extend_from_slice(b"movi");
        out
    }

    /// Places that a file of ours had when its header was written last; `None` where `beginning`, its first bytes, is
    /// no header of ours.
    pub fn told_places(beginning: &[u8]) -> Option<u32> {
        let length = Self::new(1, 1, 1).header().len();
        let beginning = beginning.get(..length)?;
        // The last things before the pictures are the count and that many empty bytes behind it.
        let count = length - 12 - DMLH_BYTES;
        let has = |at: usize, name: &[u8]| beginning.get(at..at + name.len()) == Some(name);
        let is_ours = has(0, b"RIFF") && has(8, b"AVI ") && has(length - 4, b"movi");
        let is_ours = is_ours && has(count - 8, b"dmlh");
        let (places, _) = beginning[count..].split_first_chunk()?;
        is_ours.then(|| u32::from_le_bytes(*places))
    }

    fn put_main_header(&self, out: &mut Vec<u8>) {
        let first = &self.parts[0];
        let has_index = if first.index.is_some() { HAS_INDEX } else { 0 };
        let a_second = self.position * u64::from(self.rate) / u64::from(self.places.max(1));
        for value in [
            1_000_000 / self.rate,
            u32::try_from(a_second).unwrap_or(u32::MAX),
            // Granularity.
            0,
            has_index | TRUST_KEYS,
            first.places,
            // First frame, streams.
            0,
            1,
            self.largest + 8,
            self.width,
            self.height,
            // Reserved.
            0,
            0,
            0,
            0,
        ] {
            put_u32(out, value);
        }
    }

    fn put_stream_header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"vidsMJPG");
        // Flags, priority and language, first frame; places a second as a fraction; begin and length; buffer; quality
        // (the codec's own), size of a sample (it varies).
        for value in [0, 0, 0, 1, self.rate, 0, self.places, self.largest + 8, u32::MAX, 0] {
            put_u32(out, value);
        }
        for side in [0, 0, self.width, self.height] {
            put_u16(out, u16::try_from(side).unwrap_or(u16::MAX));
        }
    }

    fn put_picture_format(&self, out: &mut Vec<u8>) {
        put_u32(out, 40);
        put_u32(out, self.width);
        put_u32(out, self.height);
        // Planes, bits of a pixel.
        put_u16(out, 1);
        put_u16(out, 24);
        out.extend_from_slice(b"MJPG");
        let bytes = u64::from(self.width) * u64::from(self.height) * 3;
        put_u32(out, u32::try_from(bytes).unwrap_or(u32::MAX));
        // Dots a metre both ways, colours in all and important ones.
        out.extend_from_slice(&[0; 16]);
    }

    fn put_index_of_indexes(&self, out: &mut Vec<u8>) {
        let from = out.len();
        let indexed = || self.parts.iter().filter_map(|part| Some((part, part.index?)));
        // Four numbers an entry; an index of indexes.
        put_u16(out, 4);
        out.extend_from_slice(&[0, 0]);
        put_u32(out, indexed().count() as u32);
        out.extend_from_slice(CHUNK);
        out.extend_from_slice(&[0; 12]);
        for (part, index) in indexed() {
            put_u64(out, index.at);
            put_u32(out, index.bytes);
            put_u32(out, part.places);
        }
        out.resize(from + 24 + 16 * MOST_PARTS, 0);
    }

    fn part_head(&self, part: &Part) -> Vec<u8> {
        let mut out = b"RIFF".to_vec();
        put_u32(&mut out, self.riff_bytes(part));
        out.extend_from_slice(b"AVIXLIST");
        put_u32(&mut out, self.movi_bytes(part));
        out.extend_from_slice(b"movi");
        out
    }

    fn riff_bytes(&self, part: &Part) -> u32 {
        let end = part.index.map_or(self.position, |index| index.end);
        end.saturating_sub(part.at + 8) as u32
    }

    fn movi_bytes(&self, part: &Part) -> u32 {
        let end = part.index.map_or(self.position, |index| index.at + u64::from(index.bytes));
        end.saturating_sub(part.movi) as u32
    }

    fn part(&self) -> &Part {
        &self.parts[self.parts.len() - 1]
    }

    fn part_mut(&mut self) -> &mut Part {
        let last = self.parts.len() - 1;
        &mut self.parts[last]
    }
}

fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// A name, the length of the content, the content, and a byte where that is odd.
fn put_chunk(out: &mut Vec<u8>, name: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(name);
    let at = out.len();
    put_u32(out, 0);
    content(out);
    let bytes = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
    if bytes % 2 == 1 {
        out.push(0);
    }
}

fn put_list(out: &mut Vec<u8>, kind: &[u8; 4], content: impl FnOnce(&mut Vec<u8>)) {
    put_chunk(out, b"LIST", |out| {
        out.extend_from_slice(kind);
        content(out);
    });
}
