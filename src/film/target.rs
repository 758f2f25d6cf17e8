//! Container and codec of a painted film.

use std::{fmt::Display, path::Path, str::FromStr};

use super::{FilmError, Tools, clip::Clip};

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// The encoder of this ffmpeg for pictures of this size, and its options for a quality from 1 to 100.
    ///
    /// # Errors
    /// The reason, if this ffmpeg has no encoder.
    pub(super) fn options(
        self,
        tools: &Tools,
        (width, height): (usize, usize),
        quality: u8,
    ) -> Result<Vec<String>, String> {
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
        let steps = f64::from(100 - quality.min(100));
        // 80 is 18 in H.264, where the loss is not visible; 100 is nearly lossless.
        let crf = |least: f64, step: f64| (least + step * steps).round().to_string();
        let text = match (self, *encoder) {
            (Self::H264, _) => format!("-preset fast -crf {}", crf(10.0, 0.4)),
            (Self::Hevc, _) => format!(
                "-preset fast -tag:v hvc1 -x265-params log-level=error -crf {}",
                crf(12.0, 0.4)
            ),
            (_, "libsvtav1") => format!("-preset 8 -crf {}", crf(15.0, 0.48)),
            (Self::Av1, _) => format!("-cpu-used 6 -row-mt 1 -b:v 0 -crf {}", crf(15.0, 0.48)),
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
pub(super) type Along = Vec<(u64, &'static str)>;

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
}

impl Container {
    pub const ALL: [Self; 7] =
        [Self::Mp4, Self::Mov, Self::Mkv, Self::WebM, Self::Gif, Self::Apng, Self::WebP];

    /// By the extension of a name.
    pub fn from_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "mp4" | "m4v" => Self::Mp4,
            "mov" => Self::Mov,
            "mkv" => Self::Mkv,
            "webm" => Self::WebM,
            "gif" => Self::Gif,
            "apng" => Self::Apng,
            "webp" => Self::WebP,
            _ => return None,
        })
    }

    /// Extension of its files, and its name on the command line.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Mkv => "mkv",
            Self::WebM => "webm",
            Self::Gif => "gif",
            Self::Apng => "apng",
            Self::WebP => "webp",
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::Mkv => "MKV",
            Self::WebM => "WebM",
            Self::Gif => "GIF",
            Self::Apng => "APNG",
            Self::WebP => "WebP",
        }
    }

    /// ffmpeg's name.
    pub(super) const fn muxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Mkv => "matroska",
            Self::WebM => "webm",
            Self::Gif => "gif",
            Self::Apng => "apng",
            Self::WebP => "webp",
        }
    }

    /// Whether it holds an animation without sound, which is made of lossless parts at the end.
    pub const fn is_animation(self) -> bool {
        matches!(self, Self::Gif | Self::Apng | Self::WebP)
    }

    /// The codec if none is chosen.
    pub const fn usual_codec(self) -> Codec {
        match self {
            Self::WebM => Codec::Av1,
            Self::Gif | Self::Apng | Self::WebP => Codec::Ffv1,
            _ => Codec::H264,
        }
    }

    const fn holds(self, codec: Codec) -> bool {
        match self {
            Self::Mp4 => matches!(codec, Codec::H264 | Codec::Hevc | Codec::Av1),
            Self::Mov => matches!(codec, Codec::H264 | Codec::Hevc | Codec::ProRes),
            Self::Mkv => true,
            Self::WebM => matches!(codec, Codec::Av1),
            Self::Gif | Self::Apng | Self::WebP => matches!(codec, Codec::Ffv1),
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
    pub(super) fn companions(
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
            true => format!("--codec is for videos, and {} is an animation", self.name()),
            false => format!("{} holds {} and not {codec}", self.name(), held.join(", ")),
        };
        Err(FilmError::Target { name: output.display().to_string(), reason })
    }
}
