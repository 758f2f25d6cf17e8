//! Sends pictures that this program has decoded to ffmpeg.

use std::{error::Error, io::Write, ops::Range};

use crate::nut::{NutMuxer, NutStream, SQUARE, Track};

/// A picture in RGBA8, and its time in ticks.
pub type Sent = Result<(u64, Vec<u8>), Box<dyn Error>>;

/// Sends the pictures that begin in `range`, in seconds, as a NUT stream. They have this width and height, and a clock of
/// ticks of this length.
///
/// # Errors
/// Why not all of them were sent.
pub fn send(
    (width, height): (usize, usize),
    tick: (u64, u64),
    range: Range<f64>,
    pictures: impl Iterator<Item = Sent>,
    mut to: impl Write,
) -> Result<(), Box<dyn Error>> {
    let (mut muxer, mut header) = (NutMuxer::default(), Vec::new());
    let stream = NutStream { width, height, tick, aspect: SQUARE, ..NutStream::default() };
    muxer.begin(&stream, &mut header);
    for picture in pictures {
        let (ticks, pixels) = picture?;
        let seconds = ticks as f64 * tick.0 as f64 / tick.1 as f64;
        if seconds >= range.end {
            break;
        }
        if pixels.len() != stream.picture_bytes() {
            return Err("its pictures have different sizes".into());
        }
        if seconds >= range.start {
            muxer.frame(Track::Pictures, ticks, pixels.len(), &mut header);
            to.write_all(&header)?;
            to.write_all(&pixels)?;
            header.clear();
        }
    }
    Ok(())
}
