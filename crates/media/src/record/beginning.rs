//! Reads the first picture of a recorded video, for lists of videos.

use std::path::Path;

use crate::{ffmpeg::Ffmpeg, memory::limit_bytes};
use pictures::decode;
use values::frame::Frame;

/// The first picture of a recorded video, scaled to `width` by ffmpeg.
///
/// # Errors
/// The reason, as text for the user.
pub fn beginning_of(video: &Path, width: Option<usize>) -> Result<Frame, String> {
    let ffmpeg = Ffmpeg::find().map_err(|e| e.to_string())?;
    let picture = ffmpeg.beginning_of(video, width, limit_bytes(None))?;
    let decoded = decode::from_bytes(&video.display().to_string(), &picture);
    Ok((*decoded.map_err(|e| e.to_string())?.frame).clone())
}
