//! Animated WebP files, which ffmpeg does not read: they are decoded here and sent to it.

use std::{error::Error, io::Cursor, path::Path};

use image::{AnimationDecoder, codecs::webp::WebPDecoder};
use serde_json::{Value, json};

use super::sent::Sent;
use pictures::decode;

/// Seconds of a tick of its clock, as a fraction.
pub const TICK: (u64, u64) = (1, 1000);

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

/// The frames of the file at `path`, each with its time in milliseconds.
///
/// # Errors
/// The reason.
pub fn pictures(path: &Path) -> Result<impl Iterator<Item = Sent>, Box<dyn Error>> {
    let bytes = decode::bytes_of_path(path)?;
    let mut ms = 0;
    let frames = WebPDecoder::new(Cursor::new(bytes))?.into_frames();
    Ok(frames.map(move |frame| -> Sent {
        let frame = frame?;
        let at = ms;
        ms += u64::from(frame.delay().numer_denom_ms().0.max(1));
        Ok((at, frame.into_buffer().into_raw()))
    }))
}
