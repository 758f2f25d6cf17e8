//! Container and codec of a painted film.

use std::{fmt::Display, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{FilmError, Tools, clip::Clip};
use crate::media::{
    encode::Format,
    process::{self, Ended},
};

/// The pixel format that all encoders of graphics cards take.
pub(super) const HARDWARE_PIXELS: &str = "nv12";

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    H264,
    Hevc,
    Av1,
    ProRes,
    /// Lossless.
    Ffv1,
}

impl Codec {
    pub const ALL: [Self; 5] = [Self::H264, Self::Hevc, Self::Av1, Self::ProRes, Self::Ffv1];

    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::ProRes => "prores",
            Self::Ffv1 => "ffv1",
        }
    }

    /// Encoders of ffmpeg, the preferred one first.
    const fn encoders(self) -> &'static [&'static str] {
        match self {
            Self::H264 => &["libx264"],
            Self::Hevc => &["libx265"],
            Self::Av1 => &["libsvtav1", "libaom-av1"],
            Self::ProRes => &["prores_ks"],
            Self::Ffv1 => &["ffv1"],
        }
    }

    /// The first encoder of a graphics card that this ffmpeg lists and that encodes a trial frame of this size.
    pub fn hardware(self, tools: &Tools, (width, height): (usize, usize)) -> Option<String> {
        let mut encoders = ["nvenc", "qsv", "vaapi"].map(|api| format!("{self}_{api}")).into_iter();
        encoders.find(|encoder| {
            let mut command = tools.command();
            command.args(["-f", "lavfi", "-i", &format!("color=s={width}x{height}")]);
            let filter = format!("format={HARDWARE_PIXELS}{}", Self::upload(encoder));
            command.args(["-frames:v", "1", "-vf", &filter]);
            command.args(self.hardware_options(encoder, 80)).args("-f null -".split(' '));
            let encodes = |ended: Ended| ended.failure().is_none();
            tools.ffmpeg.has(encoder) && process::run(command, tools.patience).is_ok_and(encodes)
        })
    }

    /// Filters that bring frames onto the card for this encoder.
    pub(super) fn upload(encoder: &str) -> &'static str {
        if encoder.ends_with("vaapi") { ",hwupload" } else { "" }
    }

    fn hardware_options(self, encoder: &str, quality: u8) -> Vec<String> {
        // The scale of all these encoders ends here. Frames stay in order, so that parts can be joined.
        let loss = (self.crf(quality)).min(51.0);
        let text = match encoder.rsplit_once('_') {
            Some((_, "nvenc")) => format!("-preset p4 -rc vbr -b:v 0 -cq {loss}"),
            Some((_, "vaapi")) => {
                format!("-vaapi_device /dev/dri/renderD128 -rc_mode CQP -global_quality {loss}")
            }
            _ => format!("-global_quality {loss}"),
        };
        let options = ["-c:v", encoder, "-bf", "0"].into_iter().chain(text.split(' '));
        options.map(str::to_owned).collect()
    }

    /// The loss that a quality from 1 to 100 allows, on the scale of software encoders. 80 is 18 in H.264, where the loss
    /// is not visible; 100 is nearly lossless.
    fn crf(self, quality: u8) -> f64 {
        let (least, step) = match self {
            Self::H264 => (10.0, 0.4),
            Self::Hevc => (12.0, 0.4),
            _ => (15.0, 0.48),
        };
        (least + step * f64::from(100 - quality.min(100))).round()
    }

    /// Whether a quality can be chosen.
    pub const fn is_lossy(self) -> bool {
        matches!(self, Self::H264 | Self::Hevc | Self::Av1)
    }

    /// Extension of the parts, whose container must hold the codec and keep times exactly.
    pub(super) const fn part_extension(self) -> &'static str {
        match self {
            Self::H264 | Self::Hevc | Self::Av1 => "mp4",
            Self::ProRes | Self::Ffv1 => "mov",
        }
    }

    /// The encoder of this ffmpeg for pictures of this size, or the chosen one of a graphics card, and its options for a
    /// quality from 1 to 100.
    ///
    /// # Errors
    /// The reason, if this ffmpeg has no encoder.
    pub(super) fn options(
        self,
        tools: &Tools,
        (width, height): (usize, usize),
        quality: u8,
        hardware: Option<&str>,
    ) -> Result<Vec<String>, String> {
        if let Some(encoder) = hardware {
            return Ok(self.hardware_options(encoder, quality));
        }
        // SVT-AV1 takes even sides from 64 pixels.
        let is_usual = |side: usize| side.is_multiple_of(2) && side >= 64;
        let fits = |encoder: &str| encoder != "libsvtav1" || (is_usual(width) && is_usual(height));
        let mut encoders = self.encoders().iter().filter(|encoder| fits(encoder));
        let Some(encoder) = encoders.find(|encoder| tools.ffmpeg.has(encoder)) else {
            return Err(format!(
                "{} {} has no encoder for {} ({}); choose another --codec or install a complete ffmpeg",
                tools.ffmpeg.program.display(),
                tools.ffmpeg.version,
                self.name(),
                self.encoders().join(" or ")
            ));
        };
        let crf = self.crf(quality);
        let text = match (self, *encoder) {
            (Self::H264, _) => format!("-preset fast -crf {crf}"),
            (Self::Hevc, _) => {
                format!("-preset fast -tag:v hvc1 -x265-params log-level=error -crf {crf}")
            }
            (_, "libsvtav1") => format!("-preset 8 -crf {crf}"),
            (Self::Av1, _) => format!("-cpu-used 6 -row-mt 1 -b:v 0 -crf {crf}"),
            (Self::ProRes, _) => "-profile:v hq -vendor apl0".to_owned(),
            (Self::Ffv1, _) => "-level 3 -g 1 -slices 4".to_owned(),
        };
        let options = ["-c:v", encoder].into_iter().chain(text.split(' '));
        Ok(options.map(str::to_owned).collect())
    }

    /// ffmpeg's name of the pixel format in which pictures of this size are stored.
    pub(super) const fn pixels(
        self,
        (width, height): (usize, usize),
        has_alpha: bool,
    ) -> &'static str {
        match (self, has_alpha) {
            (Self::ProRes, true) => "yuva444p10le",
            (Self::ProRes, false) => "yuv422p10le",
            // Ten bits, so that the way back to red, green and blue loses nothing.
            (Self::Ffv1, true) => "yuva444p10le",
            (Self::Ffv1, false) => "yuv444p10le",
            // One chroma sample for four pixels needs even sides.
            _ if width % 2 == 1 || height % 2 == 1 => "yuv444p",
            _ => "yuv420p",
        }
    }
}

