//! Which part of a clip is read.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Tools,
    clip::{Clip, Reader},
    decimal,
};
use crate::{
    ffmpeg::Input,
    memory::{Flow, max_pixels_of, most_bytes},
};
use threads::process::{limit_memory, run};

/// How long one look for a key frame may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A key frame without a time of its own is shown at most this long after it is decoded, in seconds.
const MAX_REORDERED: f64 = 1.0;
/// Times are compared with this tolerance, in seconds; less than a tick of the finest usual clock.
const TOLERANCE: f64 = 1e-5;

/// What a decoder prints when its first picture comes. Earlier complaints are about what is before the start.
pub(super) const BEGUN: &str = "16777215.000000";
/// Sides are less, in the number that a decoder prints at a picture of another size than the clip's.
const SIDE: u64 = 1 << 15;

/// What a decoder reads.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub source: &'a Path,
    pub clip: &'a Clip,
    pub range: Range,
    /// Frames per second, as a fraction; `None` keeps every frame at its own time. Of numbered pictures, the rate at
    /// which they are shown.
    pub fps: Option<(u64, u64)>,
    /// Number of pictures left out at the beginning. ffmpeg cannot count them, because it starts anew at another size.
    pub skipped: u64,
    /// Longer pictures are scaled down to this, and their pixels become square.
    pub long_side_px: Option<usize>,
    /// Only key frames are decoded, from the one at or before this time of a file on; the range is ignored. Much faster
    /// than the picture at that time.
    pub key_frames: Option<f64>,
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
        if self.key_frames.is_some() {
            command.args(["-skip_frame", "nokey"]);
        }
        let start = || self.range.start.and_then(|start| self.seek_before(tools, start));
        if let Some(seconds) = self.key_frames.or_else(start) {
            command.args(["-ss", &decimal(seconds)]);
        }
        Input::Video(self.source).add_to(command);
    }

    /// The time to which a decoder must seek so that the pictures are whole from `start` on; both in seconds from the
    /// beginning of the file. `None` is the beginning. Containers without an index lead to any packet, so the search goes
    /// back until a key frame comes first. One that is refreshed over many pictures is shown with the last of these.
    fn seek_before(&self, tools: &Tools, start: f64) -> Option<f64> {
        let (clip, mut back) = (self.clip, 0.0);
        while back < start {
            let mut command = tools.ffmpeg.command();
            command.args(max_pixels_of(clip.size));
            let seek = ["-noaccurate_seek", "-ss", &decimal(start - back)];
            Input::Video(self.source).add_to(command.args(seek));
            let stream = format!("0:{}", clip.stream);
            // Packets before the first key frame are not copied.
            command.args(["-map", &stream, "-c:0", "copy", "-map", &stream, "-c:1", "rawvideo"]);
            let (over, under) = clip.tick;
            command.args(["-enc_time_base:1", &format!("{over}:{under}")]);
            command.args(tools.ffmpeg.every_picture());
            command.args("-frames:v 1 -f framecrc pipe:1".split(' '));
            limit_memory(&mut command, most_bytes(clip.decoder_bytes(self.flow)));
            let ended = run(command, PATIENCE, &tools.control).ok()?;
            let output = String::from_utf8_lossy(&ended.output);
            let is_before = |stream| {
                first_time(&output, stream).is_some_and(|seconds| seconds <= back + TOLERANCE)
            };
            if is_before(0) && is_before(1) {
                return Some(start - back);
            }
            back = f64::max(1.0, 2.0 * back);
        }
        None
    }

    /// The filters of stored pictures: they report other sizes, deinterlace them, leave out those before and after the
    /// range, and forget what was wrong before it.
    pub(super) fn stored_filters(&self) -> Vec<String> {
        let (clip, Range { start, end }) = (self.clip, self.range);
        let mut filters = Vec::new();
        if !clip.is_sent() {
            let ((width, height), start) = (clip.size, decimal(clip.start));
            let seconds = format!("round(max(t-{start}\\,0))");
            let number = format!("({seconds}*{SIDE}+iw)*{SIDE}+ih");
            let is_other = format!("eq(n\\,0)*(1-eq(iw\\,{width})*eq(ih\\,{height}))");
            filters.push(format!("crop=iw:ih:0:0*if({is_other}\\,print({number}\\,16)):exact=1"));
        }
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

/// The time of the first packet of a stream in the output of `framecrc`, in seconds.
fn first_time(output: &str, stream: usize) -> Option<f64> {
    let value = |start: String| output.lines().find_map(|line| line.strip_prefix(&start));
    let (over, under) = value(format!("#tb {stream}: "))?.split_once('/')?;
    let tick = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
    let packet = value(format!("{stream},"))?;
    let mut times = packet.split(',').map(|time| time.trim().parse::<i64>().ok());
    let (decoded, shown) = (times.next()??, times.next()??);
    Some(match shown {
        i64::MIN => decoded as f64 * tick + MAX_REORDERED,
        shown => shown as f64 * tick,
    })
}

/// The second of the film and the size in a line that a decoder prints at a picture of another size than the clip's.
pub(super) fn resized(line: &str) -> Option<(u64, (usize, usize))> {
    let number: u64 = line.strip_suffix(".000000").filter(|_| line != BEGUN)?.parse().ok()?;
    let size = ((number / SIDE % SIDE) as usize, (number % SIDE) as usize);
    Some((number / SIDE / SIDE, size))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_says_when_a_key_frame_is_shown() {
        for (packets, seconds) in [
            ("0,     399890,     407090,     3600,     1793, 0x34a972c2, S=1", Some(4.523_222)),
            ("1, 5, 5, 1, 1, 0x1\n0, -90000, -9223372036854775808, 3600, 2593, 0xec", Some(0.0)),
            ("1, 5, 5, 1, 1, 0x1", None),
        ] {
            let output = format!("#software: Lavf59\n#tb 0: 1/90000\n#sar 0: 1/1\n{packets}");
            let found = first_time(&output, 0).map(|s| (s * 1e6).round() / 1e6);
            assert_eq!(found, seconds, "{packets}");
        }
    }

    #[test]
    fn a_decoder_reports_another_size() {
        let number = (12 * SIDE + 720) * SIDE + 576;
        assert_eq!(resized(&format!("{number}.000000")), Some((12, (720, 576))));
        for other in [BEGUN, "moov atom not found", "720.5", ""] {
            assert_eq!(resized(other), None, "{other}");
        }
    }
}
