//! Video codecs and colours, as options of ffmpeg.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::ffmpeg::{Ffmpeg, Input, NoFfmpeg};
use super::memory::Flow;
use threads::process::{self, ProcessResult};
use values::{control::RunControl, names};

/// How long an encoder of a graphics card may take for a trial.
const TRIAL_PATIENCE: Duration = Duration::from_secs(20);
/// A size that every encoder takes.
const USUAL_SIZE: (usize, usize) = (64, 64);
/// The pixel format that all encoders of graphics cards take.
pub(crate) const HARDWARE_PIXELS: &str = "nv12";

/// How fast an encoder in software must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Small files matter more.
    Film,
    /// Takes less time than painting, and pictures do not wait for later ones if the encoder can do that.
    Live,
}

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

names!(Codec, H264 = "h264", Hevc = "hevc", Av1 = "av1", ProRes = "prores", Ffv1 = "ffv1");

impl Codec {
    /// Its name for the user.
    pub const fn title(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::Hevc => "H.265 (HEVC)",
            Self::Av1 => "AV1",
            Self::ProRes => "ProRes",
            Self::Ffv1 => "FFV1, lossless",
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

    /// The installed ffmpeg, if it has an encoder for this codec. Takes a tenth of a second.
    ///
    /// # Errors
    /// [`NoFfmpeg`] says what is missing.
    pub fn ffmpeg(self) -> Result<Ffmpeg, NoFfmpeg> {
        let ffmpeg = Ffmpeg::find()?;
        self.encoder(&ffmpeg, USUAL_SIZE)?;
        Ok(ffmpeg)
    }

    /// The encoder of this ffmpeg for pictures of this size.
    ///
    /// # Errors
    /// [`NoFfmpeg`], if it has no encoder.
    pub(crate) fn encoder(
        self,
        ffmpeg: &Ffmpeg,
        (width, height): (usize, usize),
    ) -> Result<&'static str, NoFfmpeg> {
        // SVT-AV1 takes even sides from 64 pixels.
        let is_usual = |side: usize| side.is_multiple_of(2) && side >= 64;
        let fits = |encoder: &str| encoder != "libsvtav1" || (is_usual(width) && is_usual(height));
        let encoders = self.encoders();
        (encoders.iter().copied()).find(|encoder| fits(encoder) && ffmpeg.has(encoder)).ok_or_else(|| {
            NoFfmpeg(format!(
                "{} {} has no encoder for {self} ({}); choose another codec or install a complete ffmpeg",
                ffmpeg.program.display(),
                ffmpeg.version,
                encoders.join(" or ")
            ))
        })
    }

    /// The first encoder of a graphics card that this ffmpeg lists and that encodes a trial frame of this size.
    pub fn hardware(
        self,
        ffmpeg: &Ffmpeg,
        (width, height): (usize, usize),
        control: &RunControl,
    ) -> Option<String> {
        ["nvenc", "qsv", "vaapi"].map(|api| format!("{self}_{api}")).into_iter().find(|encoder| {
            let mut command = ffmpeg.command();
            let trial = format!("color=s={width}x{height}");
            Input::Device("lavfi", &trial).add_to(&mut command);
            let filter = format!("format={HARDWARE_PIXELS}{}", Self::upload(encoder));
            command.args(["-frames:v", "1", "-vf", &filter]);
            command.args(self.hardware_options(encoder, 80)).args("-f null -".split(' '));
            let encodes = |ended: ProcessResult| ended.failure().is_none();
            ffmpeg.has(encoder) && process::run(command, TRIAL_PATIENCE, control).is_ok_and(encodes)
        })
    }