impl Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let name = match text.as_str() {
            "x264" | "avc" => "h264",
            "h265" | "x265" => "hevc",
            name => name,
        };
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| "give h264, hevc, av1, prores or ffv1".to_owned())
    }
}

/// Streams of a source that go along with its pictures: their numbers, each with the codec in the output.
pub type Along = Vec<(u64, &'static str)>;

/// The encoder of the sound in WebM that has other sound.
pub(super) const OPUS: &str = "libopus";

/// The form of a film's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Mp4,
    Mov,
    Mkv,
    WebM,
    Gif,
    Apng,
    /// An animated WebP.
    WebP,
    /// Numbered pictures.
    Pictures(Format),
}

impl Container {
    /// Those of a single file.
    pub const ALL: [Self; 7] =
        [Self::Mp4, Self::Mov, Self::Mkv, Self::WebM, Self::Gif, Self::Apng, Self::WebP];

    /// By the extension of a name.
    pub fn from_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        let extension = if extension == "m4v" { "mp4" } else { &extension };
        Self::ALL.into_iter().find(|container| container.extension() == extension)
    }

    /// The extension of its files, its name, and ffmpeg's name.
    const fn names(self) -> [&'static str; 3] {
        match self {
            Self::Mp4 => ["mp4", "MP4", "mp4"],
            Self::Mov => ["mov", "MOV", "mov"],
            Self::Mkv => ["mkv", "MKV", "matroska"],
            Self::WebM => ["webm", "WebM", "webm"],
            Self::Gif => ["gif", "GIF", "gif"],
            Self::Apng => ["apng", "APNG", "apng"],
            Self::WebP => ["webp", "WebP", "webp"],
            Self::Pictures(format) => [format.extension(), format.name(), "image2"],
        }
    }

    /// Extension of its files, and its name on the command line.
    pub const fn extension(self) -> &'static str {
        self.names()[0]
    }

    pub const fn name(self) -> &'static str {
        self.names()[1]
    }

    /// ffmpeg's name.
    pub(super) const fn muxer(self) -> &'static str {
        self.names()[2]
    }

    /// Whether it holds pictures without sound, which are made of lossless parts at the end.
    pub const fn is_animation(self) -> bool {
        matches!(self, Self::Gif | Self::Apng | Self::WebP | Self::Pictures(_))
    }

    /// The codec if none is chosen.
    pub const fn usual_codec(self) -> Codec {
        match self {
            Self::WebM => Codec::Av1,
            _ if self.is_animation() => Codec::Ffv1,
            _ => Codec::H264,
        }
    }

    /// The codecs that it holds and this ffmpeg writes, for pictures of this size.
    pub fn codecs(self, tools: &Tools, size: (usize, usize)) -> Vec<Codec> {
        let own = match self {
            Self::Gif => "gif",
            Self::Apng => "apng",
            Self::WebP => "libwebp_anim",
            _ => "",
        };
        let is_written = |codec: &Codec| codec.options(tools, size, 100, None).is_ok();
        let all = Codec::ALL.into_iter().filter(|_| own.is_empty() || tools.ffmpeg.has(own));
        all.filter(|codec| self.holds(*codec)).filter(is_written).collect()
    }

    const fn holds(self, codec: Codec) -> bool {
        match (self, codec) {
            (Self::Mkv, _) | (Self::WebM, Codec::Av1) => true,
            (Self::Mp4, Codec::H264 | Codec::Hevc | Codec::Av1) => true,
            (Self::Mov, Codec::H264 | Codec::Hevc | Codec::ProRes) => true,
            _ => self.is_animation() && matches!(codec, Codec::Ffv1),
        }
    }

    /// The encoder of the other stream here: `copy`, or one that converts it. `None` if it cannot be stored.
    fn stores(self, kind: &str, codec: &str) -> Option<&'static str> {
        let texts = ["subrip", "ass", "ssa", "webvtt", "text", "mov_text"];
        match (self, kind) {
            (Self::Mkv, "audio" | "attachment") => Some("copy"),
            (Self::Mkv, "subtitle") => Some(if codec == "mov_text" { "srt" } else { "copy" }),
            (Self::WebM, "audio") if ["opus", "vorbis"].contains(&codec) => Some("copy"),
            (Self::WebM, "audio") => Some(OPUS),
            (Self::WebM, "subtitle") => texts.contains(&codec).then_some("webvtt"),
            (Self::Mov, "audio") if codec.starts_with("pcm_") => Some("copy"),
            (Self::Mp4 | Self::Mov, "audio") => {
                let known = ["aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "vorbis", "dts"];
                known.contains(&codec).then_some("copy")
            }
            (Self::Mp4 | Self::Mov, "subtitle") => texts.contains(&codec).then_some("mov_text"),
            _ => None,
        }
    }

    /// The streams of the clip that go along, each with its codec here; and notes about those that do not.
    ///
    /// # Errors
    /// [`FilmError::Target`] if sound or subtitles cannot be stored.
    pub fn companions(
        self,
        tools: &Tools,
        clip: &Clip,
        output: &Path,
    ) -> Result<(Along, Vec<String>), FilmError> {
        let (mut along, mut notes) = (Vec::new(), Vec::new());
        for other in &clip.others {
            let (index, kind, codec) = (other.index, other.kind.as_str(), other.codec.as_str());
            if self.is_animation() {
                if kind == "audio" {
                    notes.push(format!("{} has no sound; the sound is left out", self.name()));
                }
            } else if let Some(stored) =
                self.stores(kind, codec).filter(|&stored| stored != OPUS || tools.ffmpeg.has(OPUS))
            {
                if stored == OPUS {
                    notes.push(format!("its sound (stream {index}, {codec}) is converted to Opus"));
                }
                along.push((index, stored));
            } else if other.is_cover && matches!(self, Self::Mp4 | Self::Mov) {
                along.push((index, "copy"));
            } else if matches!(kind, "audio" | "subtitle") {
                let kind = if kind == "audio" { "sound" } else { "subtitles" };
                return Err(FilmError::Target {
                    name: output.display().to_string(),
                    reason: format!(
                        "{} cannot hold the {kind} of {} (stream {index}, {codec}); MKV can: give a name that ends in .mkv",
                        self.name(),
                        clip.name
                    ),
                });
            } else if codec != "bin_data" {
                // `bin_data` is how QuickTime stores chapters, which are copied as such.
                notes.push(format!("not copied: stream {index} ({kind}, {codec})"));
            }
        }
        Ok((along, notes))
    }

    /// Checks that it can hold pictures of the codec.
    ///
    /// # Errors
    /// [`FilmError::Target`] says which codecs it can hold.
    pub fn check(self, codec: Codec, output: &Path) -> Result<(), FilmError> {
        if self.holds(codec) {
            return Ok(());
        }
        let held: Vec<_> = Codec::ALL.into_iter().filter(|codec| self.holds(*codec)).collect();
        let held: Vec<_> = held.into_iter().map(Codec::name).collect();
        let reason = match self.is_animation() {
            true => format!("--codec is for videos, and {} has no codec to choose", self.name()),
            false => format!("{} holds {} and not {codec}", self.name(), held.join(", ")),
        };
        Err(FilmError::Target { name: output.display().to_string(), reason })
    }
}
