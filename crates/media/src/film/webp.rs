//! Animated WebP files, which ffmpeg does not read: they are decoded here and sent to it.

use std::{
    error::Error,
    io::{Cursor, Write},
    ops::Range,
    path::Path,
};

use image::{AnimationDecoder, codecs::webp::WebPDecoder};
use serde_json::{Value, json};

use crate::nut::{NutMuxer, NutStream, SQUARE, Track};
use pictures::decode;

/// Describes the file at `path` as `ffprobe` would.
///
/// # Errors
/// The reason.
pub fn describe(name: &str, path: &Path) -> Result<Value, Box<dyn Error>> {
    let bytes = decode::bytes_of_path(path)?;
    let size = decode::needs(name, &bytes)?;
    let found = image_webp::WebPDecoder::new(Cursor::new(&bytes))?;
    let seconds = (found.loop_duration() as f64 / 1000.0).to_string();
    let video = json!({
        "codec_type": "video", "width": size.width, "height": size.height, "pix_fmt": "rgba",
        "time_base": "1/1000", "nb_frames": found.num_frames(), "duration": seconds,
    });
    Ok(json!({ "streams": [video] }))
}

/// Sends the frames of the file at `path` that begin in `range`, in seconds, as a NUT stream. They have this width and
/// height.
///
/// # Errors
/// Why not all of them were sent.
pub fn send(
    path: &Path,
    (width, height): (usize, usize),
    range: Range<f64>,
    mut to: impl Write,
) -> Result<(), Box<dyn Error>> {
    let bytes = decode::bytes_of_path(path)?;
    let (mut muxer, mut header) = (NutMuxer::default(), Vec::new());
    let (tick, aspect) = ((1, 1000), SQUARE);
    let stream = NutStream { width, height, tick, aspect, ..NutStream::default() };
    muxer.begin(&stream, &mut header);
    let mut ms = 0;
    for frame in WebPDecoder::new(Cursor::new(&bytes))?.into_frames() {
        let frame = frame?;
        let seconds = ms as f64 / 1000.0;
        if seconds >= range.end {
            break;
        }
        let shown = u64::from(frame.delay().numer_denom_ms().0.max(1));
        if seconds >= range.start {
            let pixels = frame.into_buffer();
            muxer.frame(Track::Pictures, ms, pixels.len(), &mut header);
            to.write_all(&header)?;
            to.write_all(&pixels)?;
            header.clear();
        }
        ms += shown;
    }
    Ok(())
}