    /// Filters that bring frames onto the card for this encoder.
    pub(crate) fn upload(encoder: &str) -> &'static str {
        if encoder.ends_with("vaapi") { ",hwupload" } else { "" }
    }

    pub(crate) fn hardware_options(self, encoder: &str, quality: u8) -> Vec<String> {
        // The scale of all these encoders ends here. Frames stay in order, so that parts can be joined.
        let loss = (self.crf(quality)).min(51.0);
        let text = match encoder.rsplit_once('_') {
            Some((_, "nvenc")) => format!("-preset p4 -rc vbr -b:v 0 -cq {loss}"),
            Some((_, "vaapi")) => {
                format!("-vaapi_device /dev/dri/renderD128 -rc_mode CQP -global_quality {loss}")
            }
            _ => format!("-global_quality {loss}"),
        };
        ["-c:v", encoder, "-bf", "0"]
            .into_iter()
            .chain(text.split(' '))
            .map(str::to_owned)
            .collect()
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

    /// True if a quality can be chosen.
    pub const fn is_lossy(self) -> bool {
        matches!(self, Self::H264 | Self::Hevc | Self::Av1)
    }

    /// True if it stores transparency.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Self::ProRes | Self::Ffv1)
    }

    /// Extension of the parts, whose container must hold the codec and keep times exactly.
    pub const fn part_extension(self) -> &'static str {
        match self {
            Self::H264 | Self::Hevc | Self::Av1 => "mp4",
            Self::ProRes | Self::Ffv1 => "mov",
        }
    }

    /// Bytes of an encoder for each pixel of a picture, and for each pixel and thread.
    pub const fn bytes_per_px(self, flow: Flow) -> [u64; 2] {
        match (self, flow) {
            (Self::H264, Flow::Usual) => [140, 18],
            (Self::H264, Flow::Frugal) => [80, 0],
            (Self::Hevc, _) => [135, 12],
            (Self::Av1, _) => [300, 20],
            (Self::ProRes, _) => [8, 5],
            // It reserves what a picture could take at most.
            (Self::Ffv1, _) => [160, 0],
        }
    }

    /// Options that save memory at the cost of time, and of a little quality.
    pub(crate) const fn options_of(self, flow: Flow) -> &'static [&'static str] {
        match (self, flow) {
            (Self::H264, Flow::Frugal) => &["-threads", "1", "-rc-lookahead", "10"],
            _ => flow.options(),
        }
    }

    /// The encoder of this ffmpeg for pictures of this size, and its options for a quality from 1 to 100.
    ///
    /// # Errors
    /// [`NoFfmpeg`], if it has no encoder.
    pub(crate) fn options(
        self,
        ffmpeg: &Ffmpeg,
        size: (usize, usize),
        quality: u8,
        pace: Pace,
    ) -> Result<Vec<String>, NoFfmpeg> {
        let encoder = self.encoder(ffmpeg, size)?;
        // FFV1's threads: a slice each, which small pictures have no room for.
        let slices = if size.0.min(size.1) < 256 { " -g 1 -slices 4" } else { " -g 1 -slices 16" };
        // Below this width, libx265 3.5 writes past the end of its memory (`cuTree`). Whether it then crashes depends on
        // the length of the file's name.
        let x265 = match size.0 < 64 {
            true => " -tag:v hvc1 -x265-params log-level=error:cutree=0",
            false => " -tag:v hvc1 -x265-params log-level=error",
        };
        let (film, live, other) = match (self, encoder) {
            (Self::H264, _) => ("-preset fast", "-preset veryfast -tune zerolatency -bf 0", ""),
            (Self::Hevc, _) => ("-preset fast", "-preset ultrafast -tune zerolatency -bf 0", x265),
            // It ignores requests for key frames, and takes a stream's clock for its rate of frames, of which it allows 240.
            (_, "libsvtav1") => {
                ("-preset 8", "-preset 12 -g 60", " -svtav1-params fps-num=30:fps-denom=1")
            }
            (Self::Av1, _) => {
                ("-cpu-used 6", "-cpu-used 8 -usage realtime -lag-in-frames 0", " -row-mt 1 -b:v 0")
            }
            (Self::ProRes, _) => ("", "", "-vendor apl0"),
            (Self::Ffv1, _) => ("-level 3", "-level 3", slices),
        };
        let mut text = if pace == Pace::Live { live } else { film }.to_owned() + other;
        if self.is_lossy() {
            text.push_str(&format!(" -crf {}", self.crf(quality)));
        }
        Ok(["-c:v", encoder].into_iter().chain(text.split(' ')).map(str::to_owned).collect())
    }

    /// ffmpeg's name of the pixel format in which pictures of this size are stored in software.
    pub(crate) const fn pixels(
        self,
        (width, height): (usize, usize),
        has_alpha: bool,
    ) -> &'static str {
        match (self, has_alpha) {
            // Ten bits for FFV1, so that the way back to red, green and blue loses nothing.
            (Self::ProRes | Self::Ffv1, true) => "yuva444p10le",
            // Its encoder fills the last column of an odd width with green.
            (Self::ProRes, false) if width % 2 == 1 => "yuv444p10le",
            (Self::ProRes, false) => "yuv422p10le",
            (Self::Ffv1, false) => "yuv444p10le",
            // One chroma sample for four pixels needs even sides.
            _ if width % 2 == 1 || height % 2 == 1 => "yuv444p",
            _ => "yuv420p",
        }
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
        (Self::ALL.iter().copied())
            .find(|codec| codec.name() == name)
            .ok_or_else(|| "give h264, hevc, av1, prores or ffv1".to_owned())
    }
}

