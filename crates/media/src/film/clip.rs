//! What a video file contains, as `ffprobe` reports it.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use super::{FilmError, Numbered, animation, webp};
use crate::{
    codec::Colors,
    ffmpeg::{self, Input, failure},
    memory::{Flow, index_bytes, max_pixels_within, picture_bytes},
};
use pictures::{
    container::{gif_is_cut, png_code_points},
    decode,
};
use threads::process;
use values::{
    control::RunControl,
    disk::reason,
    text::{cut, one_line},
    yuv420::Yuv420,
};

/// Maximum pictures per second; more is a damaged or hostile file.
const MAX_FPS: f64 = 1000.0;
/// Maximum length of a tag's value. The system limits the length of a command with it.
const MAX_TAG_CHARS: usize = 1000;
/// Maximum bytes of a description by ffprobe, enough for 100,000 chapters.
const MAX_DESCRIPTION_BYTES: u64 = 16 << 20;
/// Bytes of a PNG in which it names its colours.
const BEGINNING_BYTES: u64 = 1 << 20;
/// Longest side of a picture, the maximum of H.264 and of most programs.
const MAX_SIDE_PX: u64 = 16_384;

/// Name of the tag with the time of day of the first picture, and of the streams that have it in QuickTime.
pub const TIMECODE: &str = "timecode";

/// A stream that is not painted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its number in the file.
    pub index: u64,
    /// `audio`, `subtitle`, `data`, `attachment` or `video`.
    pub kind: String,
    pub codec: String,
    /// Of sound, in hertz.
    pub sample_rate: Option<u64>,
    pub is_cover: bool,
    pub tags: Tags,
}

/// Names in small letters, and values.
pub type Tags = Vec<(String, String)>;

/// How the pictures of a source are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// By ffmpeg, from a file.
    File,
    /// From numbered pictures: by ffmpeg, or by this program if it holds the picture before a missing one.
    Numbered { first: u64, holds: bool },
    /// By this program.
    WebP,
}

/// Which field of a picture is shown first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldOrder {
    /// Both at once.
    Progressive,
    Unknown,
    Top,
    Bottom,
}

/// Codecs whose pictures have no fields, or each field as a picture of its own.
const WITHOUT_FIELDS: [&str; 9] =
    ["apng", "av1", "gif", "hevc", "png", "theora", "vp8", "vp9", "webp"];

/// A video file, or numbered pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// As the user named it.
    pub name: String,
    pub reader: Reader,
    /// Number of the painted stream in the file.
    pub stream: u64,
    /// Seconds of a tick of its clock, as a fraction.
    pub tick: (u64, u64),
    /// Width and height as stored, in pixels, before rotation.
    pub size: (usize, usize),
    /// How wide the stored pixels are shown, in their heights.
    pub pixel_aspect: f64,
    /// Number of frames that the file declares, or that its length suggests; not exact.
    pub frames: Option<u64>,
    /// Mean frames per second, if the file declares them.
    pub fps: Option<f64>,
    /// Its length, if the file declares it.
    pub seconds: Option<f64>,
    /// Time of the first picture or sound, in seconds.
    pub start: f64,
    /// Time at which the last picture ends, in seconds.
    pub end: Option<f64>,
    /// The first number without a picture.
    pub missing: Option<u64>,
    pub field_order: FieldOrder,
    /// Decoded pictures say which of their fields is first, too. They know it better.
    pub has_field_flags: bool,
    /// Interlaced pictures become whole ones.
    pub deinterlaces: bool,
    /// How often an animation is played, 0 for ever.
    pub plays: Option<u16>,
    /// It is a GIF that ends before its end marker, of which ffmpeg says nothing.
    pub is_cut: bool,
    pub has_alpha: bool,
    /// ffmpeg's decoder that reads the transparency, if the usual one does not.
    pub alpha_decoder: Option<&'static str>,
    pub is_rgb: bool,
    /// They are stored in YUV 4:2:0 with 8 bits.
    pub is_yuv420: bool,
    pub colors: Colors,
    /// Language, title and timecode of the painted stream.
    pub tags: Tags,
    /// Tags of the file.
    pub about: Tags,
    /// Its chapters have no tags except for titles.
    pub has_plain_chapters: bool,
    pub others: Vec<Other>,
}

