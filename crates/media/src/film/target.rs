//! Container of a painted film.

use std::path::Path;

use super::{
    Codec, FilmError, Tools,
    clip::{Clip, TIMECODE},
};
use pictures::encode::Format;

/// Streams of a source that go along with its pictures: their numbers, each with the codec in the output.
pub type Along = Vec<(u64, &'static str)>;

/// The encoder of the sound in WebM that has other sound.
pub const OPUS: &str = "libopus";
/// The same in MP4 and MOV.
const AAC: &str = "aac";
/// Plain subtitles.
const SRT: &str = "srt";

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
    pub const fn muxer(self) -> &'static str {
        self.names()[2]
    }

    /// True if it holds pictures without sound, which are made of lossless parts at the end.
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
        let is_written = |codec: &Codec| codec.encoder(&tools.ffmpeg, size).is_ok();
        self.held().filter(|_| own.is_empty() || tools.ffmpeg.has(own)).filter(is_written).collect()
    }

    /// True if it holds pictures of this codec.
    pub const fn holds(self, codec: Codec) -> bool {
        match (self, codec) {
            (Self::Mkv, _) | (Self::WebM, Codec::Av1) => true,
            (Self::Mp4, Codec::H264 | Codec::Hevc | Codec::Av1) => true,
            (Self::Mov, Codec::H264 | Codec::Hevc | Codec::ProRes) => true,
            _ => self.is_animation() && matches!(codec, Codec::Ffv1),
        }
    }

    /// The encoder of sound that cannot be copied.
    pub const fn sound_encoder(self) -> &'static str {
        if matches!(self, Self::WebM) { OPUS } else { AAC }
    }

    fn held(self) -> impl Iterator<Item = Codec> {
        Codec::ALL.iter().copied().filter(move |codec| self.holds(*codec))
    }

    /// The encoder of the other stream here: `copy`, or one that converts it. `None` if it cannot be stored.
    fn stores(self, kind: &str, codec: &str) -> Option<&'static str> {
        let texts = ["subrip", "ass", "ssa", "webvtt", "text", "mov_text"];
        match (self, kind) {
            (Self::Mkv, "audio" | "attachment") => Some("copy"),
            (Self::Mkv, "subtitle") => Some(if codec == "mov_text" { SRT } else { "copy" }),
            (Self::WebM, "audio") if ["opus", "vorbis"].contains(&codec) => Some("copy"),
            (Self::WebM, "audio") => Some(self.sound_encoder()),
            (Self::WebM, "subtitle") => texts.contains(&codec).then_some("webvtt"),
            (Self::Mov, "audio") if codec.starts_with("pcm_") => Some("copy"),
            (Self::Mp4 | Self::Mov, "audio") => {
                let known = ["aac", "mp3", "mp2", "ac3", "eac3", "alac"].contains(&codec);
                let is_copied = known || codec == "opus" && matches!(self, Self::Mp4);
                Some(if is_copied { "copy" } else { self.sound_encoder() })
            }
            (Self::Mp4 | Self::Mov, "subtitle") => texts.contains(&codec).then_some("mov_text"),
            _ => None,
        }
    }

    /// The streams of the clip that go along, each with its codec here; and notes about those that do not. With
    /// `strips_metadata` they have no names and titles inside: fonts and other files stay behind, and codecs that contain
    /// such are converted.
    ///
    /// # Errors
    /// [`FilmError::File`] if sound or subtitles cannot be stored.
    pub fn companions(
        self,
        tools: &Tools,
        clip: &Clip,
        output: &Path,
        strips_metadata: bool,
    ) -> Result<(Along, Vec<String>), FilmError> {
        let (mut along, mut notes) = (Vec::new(), Vec::new());
        let converted = |stored| match stored {
            OPUS => Some("Opus"),
            AAC => Some("AAC"),
            _ => None,
        };
        let stores = |kind: &str, codec: &str| match (self.stores(kind, codec), codec) {
            _ if strips_metadata && kind == "attachment" => None,
            (Some("copy"), "vorbis") if strips_metadata => Some(self.sound_encoder()),
            (Some("copy"), "ass" | "ssa") if strips_metadata => Some(SRT),
            (stored, _) => stored,
        };
        for other in &clip.others {
            let (index, kind, codec) = (other.index, other.kind.as_str(), other.codec.as_str());
            if self.is_animation() {
                let what = match kind {
                    "audio" => "sound",
                    "subtitle" => "subtitles",
                    _ => continue,
                };
                let name = self.name().to_uppercase();
                let note = format!("the {what} of the video cannot be stored in {name}");
                if !notes.contains(&note) {
                    notes.push(note);
                }
            } else if let Some(stored) = stores(kind, codec)
                .filter(|&stored| converted(stored).is_none() || tools.ffmpeg.has(stored))
            {
                if let Some(to) = converted(stored) {
                    notes.push(format!("its sound (stream {index}, {codec}) is converted to {to}"));
                } else if stored == SRT && strips_metadata {
                    notes.push(format!(
                        "its subtitles (stream {index}, {codec}) are converted to SRT, which contains no names"
                    ));
                }
                along.push((index, stored));
            } else if other.is_cover && matches!(self, Self::Mp4 | Self::Mov) {
                along.push((index, "copy"));
            } else if matches!(kind, "audio" | "subtitle") {
                let kind = if kind == "audio" { "sound" } else { "subtitles" };
                let reason = format!(
                    "{} cannot hold the {kind} of {} (stream {index}, {codec}); MKV can: give a name that ends in .mkv",
                    self.name(),
                    clip.name
                );
                return Err(FilmError::file(output.display(), reason));
            } else if ![TIMECODE, "bin_data"].contains(&codec) {
                // `bin_data` is how QuickTime stores chapters, which are copied as such. The timecode is a tag, too.
                notes.push(format!("not copied: stream {index} ({kind}, {codec})"));
            }
        }
        Ok((along, notes))
    }

    /// Checks that it can hold pictures of the codec.
    ///
    /// # Errors
    /// [`FilmError::File`] says which codecs it can hold.
    pub fn check(self, codec: Codec, output: &Path) -> Result<(), FilmError> {
        if self.holds(codec) {
            return Ok(());
        }
        let name = self.name();
        let reason = if self.is_animation() {
            format!("--codec is for videos, and {name} has no codec to choose")
        } else {
            let holds = |other: &Self| !other.is_animation() && other.holds(codec);
            let others: Vec<_> = Self::ALL.into_iter().filter(holds).map(Self::name).collect();
            let held: Vec<_> = self.held().map(Codec::name).collect();
            format!(
                "{name} cannot hold {codec}, but {} can; choose another name, or one of the codecs {}",
                others.join(" and "),
                held.join(", ")
            )
        };
        Err(FilmError::file(output.display(), reason))
    }
}
