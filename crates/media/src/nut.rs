//! NUT, a container that passes uncompressed pictures through a pipe, every picture at its own time.
//!
//! Follows the public specification of the NUT open container format, version 3, for one video stream, with which sound
//! can be written too. Every picture is written as a key frame after its own syncpoint, because pictures are larger than
//! the maximum distance between syncpoints.

use std::io::{self, ErrorKind, Read};

use values::yuv420::Yuv420;

const FILE_ID: &[u8] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4e4d_7a56_1f5f_04ad;
const STREAM: u64 = 0x4e53_1140_5bf2_f9db;
const SYNCPOINT: u64 = 0x4e4b_e4ad_eeca_4569;

const VERSION: u64 = 3;
/// Maximum bytes between two syncpoints without a checksum; the format's maximum.
const MAX_DISTANCE: u64 = 65_536;
/// Number of low bits in a short time. All frames written here have full times.
const MSB_PTS_SHIFT: u32 = 7;

const FLAG_KEY: u64 = 1;
const FLAG_CODED_PTS: u64 = 1 << 3;
const FLAG_STREAM_ID: u64 = 1 << 4;
const FLAG_SIZE_MSB: u64 = 1 << 5;
const FLAG_CHECKSUM: u64 = 1 << 6;
const FLAG_RESERVED: u64 = 1 << 7;
const FLAG_HEADER_INDEX: u64 = 1 << 10;
const FLAG_MATCH_TIME: u64 = 1 << 11;
const FLAG_CODED: u64 = 1 << 12;
const FLAG_INVALID: u64 = 1 << 13;
/// A code for frames that contain their own flags.
const FRAME_CODE: u8 = 1;

/// Maximum bytes of a packet that is not a frame.
const MAX_PACKET_BYTES: u64 = 1 << 20;
/// Above this size a packet's header has a checksum.
const LONG_PACKET_BYTES: u64 = 4096;

/// Samples of sound per second and channel.
pub const SOUND_RATE: u64 = 48_000;
/// Channels of sound.
pub const SOUND_CHANNELS: u64 = 2;
/// Interleaved signed samples of 16 bits, lowest byte first.
const S16LE: [u8; 4] = *b"PSD\x10";

/// Four bytes per pixel.
const RGBA: [u8; 4] = *b"RGBA";
/// Four channels of 16 bits, lowest byte first.
const RGBA64: [u8; 4] = *b"RBA\x40";
/// See [`Yuv420`].
const YUV420: [u8; 4] = *b"I420";
/// The aspect of square pixels.
pub const SQUARE: (u64, u64) = (1, 1);

/// What a frame of a stream contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// One picture.
    Pictures,
    /// Interleaved signed samples of 16 bits, at [`SOUND_RATE`] in [`SOUND_CHANNELS`].
    Sound,
}

/// The pictures of a stream, and whether it has sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NutStream {
    /// In pixels.
    pub width: usize,
    pub height: usize,
    /// Seconds of a tick, as a fraction.
    pub tick: (u64, u64),
    /// Width to height of a pixel; 0 if it is unknown.
    pub aspect: (u64, u64),
    /// How pictures are stored; `None` is RGBA.
    pub yuv: Option<Yuv420>,
    /// RGBA has 16 bits per channel; such streams are only read.
    pub is_deep: bool,
    pub has_sound: bool,
}

impl NutStream {
    pub fn picture_bytes(&self) -> usize {
        let Self { width, height, .. } = *self;
        match self.yuv {
            Some(_) => Yuv420::bytes(width, height),
            None if self.is_deep => 8 * width * height,
            None => 4 * width * height,
        }
    }
}

/// Writes the parts of a stream around its pictures.
#[derive(Default)]
pub struct NutMuxer {
    /// Bytes of the stream so far.
    position: u64,
    /// Offset of the last syncpoint.
    syncpoint: Option<u64>,
}