impl Clip {
    /// Reads the headers of the file at `path` with this `ffprobe`, which is stopped after `patience` or when `control` is
    /// cancelled, and decodes no picture that takes more memory than `limit_bytes`.
    ///
    /// # Errors
    /// [`FilmError::File`] if it has no video, or one that cannot be painted.
    pub(super) fn open(
        ffprobe: &Path,
        path: &Path,
        patience: Duration,
        control: &RunControl,
        limit_bytes: u64,
    ) -> Result<Self, FilmError> {
        let name = path.display().to_string();
        let wrong = |reason: String| FilmError::file(&name, reason);
        let numbers = match Numbered::of(path) {
            Some(pictures) if !path.exists() => pictures.numbers(),
            _ => Vec::new(),
        };
        let mut command = ffmpeg::piped(ffprobe);
        command.args("-v error -of json -show_format -show_streams -show_chapters".split(' '));
        command.args(max_pixels_within(limit_bytes));
        if let Some(&first) = numbers.first() {
            // Pictures end for ffmpeg where one is missing.
            for picture in Numbered::of(path).iter().flat_map(Numbered::paths) {
                check(&picture).map_err(|why| FilmError::file(picture.display(), why))?;
            }
            Input::Numbered(path, first).add_to(&mut command);
        } else {
            check(path).map_err(wrong)?;
            if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("webp")) {
                let found = webp::describe(&name, path).map_err(|e| wrong(e.to_string()))?;
                let clip = Self::of(&name, &found).map_err(wrong)?;
                return Ok(Self { reader: Reader::WebP, ..clip });
            }
            Input::Video(path).add_to(&mut command);
            process::limit_memory(&mut command, index_bytes(limit_bytes));
        }
        let ended = process::run_keeping(MAX_DESCRIPTION_BYTES, command, patience, control)
            .map_err(wrong)?;
        if let Some(why) = failure(&ended) {
            return Err(wrong(format!("it cannot be read as a video: {why}")));
        }
        let found = serde_json::from_slice(&ended.output).map_err(|_| {
            wrong(match ended.output.len() as u64 {
                MAX_DESCRIPTION_BYTES => format!(
                    "its chapters and tags are longer than {} MiB; make a copy without them first (ffmpeg -i FILE -map_metadata -1 -map_chapters -1 -c copy COPY)",
                    MAX_DESCRIPTION_BYTES >> 20
                ),
                _ => "ffprobe gave no description of it".to_owned(),
            })
        })?;
        let mut clip = Self::of(&name, &found).map_err(wrong)?.timed(path, &found);
        if let Some(&first) = numbers.first() {
            let mut expected = (first..).zip(&numbers);
            clip.missing =
                expected.find(|(expected, n)| expected != *n).map(|(missing, _)| missing);
            clip.frames = numbers.last().map(|last| last - first + 1);
            clip.reader = Reader::Numbered { first, holds: false };
            clip.field_order = FieldOrder::Progressive;
            // It depends on the rate.
            clip.end = None;
        }
        let first = Numbered::of(path).zip(numbers.first()).map(|(all, first)| all.path(*first));
        let points = clip.is_rgb.then(|| png_points(first.as_deref().unwrap_or(path))).flatten();
        // ffmpeg reads them since version 6.1.
        if let Some(hdr) = points.and_then(|(primaries, curve)| Colors::of_hdr(primaries, curve)) {
            clip.colors = hdr;
        }
        Ok(clip)
    }

    /// Adds what only the file says about an animation's time.
    fn timed(mut self, path: &Path, found: &Value) -> Self {
        let format = found["format"]["format_name"].as_str().unwrap_or_default();
        self.is_cut = format == "gif" && File::open(path).is_ok_and(gif_is_cut);
        if let Some((plays, seconds)) = animation::timing(path, format) {
            self.plays = Some(plays);
            self.seconds = self.seconds.or(seconds);
            self.end = self.end.or(seconds.map(|seconds| self.start + seconds));
        }
        self
    }

    /// Reads the description of a file by `ffprobe`.
    pub fn of(name: &str, found: &Value) -> Result<Self, String> {
        let is_cover = |s: &Value| s["disposition"]["attached_pic"] == 1;
        let is_video = |s: &&Value| s["codec_type"] == "video" && !is_cover(s);
        let streams = found["streams"].as_array().map_or(&[][..], Vec::as_slice);
        let is_default = |s: &&Value| is_video(s) && s["disposition"]["default"] == 1;
        let videos = || streams.iter();
        let Some(video) = videos().find(is_default).or_else(|| videos().find(is_video)) else {
            return Err("it has no video".to_owned());
        };
        let (width, height) = (number(&video["width"]), number(&video["height"]));
        let (Some(width @ 1..), Some(height @ 1..)) = (width, height) else {
            return Err("its pictures have no size; the file is damaged".to_owned());
        };
        if width.max(height) > MAX_SIDE_PX || width * height > decode::MAX_PIXELS {
            return Err(format!(
                "its pictures have {width} x {height} pixels; the maximum is {MAX_SIDE_PX} a side; make it smaller first"
            ));
        }
        let fps = ["avg_frame_rate", "r_frame_rate"].iter().find_map(|key| ratio(&video[*key]));
        let fps = fps.map(|(over, under)| over as f64 / under as f64);
        if let Some(fps) = fps.filter(|&fps| fps > MAX_FPS) {
            return Err(format!(
                "it has {fps:.0} frames per second; the maximum is {MAX_FPS:.0}; make a copy with fewer first (ffmpeg -i FILE -r 60 COPY)"
            ));
        }
        let seconds = [&video["duration"], &found["format"]["duration"]].into_iter().find_map(real);
        let start = real(&found["format"]["start_time"]).unwrap_or(0.0);
        let begins = real(&video["start_time"]).unwrap_or(start);
        let counted = number(&video["nb_frames"]).filter(|&frames| frames > 0);
        let text = |key: &str| {
            let text = video[key].as_str().filter(|text| !matches!(*text, "unknown" | "reserved"));
            text.map(|text| one_line(text).into_owned())
        };
        let pixels = text("pix_fmt").unwrap_or_default();
        let starts = |with: &[&str]| with.iter().any(|start| pixels.starts_with(start));
        let is_tagged =
            tags(video).iter().any(|(name, value)| name == "alpha_mode" && value == "1");
        let alpha_decoder = match video["codec_name"].as_str() {
            Some("vp8") if is_tagged => Some("libvpx"),
            Some("vp9") if is_tagged => Some("libvpx-vp9"),
            _ => None,
        };
        let tag = |key: &str| {
            let value = video["tags"][key].as_str().filter(|value| *value != "und")?;
            Some((key.to_owned(), cut(value, MAX_TAG_CHARS).into_owned()))
        };
        Ok(Self {
            name: name.to_owned(),
            reader: Reader::File,
            stream: number(&video["index"]).unwrap_or(0),
            tick: ratio(&video["time_base"]).unwrap_or((1, 90_000)),
            size: (width as usize, height as usize),
            pixel_aspect: video["sample_aspect_ratio"]
                .as_str()
                .and_then(|aspect| parts(aspect, ':'))
                .map_or(1.0, |(wide, high)| wide as f64 / high as f64),
            frames: counted.or_else(|| Some((fps? * seconds?).round() as u64)),
            start,
            end: seconds.map(|seconds| begins + seconds),
            fps,
            seconds,
            missing: None,
            field_order: match text("field_order").as_deref() {
                Some("tt" | "bt") => FieldOrder::Top,
                Some("bb" | "tb") => FieldOrder::Bottom,
                None if text("codec_name")
                    .is_some_and(|codec| !WITHOUT_FIELDS.contains(&codec.as_str())) =>
                {
                    FieldOrder::Unknown
                }
                _ => FieldOrder::Progressive,
            },
            has_field_flags: text("field_order").is_some(),
            deinterlaces: true,
            is_cut: false,
            plays: found["plays"].as_u64().and_then(|plays| u16::try_from(plays).ok()),
            has_alpha: alpha_decoder.is_some()
                || starts(&["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya", "pal8"]),
            alpha_decoder,
            is_rgb: starts(&["rgb", "bgr", "gbr", "argb", "abgr", "pal8", "gray", "mono"]),
            is_yuv420: pixels == "yuv420p" && alpha_decoder.is_none(),
            colors: Colors {
                range: text("color_range"),
                matrix: text("color_space"),
                primaries: text("color_primaries"),
                transfer: text("color_transfer"),
            },
            tags: ["language", "title", TIMECODE].into_iter().filter_map(tag).collect(),
            about: tags(&found["format"]),
            has_plain_chapters: (found["chapters"].as_array().into_iter().flatten())
                .all(|chapter| tags(chapter).iter().all(|(name, _)| name == "title")),
            others: (streams.iter())
                .filter(|s| s["index"] != video["index"])
                .map(|s| Other {
                    index: number(&s["index"]).unwrap_or(0),
                    kind: s["codec_type"].as_str().unwrap_or("unknown").to_owned(),
                    codec: match s["codec_name"].as_str() {
                        _ if s["codec_tag_string"] == "tmcd" => TIMECODE.to_owned(),
                        codec => one_line(codec.unwrap_or("unknown")).into_owned(),
                    },
                    sample_rate: number(&s["sample_rate"]),
                    is_cover: is_cover(s),
                    tags: tags(s),
                })
                .collect(),
        })
    }

    /// Shows the picture before a missing one in its place.
    pub fn hold_missing(&mut self) {
        if let (Reader::Numbered { holds, .. }, Some(_)) = (&mut self.reader, self.missing.take()) {
            *holds = true;
            // As this program decodes them.
            (self.is_rgb, self.is_yuv420, self.colors) = (true, false, Colors::default());
        }
    }

    /// True if this program decodes it and sends its pictures to ffmpeg.
    pub(super) fn is_sent(&self) -> bool {
        matches!(self.reader, Reader::WebP | Reader::Numbered { holds: true, .. })
    }

    /// ffmpeg's names of the order of fields, for filters and for encoders; `None` if there are none.
    pub fn fields(&self) -> Option<[&'static str; 2]> {
        match self.field_order {
            FieldOrder::Top => Some(["tff", "tt"]),
            FieldOrder::Bottom => Some(["bff", "bb"]),
            FieldOrder::Progressive | FieldOrder::Unknown => None,
        }
    }

    /// Width and height of its pictures with square pixels, before rotation.
    pub fn shown_size(&self) -> (usize, usize) {
        let (width, height) = self.size;
        (((width as f64 * self.pixel_aspect).round() as usize).max(1), height)
    }

    /// ffmpeg's names of the matrix and range in which painted pictures are stored: those of the source, if its colours
    /// stay.
    pub fn matrix_and_range(&self) -> (&str, &str) {
        if self.is_converted() { ("bt709", "tv") } else { self.stored_matrix_and_range() }
    }

    /// Those of the source, guessed as players do if the file does not say.
    pub(super) fn stored_matrix_and_range(&self) -> (&str, &str) {
        let matrix = match self.colors.matrix.as_deref() {
            Some(known @ ("bt709" | "fcc" | "smpte170m" | "smpte240m")) => known,
            Some("bt470bg") => "bt470",
            // ICtCp is converted to it before.
            Some("bt2020nc" | "bt2020c" | "ictcp") => "bt2020",
            None if self.colors.primaries.as_deref() == Some("bt2020") => "bt2020",
            _ if self.size.1 >= 720 => "bt709",
            _ => "smpte170m",
        };
        (matrix, self.colors.range.as_deref().unwrap_or("tv"))
    }

    /// Bytes of a decoder's pictures here: those that wait, one that is being read and one that is being converted. Some are
    /// also decoded here.
    pub fn decoded_bytes(&self, flow: Flow) -> u64 {
        // Converted ones have twice the bytes.
        let own = if self.is_sent() || self.colors.converted().is_some() { 3 } else { 0 };
        (2 + own + flow.waiting() as u64) * picture_bytes(self.size)
    }

    /// Bytes of the process that decodes it.
    pub fn decoder_bytes(&self, flow: Flow) -> u64 {
        // Of the stored pixels that later pictures or other threads need, and of those on their way out.
        let stored = if self.is_yuv420 {
            3
        } else if self.is_rgb {
            8
        } else {
            12
        };
        let sent = match self.yuv() {
            Some(_) => 12,
            None if self.colors.converted().is_some() => 64,
            None => 32,
        };
        // The pictures before and after the one that is deinterlaced.
        let fields = if self.fields().is_some() { 4 * stored } else { 0 };
        flow.process_bytes(self.size, [2 * stored + sent + fields, stored])
    }

    /// How this program converts its pictures; `None` if ffmpeg does, which takes longer.
    pub(super) fn yuv(&self) -> Option<Yuv420> {
        let (matrix, range) = self.stored_matrix_and_range();
        let is_yuv = self.is_yuv420 && self.colors.converted().is_none();
        Yuv420::named(matrix, range).filter(|_| is_yuv)
    }

    /// The colours of the encoded pictures: those of the source. What is unknown stays so.
    pub fn painted_colors(&self) -> Colors {
        if self.is_converted() { Colors::bt709() } else { self.colors.clone() }
    }

    fn is_converted(&self) -> bool {
        self.is_rgb || self.colors.converted().is_some()
    }
}

