//! Reads the first picture of a recorded video, for lists of videos.

use std::{fs::File, io::Read, path::Path};

use super::destination::has_extension;
use crate::media::ffmpeg::Ffmpeg;
use crate::{disk::reason, frame::Frame, media::decode};

/// Enough bytes of an AVI to contain its header and first picture.
const MAX_BYTES: u64 = 32 << 20;

/// The first picture of a recorded video. An MP4 needs ffmpeg, which scales the picture to `width`.
///
/// # Errors
/// The reason, as text for the user.
pub fn beginning_of(video: &Path, width: Option<usize>) -> Result<Frame, String> {
    let name = video.display().to_string();
    let picture = if has_extension(video, &["avi"]) {
        let mut bytes = Vec::new();
        let file = File::open(video).map_err(|e| reason(&e))?;
        let read = file.take(MAX_BYTES).read_to_end(&mut bytes);
        read.map_err(|e| reason(&e))?;
        let first = first_chunk(&bytes).map(<[u8]>::to_vec);
        first.ok_or_else(|| format!("{name} is not a video made by StyleForge"))?
    } else {
        let ffmpeg = Ffmpeg::find().map_err(|e| e.to_string())?;
        ffmpeg.beginning_of(video, 0.0, width)?
    };
    let decoded = decode::from_bytes(&name, &picture).map_err(|e| e.to_string())?;
    Ok((*decoded.frame).clone())
}

/// The JPEG in the first slot of an AVI.
fn first_chunk(avi: &[u8]) -> Option<&[u8]> {
    let at = avi.windows(8).position(|word| word == b"movi00dc")? + 8;
    let length = avi.get(at..at + 4)?.try_into().ok()?;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    avi.get(at + 4..)?.get(..length)
}
