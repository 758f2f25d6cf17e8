//! Writes uncompressed pictures as a NUT stream, a container that passes every picture with its own time through a
//! pipe.
//!
//! Follows the public specification of the NUT open container format, version 3: one video stream of planar 4:2:0
//! pictures (`I420`, BT.709, 16 to 235). Every picture is a key frame after its own syncpoint, because pictures are
//! larger than the maximum distance between syncpoints.

/// Ticks per second of the stream's clock: the usual clock of video, 11 microseconds a tick.
pub const TICKS_PER_SECOND: u32 = 90_000;

const FILE_ID: &[u8] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4e4d_7a56_1f5f_04ad;
const STREAM: u64 = 0x4e53_1140_5bf2_f9db;
const SYNCPOINT: u64 = 0x4e4b_e4ad_eeca_4569;

const VERSION: u64 = 3;
/// Maximum bytes between two syncpoints without a checksum; the format's maximum.
const MAX_DISTANCE: u64 = 65_536;
/// Number of low bits in a short time. All frames here have full times.
const MSB_PTS_SHIFT: u32 = 7;
/// Limited range BT.709.
const COLORSPACE: u64 = 2;

const FLAG_KEY: u64 = 1;
const FLAG_CODED_PTS: u64 = 1 << 3;
const FLAG_SIZE_MSB: u64 = 1 << 5;
const FLAG_CHECKSUM: u64 = 1 << 6;
const FLAG_CODED: u64 = 1 << 12;
const FLAG_INVALID: u64 = 1 << 13;
/// A code for frames that contain their own flags.
const FRAME_CODE: u8 = 1;

/// Writes the parts of a stream around its pictures.
#[derive(Default)]
pub struct NutMuxer {
    /// Bytes of the stream so far.
    position: u64,
    /// Offset of the last syncpoint.
    syncpoint: Option<u64>,
}

impl NutMuxer {
    /// Appends the headers before all pictures; width and height are in pixels.
    pub fn begin(&mut self, width: usize, height: usize, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(FILE_ID);
        let mut main = Vec::new();
        // Version, streams, distance, clocks; the single clock.
        for value in [VERSION, 1, MAX_DISTANCE, 1, 1, u64::from(TICKS_PER_SECOND)] {
            put_v(&mut main, value);
        }
        // The table of frame codes in runs, each with six fields: time, size factor, stream, size, reserved, count. The
        // first and the last code stay invalid, so that runs of zero bits or one bits are never mistaken for a frame.
        for (flags, count) in [(FLAG_INVALID, 1), (FLAG_CODED, 253), (FLAG_INVALID, 1)] {
            for value in [flags, 6, 0, 1, 0, 0, 0, count] {
                put_v(&mut main, value);
            }
        }
        // No elided frame headers.
        put_v(&mut main, 0);
        put_packet(out, MAIN, main);

        let mut stream = Vec::new();
        // Number, class (video).
        put_v(&mut stream, 0);
        put_v(&mut stream, 0);
        put_v(&mut stream, 4);
        stream.extend_from_slice(b"I420");
        // Clock, bits of short times, maximum time between frames, decoder delay, flags, codec-specific bytes.
        for value in [0, u64::from(MSB_PTS_SHIFT), 1 << 40, 0, 0, 0] {
            put_v(&mut stream, value);
        }
        // The pixel aspect ratio is not specified, which means square.
        for value in [width as u64, height as u64, 0, 0, COLORSPACE] {
            put_v(&mut stream, value);
        }
        put_packet(out, STREAM, stream);
        self.position += (out.len() - from) as u64;
    }

    /// Appends the header of a picture of `size` bytes that is shown at `ticks`; the caller appends these bytes. Ticks
    /// must increase from picture to picture.
    pub fn frame(&mut self, ticks: u64, size: usize, out: &mut Vec<u8>) {
        let from = out.len();
        let back = self.syncpoint.map_or(0, |at| (self.position - at) / 16);
        self.syncpoint = Some(self.position);
        let mut syncpoint = Vec::new();
        put_v(&mut syncpoint, ticks);
        put_v(&mut syncpoint, back);
        put_packet(out, SYNCPOINT, syncpoint);

        let mut header = vec![FRAME_CODE];
        let flags = FLAG_KEY | FLAG_CODED_PTS | FLAG_SIZE_MSB | FLAG_CHECKSUM;
        put_v(&mut header, flags);
        put_v(&mut header, ticks + (1 << MSB_PTS_SHIFT));
        put_v(&mut header, size as u64);
        let checksum = crc(&header);
        out.extend_from_slice(&header);
        out.extend_from_slice(&checksum.to_be_bytes());
        self.position += (out.len() - from + size) as u64;
    }
}

/// A packet other than a frame. None here is large enough to need a checksum of its header.
fn put_packet(out: &mut Vec<u8>, startcode: u64, content: Vec<u8>) {
    out.extend_from_slice(&startcode.to_be_bytes());
    put_v(out, content.len() as u64 + 4);
    out.extend_from_slice(&content);
    out.extend_from_slice(&crc(&content).to_be_bytes());
}

/// A number of variable length: seven bits per byte, the highest first; all bytes except the last have their top bit
/// set.
fn put_v(out: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((value >> (7 * group)) as u8 & 0x7f | more);
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
            put_v(&mut out, value);
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
        muxer.begin(1280, 720, &mut out);
        let size = 1280 * 720 * 3 / 2;
        let mut at = Vec::new();
        for ticks in [0, 3003] {
            at.push(out.len());
            muxer.frame(ticks, size, &mut out);
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
}
