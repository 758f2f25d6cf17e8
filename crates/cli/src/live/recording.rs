//! Recording for `styleforge live`: starts what `--record` requests and reports the result.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    CliError,
    args::LiveArgs,
    terminal::{write_message, write_note},
    wrong_use,
};
use media::{
    film::{Codec, Container},
    record::{Destination, FrameSink, Microphone, Recorded, Recorder, USUAL_QUALITY},
};
use pictures::{MediaError, encode::Format};
use threads::WakeUp;
use values::{disk::WriteError, frame::Frame};
use weights::bytes_in_hex;

/// Checks the arguments as far as possible without a device.
///
/// # Errors
/// [`CliError::WrongUse`] if the arguments contradict each other.
pub fn check(args: &LiveArgs) -> Result<(), CliError> {
    match (&args.record, args.record_format) {
        (Some(path), Some(_)) if Destination::is_video_path(path) => wrong_use(
            "--record-format only applies to a folder of images; leave it out for a video",
        ),
        (Some(path), _) if Destination::is_other_video(path) => wrong_use(format!(
            "{} has the extension of a video format that is not written; use .mp4, or a folder of pictures",
            path.display()
        )),
        (Some(path), _) => Container::Mp4.check(codec(args), path).map_err(CliError::wrong_use),
        (None, _) => Ok(()),
    }
}

fn codec(args: &LiveArgs) -> Codec {
    args.codec.unwrap_or(Codec::H264)
}

/// Starts the recording that `--record` requests.
///
/// # Errors
/// [`CliError::Failed`] if it cannot be created.
pub fn start(args: &LiveArgs, wake_up: WakeUp) -> Result<Option<(Recorder, FrameSink)>, CliError> {
    let Some(path) = &args.record else {
        return Ok(None);
    };
    let format = args.record_format.unwrap_or(Format::Jpeg);
    let (mut destination, note) = Destination::of(path, format, codec(args));
    if let Some(note) = note {
        write_note(note);
    }
    match &mut destination {
        Destination::Mp4 { choice, .. } => {
            choice.hardware = args.hardware;
            choice.quality = args.quality.unwrap_or(USUAL_QUALITY);
            let microphone = args.microphone.as_ref();
            let found = microphone.map(|name| Microphone::find(name.as_deref())).transpose();
            choice.microphone = found.map_err(|why| {
                CliError::Failed(format!("sound cannot be recorded: {why}; see styleforge doctor"))
            })?;
        }
        _ if args.microphone.is_some()
            || args.hardware
            || args.codec.is_some()
            || args.quality.is_some() =>
        {
            return wrong_use(
                "--codec, --quality, --microphone and --hardware are for MP4 videos, which need ffmpeg; see styleforge doctor",
            );
        }
        _ => {}
    }
    if let Some(microphone) = destination.microphone() {
        write_message(format!("microphone on: {}; it is recorded", microphone.name));
    }
    let started = Recorder::start(&destination, wake_up).map_err(|error| match error {
        // Live recordings never replace files.
        MediaError::Write(WriteError::Exists { name }) => {
            CliError::wrong_use(format!("{name} already exists; choose another name"))
        }
        other => CliError::failed(other),
    })?;
    Ok(Some(started))
}

/// Frames per second of a recording of photos, if `--fps` does not set it.
const STILL_FPS: u32 = 30;

/// Records a photo, which is painted once, at a constant frame rate.
pub struct StillRecording {
    sink: FrameSink,
    fps: u32,
    /// Number of frames recorded so far.
    pub frames: u64,
}

impl StillRecording {
    pub fn new(sink: FrameSink, fps: Option<u32>) -> Self {
        Self { sink, fps: fps.unwrap_or(STILL_FPS), frames: 0 }
    }

    /// The time of the next frame, for a recording that started at `start`.
    pub fn next(&self, start: Instant) -> Instant {
        start + Duration::from_secs(1).mul_f64(self.frames as f64 / f64::from(self.fps))
    }

    /// Records `picture` as all frames before `until`, but at most `most` frames in total.
    pub fn repeat(&mut self, picture: &Frame, start: Instant, until: Instant, most: u64) {
        while self.next(start) < until && self.frames < most {
            self.sink.push(picture, self.next(start));
            self.frames += 1;
        }
    }
}

#[derive(Serialize)]
pub struct RecordingReport {
    pub path: String,
    /// The bytes of the path as hexadecimal digits, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
    /// `pictures` or `mp4`.
    pub kind: &'static str,
    pub frames: u64,
    pub left_out: u64,
    /// From the first frame to the last.
    pub seconds: f64,
    pub bytes: u64,
    /// The microphone, if sound was recorded.
    pub microphone: Option<String>,
    /// How the recording differs from what was painted, in sentences.
    pub notes: Vec<String>,
    /// Summary as text.
    #[serde(skip)]
    pub summary: String,
}

impl From<Recorded> for RecordingReport {
    fn from(recorded: Recorded) -> Self {
        let path: &Path = &recorded.path;
        Self {
            path: path.display().to_string(),
            path_bytes: bytes_in_hex(path),
            kind: if recorded.is_video { "mp4" } else { "pictures" },
            frames: recorded.frames,
            left_out: recorded.left_out,
            seconds: recorded.length.as_secs_f64(),
            bytes: recorded.bytes,
            summary: format!("recorded in {}: {}", path.display(), recorded.summary()),
            microphone: recorded.microphone,
            notes: recorded.notes,
        }
    }
}
