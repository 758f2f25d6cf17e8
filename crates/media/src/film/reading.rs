//! Which part of a clip is read.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use super::{
    Tools,
    clip::{Clip, Reader},
    decimal,
};
use crate::{ffmpeg::Input, memory::Flow};

/// What a decoder prints when its first picture comes. Earlier complaints are about what is before the start.
pub(super) const BEGUN: &str = "16777215.000000";

/// What a decoder reads.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub source: &'a Path,
    pub clip: &'a Clip,
    pub range: Range,
    /// Frames per second, as a fraction; `None` keeps every frame at its own time. Of numbered pictures, the rate at
    /// which they are shown.
    pub fps: Option<(u64, u64)>,
    /// Number of pictures left out at the beginning.
    pub skipped: u64,
    /// Longer pictures are scaled down to this, and their pixels become square.
    pub long_side_px: Option<usize>,
    pub flow: Flow,
}

impl Reading<'_> {
    /// Adds the source as the input of a command that copies its streams.
    pub fn add_source(&self, command: &mut Command) {
        match self.clip.reader {
            Reader::File => {
                command.args(self.range.input_options());
                Input::Video(self.source).add_to(command);
            }
            Reader::Numbered { first, holds: false } => {
                let (over, under) = self.pictures_fps();
                command.args(self.range.input_options());
                command.args(["-framerate", &format!("{over}/{under}")]);
                Input::Numbered(self.source, first).add_to(command);
            }
            Reader::Numbered { holds: true, .. } | Reader::WebP => {
                Input::Sent.add_to(command.arg("-copyts").stdin(Stdio::piped()));
            }
        }
    }

    /// Adds the source as the input of a command that decodes its pictures, with [`Self::stored_filters`].
    pub(super) fn add_pictures(&self, tools: &Tools, command: &mut Command) {
        if self.clip.reader != Reader::File {
            return self.add_source(command);
        }
        if let Some(decoder) = self.clip.alpha_decoder.filter(|name| tools.ffmpeg.has(name)) {
            command.args(["-c:v", decoder]);
        }
        command.args(["-copyts", "-noaccurate_seek"]);
        let before = |start| {
            let (ffmpeg, control) = (&tools.ffmpeg, &tools.control);
            ffmpeg.key_frame_before(self.source, self.clip.stream, start, control)
        };
        if let Some(seconds) = self.range.start.and_then(before) {
            command.args(["-ss", &decimal(seconds)]);
        }
        Input::Video(self.source).add_to(command);
    }

    /// The filters of stored pictures: they deinterlace them, leave out those before and after the range, and forget what
    /// was wrong before it.
    pub(super) fn stored_filters(&self) -> Vec<String> {
        let (clip, Range { start, end }) = (self.clip, self.range);
        let mut filters = Vec::new();
        if let Some([parity, _]) = clip.fields().filter(|_| clip.deinterlaces) {
            let parity = if clip.has_field_flags { "auto" } else { parity };
            filters.push(format!("bwdif=mode=send_frame:parity={parity}:deint=all"));
        }
        if clip.reader == Reader::File {
            filters.extend(start.map(|_| {
                let start = decimal(self.beginning());
                format!("trim=start={start},select=1+0*if(eq(n\\,0)\\,print({BEGUN}\\,16))")
            }));
            filters.extend(end.map(|end| format!("trim=end={}", decimal(clip.start + end))));
        }
        filters
    }

    /// Numbered pictures per second, as a fraction.
    pub(super) fn pictures_fps(&self) -> (u64, u64) {
        self.fps.unwrap_or((self.clip.tick.1, self.clip.tick.0))
    }

    /// The time in the file at which it begins, in seconds.
    pub fn beginning(&self) -> f64 {
        self.clip.start + self.range.start.unwrap_or(0.0)
    }
}

/// The painted part of a clip, in seconds from the beginning of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    pub start: Option<f64>,
    pub end: Option<f64>,
}

impl Range {
    /// True if its ends are times.
    pub fn is_valid(self) -> bool {
        let is_time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        self.start.is_none_or(is_time) && self.end.is_none_or(is_time)
    }

    /// Number of frames of the clip in it, at this rate (see [`Reading::fps`]); not exact.
    pub fn frames_of(self, clip: &Clip, fps: Option<(u64, u64)>) -> Option<u64> {
        let (mut frames, mut seconds) = (clip.frames? as f64, clip.seconds.unwrap_or(0.0));
        match fps.map(|(over, under)| over as f64 / under as f64) {
            Some(fps) if matches!(clip.reader, Reader::Numbered { .. }) => seconds = frames / fps,
            Some(fps) if seconds > 0.0 => frames = seconds * fps,
            _ => {}
        }
        let part = self.end.unwrap_or(seconds).min(seconds) - self.start.unwrap_or(0.0);
        let share = if seconds > 0.0 { (part / seconds).clamp(0.0, 1.0) } else { 1.0 };
        Some((frames * share).round() as u64)
    }

    /// Options of ffmpeg before the source. With `-copyts` times are those of the file: otherwise ffmpeg counts from the
    /// first of the streams that it reads, which differs between processes.
    pub(super) fn input_options(&self) -> Vec<String> {
        let Self { start, end } = *self;
        let pair = |name: &str, seconds: f64| [name.to_owned(), decimal(seconds)];
        let mut options = vec!["-copyts".to_owned()];
        options.extend(start.into_iter().flat_map(|start| pair("-ss", start)));
        options.extend(end.into_iter().flat_map(|end| pair("-t", end - start.unwrap_or(0.0))));
        options
    }
}