impl NutMuxer {
    /// Appends the headers before all pictures.
    pub fn begin(&mut self, of: &NutStream, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(FILE_ID);
        let mut main = Vec::new();
        // Version, streams, distance, clocks; the single clock.
        let streams = if of.has_sound { 2 } else { 1 };
        put(&mut main, &[VERSION, streams, MAX_DISTANCE, 1, of.tick.0, of.tick.1]);
        // The table of frame codes in runs, each with six fields: time, size factor, stream, size, reserved, count. The
        // first and the last code stay invalid, so that runs of zero bits or one bits are never mistaken for a frame.
        for (flags, count) in [(FLAG_INVALID, 1), (FLAG_CODED, 253), (FLAG_INVALID, 1)] {
            put(&mut main, &[flags, 6, 0, 1, 0, 0, 0, count]);
        }
        // No elided frame headers.
        put(&mut main, &[0]);
        put_packet(out, MAIN, main);

        let picture = [of.width as u64, of.height as u64, of.aspect.0, of.aspect.1, 0];
        put_stream(out, Track::Pictures, if of.yuv.is_some() { YUV420 } else { RGBA }, &picture);
        if of.has_sound {
            put_stream(out, Track::Sound, S16LE, &[SOUND_RATE, 1, SOUND_CHANNELS]);
        }
        self.position += (out.len() - from) as u64;
    }

    /// Appends the header of a frame of `size` bytes that begins at `ticks`; the caller appends these bytes. Ticks must
    /// increase from frame to frame of a track.
    pub fn frame(&mut self, track: Track, ticks: u64, size: usize, out: &mut Vec<u8>) {
        let from = out.len();
        let back = self.syncpoint.map_or(0, |at| (self.position - at) / 16);
        self.syncpoint = Some(self.position);
        let mut syncpoint = Vec::new();
        put(&mut syncpoint, &[ticks, back]);
        put_packet(out, SYNCPOINT, syncpoint);

        let mut header = vec![FRAME_CODE];
        let flags = FLAG_KEY | FLAG_STREAM_ID | FLAG_CODED_PTS | FLAG_SIZE_MSB | FLAG_CHECKSUM;
        put(&mut header, &[flags, track as u64, ticks + (1 << MSB_PTS_SHIFT), size as u64]);
        let checksum = crc(&header);
        out.extend_from_slice(&header);
        out.extend_from_slice(&checksum.to_be_bytes());
        self.position += (out.len() - from + size) as u64;
    }
}

/// What a frame's code means.
#[derive(Clone, Copy)]
struct FrameCode {
    flags: u64,
    size_factor: u64,
    size_rest: u64,
    /// Ticks after the frame before.
    later: i64,
    reserved: u64,
    header: u64,
}

/// Reads the pictures of a stream.
pub struct NutReader<R> {
    from: R,
    stream: NutStream,
    codes: Vec<FrameCode>,
    /// Bytes with which frames begin and which they leave out.
    headers: Vec<Vec<u8>>,
    short_bits: u32,
    ticks: i64,
    /// Memory of the last picture, if that was converted.
    stored: Vec<u8>,
}

impl<R: Read> NutReader<R> {
    /// Reads the headers of a stream of pictures, whose colours are `yuv` unless they are RGBA.
    ///
    /// # Errors
    /// If it ends, or is no such stream.
    pub fn open(mut from: R, yuv: Option<Yuv420>) -> io::Result<Self> {
        let mut id = [0; FILE_ID.len()];
        from.read_exact(&mut id)?;
        if id != FILE_ID {
            return Err(wrong("it is not a NUT stream"));
        }
        let main = packet_of(&mut from, MAIN)?;
        let main = &mut main.as_slice();
        let (_version, streams, _distance, clocks) = (v(main)?, v(main)?, v(main)?, v(main)?);
        // A second clock, for chapters for example, would count in the times of syncpoints.
        if streams != 1 || clocks != 1 {
            return Err(wrong("it has more than one stream or clock"));
        }
        let tick = (v(main)?, v(main)?);
        let codes = frame_codes(main)?;
        let mut headers = vec![Vec::new()];
        for _ in 0..v(main)? {
            headers.push(bytes(main)?);
        }
        let stream = packet_of(&mut from, STREAM)?;
        let stream = &mut stream.as_slice();
        let (_number, class, pixels, clock) = (v(stream)?, v(stream)?, bytes(stream)?, v(stream)?);
        let short_bits = v(stream)?;
        let (_distance, _delay, _flags, _extra) =
            (v(stream)?, v(stream)?, v(stream)?, bytes(stream)?);
        let (width, height, aspect) = (v(stream)?, v(stream)?, (v(stream)?, v(stream)?));
        if clock != 0 || tick.0 == 0 || tick.1 == 0 {
            return Err(wrong("its clock is missing"));
        }
        let yuv = yuv.filter(|_| pixels == YUV420);
        let is_deep = pixels == RGBA64;
        let is_known = pixels == RGBA || is_deep || yuv.is_some();
        if class != 0 || !is_known || short_bits >= 16 {
            return Err(wrong("its pictures are in an unexpected format"));
        }
        let side = |px: u64| match u16::try_from(px) {
            Ok(px) if px > 0 => Ok(usize::from(px)),
            _ => Err(wrong("its pictures have an impossible size")),
        };
        let (width, height) = (side(width)?, side(height)?);
        let stream = NutStream { width, height, tick, aspect, yuv, is_deep, has_sound: false };
        Ok(Self {
            from,
            stream,
            codes,
            headers,
            short_bits: short_bits as u32,
            ticks: 0,
            stored: Vec::new(),
        })
    }