/// The primaries and the transfer function that a PNG names.
fn png_points(path: &Path) -> Option<(u8, u8)> {
    let mut beginning = Vec::new();
    File::open(path).ok()?.take(BEGINNING_BYTES).read_to_end(&mut beginning).ok()?;
    png_code_points(&beginning)
}

/// Checks that there is a file to read; ffprobe's own message does not say which one is wrong.
fn check(path: &Path) -> Result<(), String> {
    // Opening a pipe would block.
    match path.metadata().map_err(|e| reason(&e))? {
        about if !about.is_file() => Err("it is not a regular file".to_owned()),
        about if about.len() == 0 => Err("the file is empty".to_owned()),
        _ => fs::File::open(path).map(drop).map_err(|e| reason(&e)),
    }
}

/// The tags of a file, a stream or a chapter.
fn tags(of: &Value) -> Tags {
    let all = of["tags"].as_object().into_iter().flatten();
    let tag = |(name, value): (&String, &Value)| {
        Some((name.to_ascii_lowercase(), cut(value.as_str()?, MAX_TAG_CHARS).into_owned()))
    };
    all.filter_map(tag).collect()
}

/// ffprobe writes some numbers as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn real(value: &Value) -> Option<f64> {
    let seconds: f64 = value.as_str()?.parse().ok()?;
    seconds.is_finite().then_some(seconds)
}

/// The parts of `30000/1001`; `None` if one is zero.
fn ratio(value: &Value) -> Option<(u64, u64)> {
    parts(value.as_str()?, '/')
}

fn parts(text: &str, separator: char) -> Option<(u64, u64)> {
    let (over, under) = text.split_once(separator)?;
    let parts = (over.parse().ok()?, under.parse().ok()?);
    (parts.0 > 0 && parts.1 > 0).then_some(parts)
}