/// Which colours the numbers of pixels mean; `None` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Colors {
    /// `tv` or `pc`.
    pub range: Option<String>,
    pub matrix: Option<String>,
    pub primaries: Option<String>,
    pub transfer: Option<String>,
}

impl Colors {
    /// The name of its HDR curve.
    pub fn hdr(&self) -> Option<&'static str> {
        match self.transfer.as_deref() {
            Some("smpte2084") => Some("PQ"),
            Some("arib-std-b67") => Some("HLG"),
            _ => None,
        }
    }

    /// HDR in full range with these primaries and this transfer function (ITU-T H.273).
    pub(crate) fn of_hdr(primaries: u8, transfer: u8) -> Option<Self> {
        let transfer = match transfer {
            16 => "smpte2084",
            18 => "arib-std-b67",
            _ => return None,
        };
        let primaries = match primaries {
            1 => Some("bt709"),
            11 => Some("smpte431"),
            12 => Some("smpte432"),
            _ => None,
        };
        let primaries = primaries.map(str::to_owned);
        Some(Self { primaries, transfer: Some(transfer.to_owned()), ..Self::default() })
    }

    /// Their primaries and transfer function (ITU-T H.273), if pictures are converted to sRGB: HDR and wide colours.
    pub fn converted(&self) -> Option<(u8, u8)> {
        let primaries = match self.primaries.as_deref() {
            Some("bt2020") => 9,
            Some("smpte431") => 11,
            Some("smpte432") => 12,
            Some("bt709") if self.hdr().is_some() => 1,
            _ if self.hdr().is_some() => 2,
            _ => return None,
        };
        let transfer = match self.transfer.as_deref() {
            Some("gamma22") => 4,
            Some("gamma28") => 5,
            Some("linear") => 8,
            Some("smpte2084") => 16,
            Some("smpte428") => 17,
            Some("arib-std-b67") => 18,
            _ => 13,
        };
        Some((primaries, transfer))
    }

    /// Those of usual video: BT.709 in limited range.
    pub fn bt709() -> Self {
        let bt709 = || Some("bt709".to_owned());
        let range = Some("tv".to_owned());
        Self { range, matrix: bt709(), primaries: bt709(), transfer: bt709() }
    }

    /// The filter that tags pictures with these colours. Options of the encoder do not know all names.
    pub(crate) fn tags(&self) -> String {
        let Self { range, matrix, primaries, transfer } = self;
        let tags = [
            ("range", range),
            ("colorspace", matrix),
            ("color_primaries", primaries),
            ("color_trc", transfer),
        ];
        let tags =
            tags.map(|(name, tag)| format!("{name}={}", tag.as_deref().unwrap_or("unknown")));
        format!("setparams={}", tags.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every name that ffprobe reports.
    #[test]
    fn ffmpeg_takes_every_tag_of_a_video() {
        let ffmpeg = Ffmpeg::find().expect("ffmpeg is installed");
        let text = |tag: &str| Some(tag.to_owned());
        let transfers = "bt709 bt470m bt470bg smpte170m smpte240m linear log100 log316 iec61966-2-4 \
                         bt1361e iec61966-2-1 bt2020-10 bt2020-12 smpte2084 smpte428 arib-std-b67";
        let matrices = "gbr bt709 fcc bt470bg smpte170m smpte240m ycgco bt2020nc bt2020c smpte2085 \
                        chroma-derived-nc chroma-derived-c ictcp";
        let primaries = "bt709 bt470m bt470bg smpte170m smpte240m film bt2020 smpte428 smpte431 \
                         smpte432 ebu3213";
        let of = |tags: &str, colors: fn(Option<String>) -> Colors| -> Vec<Colors> {
            tags.split_whitespace().map(|tag| colors(text(tag))).collect()
        };
        let all = [
            of(transfers, |transfer| Colors { transfer, ..Colors::default() }),
            of(matrices, |matrix| Colors { matrix, ..Colors::default() }),
            of(primaries, |primaries| Colors { primaries, ..Colors::default() }),
            of("tv pc", |range| Colors { range, ..Colors::default() }),
        ];
        for colors in all.concat() {
            let mut command = ffmpeg.command();
            Input::Device("lavfi", "color=s=64x64").add_to(&mut command);
            command.args(["-vf", &format!("format=yuv420p,{}", colors.tags())]);
            command.args("-frames:v 1 -c:v libx264 -f null -".split(' '));
            let patience = Duration::from_secs(60);
            process::succeed(command, patience, &RunControl::default())
                .unwrap_or_else(|why| panic!("{colors:?}: {why}"));
        }
    }
}
