//! Animated WebP files, which ffmpeg does not read: they are decoded here and sent to it. It also writes them with a wrong
//! time for the last frame.

use std::{error::Error, io, path::Path};

use serde_json::{Value, json};

use super::sent::Sent;
use pictures::{
    container::{WebpFrame, webp_frames, webp_plays},
    decode,
};
use values::disk;

/// Where a frame's duration is, after its data's start, and its maximum in milliseconds (RFC 9649, 2.7.1.1).
const DURATION_AT: usize = 12;
const MAX_MS: f64 = 16_777_215.0;

/// Seconds of a tick of its clock, as a fraction.
pub const TICK: (u64, u64) = (1, 1000);

/// Describes the file at `path` as `ffprobe` would.
///
/// # Errors
/// The reason.
pub fn describe(name: &str, path: &Path) -> Result<Value, Box<dyn Error>> {
    let bytes = decode::bytes_of_path(path)?;
    let size = decode::needs(name, &bytes)?;
    let frames = || webp_frames(&bytes);
    let ms: u64 = frames().map(|frame| shown_ms(&frame)).sum();
    if ms == 0 {
        return Err("it is not animated".into());
    }
    let seconds = (ms as f64 / 1000.0).to_string();
    let video = json!({
        "codec_type": "video", "width": size.width, "height": size.height, "pix_fmt": "rgba",
        "time_base": "1/1000", "nb_frames": frames().count(), "duration": seconds,
    });
    Ok(json!({ "streams": [video], "plays": webp_plays(&bytes) }))
}

/// Times must increase.
fn shown_ms(frame: &WebpFrame<'_>) -> u64 {
    u64::from(frame.ms.max(1))
}

/// The pictures that a file of this width and height shows, each with its time in milliseconds.
pub fn pictures(bytes: &[u8], (width, height): (usize, usize)) -> impl Iterator<Item = Sent> {
    let (mut ms, mut canvas) = (0, vec![[0; 4]; width * height]);
    webp_frames(bytes).map(move |frame| {
        let picture = decode::from_bytes("a frame", &frame.file())?.frame;
        let ([x, y], (columns, rows)) = (frame.at, picture.size());
        if x + columns > width || y + rows > height {
            return Err("a frame is outside of the picture".into());
        }
        let area = || (y..y + rows).map(move |row| row * width + x..row * width + x + columns);
        for (to, from) in area().zip(picture.rgba().as_chunks::<4>().0.chunks_exact(columns)) {
            for (below, above) in canvas[to].iter_mut().zip(from) {
                *below = if frame.is_blended { blended(*below, *above) } else { *above };
            }
        }
        let shown = (ms, canvas.as_flattened().to_vec());
        if frame.is_removed {
            area().for_each(|row| canvas[row].fill([0; 4]));
        }
        ms += shown_ms(&frame);
        Ok(shown)
    })
}

/// A pixel over another one.
fn blended(below: [u8; 4], above: [u8; 4]) -> [u8; 4] {
    let alpha = u32::from(above[3]);
    let kept = (u32::from(below[3]) * (255 - alpha) + 127) / 255;
    let all = alpha + kept;
    let mut pixel = [0, 1, 2, 3].map(|channel| {
        let [below, above] = [below, above].map(|pixel| u32::from(pixel[channel]));
        ((above * alpha + below * kept + all / 2) / all.max(1)) as u8
    });
    pixel[3] = all as u8;
    pixel
}

/// Makes the last frame of the file at `path` end at `seconds`.
///
/// # Errors
/// The system's error.
pub fn set_length(path: &Path, seconds: f64) -> io::Result<()> {
    let bytes = std::fs::read(path)?;
    let mut before_ms = 0;
    let mut frames = webp_frames(&bytes).peekable();
    while let Some(frame) = frames.next() {
        if frames.peek().is_some() {
            before_ms += frame.ms;
            continue;
        }
        let ms = (seconds * 1000.0 - f64::from(before_ms)).round().clamp(1.0, MAX_MS) as u32;
        disk::overwrite(path, frame.start + DURATION_AT, &ms.to_le_bytes()[..3])?;
    }
    Ok(())
}