    pub fn stream(&self) -> NutStream {
        self.stream
    }

    /// Reads the next picture in RGBA, and returns its time in ticks. `None` at the end of the stream.
    ///
    /// # Errors
    /// If the stream is cut off or invalid.
    pub fn next_picture(&mut self) -> io::Result<Option<(i64, Vec<u8>)>> {
        loop {
            let mut code = [0];
            if self.from.read(&mut code)? == 0 {
                return Ok(None);
            }
            if code[0] != b'N' {
                return self.picture(code[0]).map(Some);
            }
            let mut start = [code[0]; 8];
            self.from.read_exact(&mut start[1..])?;
            let content = packet(&mut self.from)?;
            if u64::from_be_bytes(start) == SYNCPOINT {
                // With a single clock, the time of the last key frame before it.
                self.ticks = v(&mut content.as_slice())? as i64;
            }
        }
    }

    fn picture(&mut self, code: u8) -> io::Result<(i64, Vec<u8>)> {
        let from = &mut self.from;
        let FrameCode { mut flags, size_factor, size_rest, later, reserved, header } =
            self.codes[usize::from(code)];
        if flags & FLAG_CODED != 0 {
            flags ^= v(from)?;
        }
        if flags & FLAG_INVALID != 0 {
            return Err(wrong("a frame is damaged"));
        }
        let mut coded = |flag: u64| if flags & flag != 0 { v(from).map(Some) } else { Ok(None) };
        coded(FLAG_STREAM_ID)?;
        self.ticks = match coded(FLAG_CODED_PTS)? {
            Some(time) => full_time(time, self.ticks, self.short_bits),
            None => self.ticks.saturating_add(later),
        };
        let size = coded(FLAG_SIZE_MSB)?
            .unwrap_or(0)
            .saturating_mul(size_factor)
            .saturating_add(size_rest);
        coded(FLAG_MATCH_TIME)?;
        let header = coded(FLAG_HEADER_INDEX)?.unwrap_or(header);
        let reserved = coded(FLAG_RESERVED)?.unwrap_or(reserved);
        for _ in 0..reserved {
            v(from)?;
        }
        if flags & FLAG_CHECKSUM != 0 {
            from.read_exact(&mut [0; 4])?;
        }
        let expected = self.stream.picture_bytes();
        if size != expected as u64 {
            return Err(wrong("a picture has another size than the stream"));
        }
        let header = match size {
            LONG_PACKET_BYTES.. => None,
            _ => usize::try_from(header).ok().and_then(|header| self.headers.get(header)),
        };
        let mut picture = std::mem::take(&mut self.stored);
        picture.clear();
        if picture.try_reserve_exact(expected).is_err() {
            return Err(ErrorKind::OutOfMemory.into());
        }
        picture.extend(header.into_iter().flatten());
        picture.truncate(expected);
        let left = expected - picture.len();
        if from.take(left as u64).read_to_end(&mut picture)? < left {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let NutStream { width, height, yuv, .. } = self.stream;
        let Some(yuv) = yuv else {
            return Ok((self.ticks, picture));
        };
        let decoded = yuv.decode((width, height), &picture);
        self.stored = picture;
        Ok((self.ticks, decoded))
    }
}

/// The time that a frame's code means: the nearest to the time before with these low bits, or a full one.
fn full_time(coded: u64, before: i64, short_bits: u32) -> i64 {
    let range = 1_i64 << short_bits;
    let coded = i64::try_from(coded).unwrap_or(i64::MAX);
    if coded >= range {
        return coded - range;
    }
    let least = before.saturating_sub(range / 2 - 1);
    (coded.wrapping_sub(least) & (range - 1)).saturating_add(least)
}

/// The table of frame codes, which comes in runs.
fn frame_codes(from: &mut &[u8]) -> io::Result<Vec<FrameCode>> {
    let mut codes = Vec::with_capacity(256);
    // Fields that a run leaves out keep their last values.
    let (mut later, mut size_factor) = (0, 1);
    while codes.len() < 256 {
        let (flags, fields) = (v(from)?, v(from)?);
        let mut field = |number: u64| if fields > number { v(from).map(Some) } else { Ok(None) };
        later = field(0)?.map_or(later, signed);
        size_factor = field(1)?.unwrap_or(size_factor);
        field(2)?;
        let size = field(3)?.unwrap_or(0);
        let reserved = field(4)?.unwrap_or(0);
        let count = field(5)?.unwrap_or_else(|| size_factor.saturating_sub(size));
        field(6)?;
        let header = field(7)?.unwrap_or(0);
        for number in 8..fields {
            field(number)?;
        }
        if count == 0 {
            return Err(wrong("its table of frame codes is empty"));
        }
        let code = FrameCode { flags, size_factor, size_rest: size, later, reserved, header };
        let mut left = count;
        while left > 0 && codes.len() < 256 {
            // The first byte of all packets other than frames.
            if codes.len() == usize::from(b'N') {
                codes.push(FrameCode { flags: FLAG_INVALID, ..code });
                continue;
            }
            codes.push(FrameCode { size_rest: size.saturating_add(count - left), ..code });
            left -= 1;
        }
    }
    Ok(codes)
}

/// Reads packets until one with this startcode.
fn packet_of(from: &mut impl Read, startcode: u64) -> io::Result<Vec<u8>> {
    loop {
        let mut start = [0; 8];
        from.read_exact(&mut start)?;
        if start[0] != b'N' {
            return Err(wrong("a header is missing"));
        }
        let content = packet(from)?;
        if u64::from_be_bytes(start) == startcode {
            return Ok(content);
        }
    }
}

/// The content of a packet, after its startcode.
fn packet(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let size = v(from)?;
    if !(4..=MAX_PACKET_BYTES).contains(&size) {
        return Err(wrong("a packet has an impossible size"));
    }
    if size > LONG_PACKET_BYTES {
        from.read_exact(&mut [0; 4])?;
    }
    let mut content = vec![0; size as usize];
    from.read_exact(&mut content)?;
    content.truncate(content.len() - 4);
    Ok(content)
}

/// A number of variable length; see [`put`].
fn v(from: &mut impl Read) -> io::Result<u64> {
    let mut value: u64 = 0;
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        if value >> 57 != 0 {
            return Err(wrong("a number is too large"));
        }
        value = value << 7 | u64::from(byte[0] & 0x7f);
        if byte[0] & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// A signed number in an unsigned one.
fn signed(value: u64) -> i64 {
    let value = value.saturating_add(1);
    let half = (value >> 1) as i64;
    if value & 1 == 1 { -half } else { half }
}

/// Bytes after their number.
fn bytes(from: &mut &[u8]) -> io::Result<Vec<u8>> {
    let size = v(from)?;
    let parts = usize::try_from(size).ok().and_then(|size| from.split_at_checked(size));
    let (bytes, rest) = parts.ok_or_else(|| wrong("a header is cut off"))?;
    *from = rest;
    Ok(bytes.to_vec())
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// The header of a track with a codec of four letters; `fields` are those of its class.
fn put_stream(out: &mut Vec<u8>, track: Track, codec: [u8; 4], fields: &[u64]) {
    let mut stream = Vec::new();
    // Number; class, which is the same for these tracks.
    put(&mut stream, &[track as u64, track as u64, 4]);
    stream.extend_from_slice(&codec);
    // Clock, bits of short times, maximum time between frames, decoder delay, flags, codec-specific bytes.
    put(&mut stream, &[0, u64::from(MSB_PTS_SHIFT), 1 << 40, 0, 0, 0]);
    put(&mut stream, fields);
    put_packet(out, STREAM, stream);
}

/// A packet other than a frame. None here is large enough to need a checksum of its header.
fn put_packet(out: &mut Vec<u8>, startcode: u64, content: Vec<u8>) {
    out.extend_from_slice(&startcode.to_be_bytes());
    put(out, &[content.len() as u64 + 4]);
    out.extend_from_slice(&content);
    out.extend_from_slice(&crc(&content).to_be_bytes());
}

/// Numbers of variable length: seven bits per byte, the highest first; all bytes except the last of a number have their
/// top bit set.
fn put(out: &mut Vec<u8>, values: &[u64]) {
    for value in values {
        let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group > 0 { 0x80 } else { 0 };
            out.push((value >> (7 * group)) as u8 & 0x7f | more);
        }
    }
}

/// CRC-32 with the polynomial 0x04C11DB7, initial value zero, highest bit first.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            let next = crc << 1;
            if crc >> 31 == 1 { next ^ 0x04c1_1db7 } else { next }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x81, 0]),
            (65_536, &[0x84, 0x80, 0]),
            (u64::MAX, &[0x81, 255, 255, 255, 255, 255, 255, 255, 255, 0x7f]),
        ] {
            let mut out = Vec::new();
            put(&mut out, &[value]);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn checksums_follow_the_generator() {
        assert_eq!(crc(&[0, 0]), 0);
        assert_eq!(crc(&[1]), 0x04c1_1db7);
        // The check value of this polynomial without reflection or inversion.
        assert_eq!(crc(b"123456789"), 0x89a1_897f);
    }

    /// The CRC over a packet and its checksum is zero, and syncpoints point back to the previous one.
    #[test]
    fn packets_check_and_point_back() {
        let (mut muxer, mut out) = (NutMuxer::default(), Vec::new());
        let (tick, aspect) = ((1, 90_000), SQUARE);
        let stream = NutStream { width: 1280, height: 720, tick, aspect, ..NutStream::default() };
        muxer.begin(&stream, &mut out);
        let size = 1280 * 720 * 4;
        let mut at = Vec::new();
        for ticks in [0, 3003] {
            at.push(out.len());
            muxer.frame(Track::Pictures, ticks, size, &mut out);
            out.resize(out.len() + size, 0);
        }
        assert_eq!(muxer.position, out.len() as u64);
        let packet = &out[at[1]..];
        assert_eq!(packet[..8], SYNCPOINT.to_be_bytes());
        let length = usize::from(packet[8]);
        assert_eq!(crc(&packet[9..9 + length]), 0);
        // Two bytes of time, then the distance divided by sixteen.
        let back = packet[11..9 + length - 4].iter().fold(0, |v, b| v << 7 | usize::from(b & 0x7f));
        let syncpoint = at[1] - (16 * back + 15);
        assert!(syncpoint <= at[0] && at[0] - syncpoint <= 15);
        let frame = &packet[9 + length..];
        assert_eq!(frame[0], FRAME_CODE);
        let header = frame.len() - size;
        assert_eq!(crc(&frame[..header]), 0);
    }

    #[test]
    fn written_frames_are_read_back() {
        let (tick, aspect) = ((1001, 30_000), (16, 11));
        let of = NutStream { width: 3, height: 2, tick, aspect, ..NutStream::default() };
        let (mut muxer, mut out) = (NutMuxer::default(), Vec::new());
        muxer.begin(&of, &mut out);
        let pictures = [(0, vec![7; 24]), (5, vec![8; 24]), (900, vec![9; 24])];
        for (ticks, picture) in &pictures {
            muxer.frame(Track::Pictures, *ticks, 24, &mut out);
            out.extend_from_slice(picture);
        }
        let mut reader = NutReader::open(out.as_slice(), None).expect("headers");
        assert_eq!(reader.stream(), of);
        for (ticks, picture) in pictures {
            let read = reader.next_picture().expect("read");
            assert_eq!(read, Some((ticks as i64, picture)));
        }
        assert!(reader.next_picture().expect("the end").is_none());
        // Every cut and every changed byte ends in an error or in other pictures.
        for at in 0..out.len() {
            let mut changed = out.clone();
            changed[at] ^= 0x55;
            for stream in [&out[..at], &changed] {
                let reader = NutReader::open(stream, None);
                let Ok(mut reader) = reader else { continue };
                while let Ok(Some((_, picture))) = reader.next_picture() {
                    assert_eq!(picture.len(), 4 * reader.stream().width * reader.stream().height);
                }
            }
        }
    }

    #[test]
    fn short_times_are_the_nearest_ones() {
        for (coded, before, is) in [(5, 130, 133), (127, 130, 127), (3, 0, 3), (256, 9, 128)] {
            assert_eq!(full_time(coded, before, 7), is, "{coded} after {before}");
        }
    }
}
