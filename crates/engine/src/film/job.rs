//! What is painted, and how.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{
    Stylization,
    paint::{OutputSize, WorkingSize},
};
use media::{
    codec::Pace,
    encoder::{Encoder, Encoding},
    ffmpeg,
    film::{Clip, Codec, Container, Numbered, Range, Reader, Reading, Tools},
    framing::Framing,
    memory::Flow,
    nut::NutStream,
};
use values::disk::Existing;

/// Quality if none is chosen.
pub const USUAL_QUALITY: u8 = 80;
/// Steps of quality that double the size of a file, measured.
const QUALITY_DOUBLES: f64 = 11.0;

/// Frames in a part: what an interruption can lose. A GPU paints the longer one in seconds.
pub const fn part_frames(on_gpu: bool) -> u64 {
    if on_gpu { 480 } else { 48 }
}

/// Minimum and maximum number of bits that a painted pixel takes. Measured with two styles on four clips: lossy codecs
/// need a fifth for pictures that hardly move.
pub fn bits_per_pixel(container: Container, codec: Codec, quality: u8) -> [f64; 2] {
    let lossy = 2f64.powf((f64::from(quality) - f64::from(USUAL_QUALITY)) / QUALITY_DOUBLES);
    let (most, share) = match (container, codec) {
        (Container::Gif, _) => (7.3, 0.5),
        (Container::Apng, _) => (26.0, 0.5),
        (Container::WebP, _) => (2.2 * lossy, 0.2),
        (_, Codec::H264) => (1.5 * lossy, 0.2),
        (_, Codec::Hevc) => (1.2 * lossy, 0.2),
        (_, Codec::Av1) => (1.3 * lossy, 0.2),
        (_, Codec::ProRes) => (6.0, 0.8),
        (_, Codec::Ffv1) => (19.0, 0.8),
    };
    [share * most, most]
}

/// A film to paint.
#[derive(Clone)]
pub struct Film<'a> {
    pub source: &'a Path,
    pub clip: &'a Clip,
    pub output: &'a Path,
    pub existing: Existing,
    pub container: Container,
    pub codec: Codec,
    /// The encoder of a graphics card, by [`Codec::hardware`]; `None` encodes in software.
    pub hardware: Option<String>,
    /// 1 to 100; only used by lossy codecs.
    pub quality: u8,
    pub range: Range,
    /// See [`Reading::fps`].
    pub fps: Option<(u64, u64)>,
    pub framing: Framing,
    pub output_size: OutputSize,
    /// With a network.
    pub stylization: Stylization<WorkingSize>,
    /// Whether title, date and the like are left out, or only the place where the video was taken.
    pub strips_metadata: bool,
    pub strips_location: bool,
    /// On which transparent pixels lie in files without transparency.
    pub background: [u8; 3],
    /// Frames painted at once.
    pub batch: usize,
    /// Number of devices that paint at the same time.
    pub devices: usize,
    /// Frames in a part: what an interruption can lose.
    pub part_frames: u64,
    /// Everything else that the pictures depend on, such as the device.
    pub about: String,
}

impl Film<'_> {
    /// How its pictures are encoded.
    pub(super) fn encoding<'a>(&'a self, tools: &'a Tools, flow: Flow) -> Encoding<'a> {
        let Self { clip, codec, quality, .. } = *self;
        let (matrix, range) = clip.matrix_and_range();
        let colors =
            (!self.container.is_animation()).then(|| (clip.painted_colors(), matrix, range));
        let (ffmpeg, hardware) = (&tools.ffmpeg, self.hardware.as_deref());
        let (pace, has_alpha) = (Pace::Film, clip.has_alpha && codec.has_alpha());
        let fields = clip.fields().filter(|_| !clip.deinterlaces && colors.is_some());
        Encoding { ffmpeg, codec, quality, hardware, pace, flow, has_alpha, fields, colors }
    }

    /// Starts to encode pictures of this size as `file`.
    pub(super) fn encoder(
        &self,
        tools: &Tools,
        flow: Flow,
        stream: &NutStream,
        (width, height): (usize, usize),
        file: &Path,
    ) -> Result<Encoder, String> {
        let (wide, high) = stream.aspect;
        let aspect = if self.framing.rotate.swaps_sides() { (high, wide) } else { (wide, high) };
        let encoding = self.encoding(tools, flow);
        let yuv = encoding.yuv((width, height));
        let stream = NutStream { width, height, aspect, yuv, ..*stream };
        let mut command = encoding.command(&stream)?;
        let muxer = self.codec.part_extension();
        command.args(["-f", muxer, "-y"]).arg(ffmpeg::file(file)).stdout(Stdio::null());
        Encoder::start(command, &stream, tools.patience, Some(&tools.control))
    }

    /// Everything that the encoded pictures depend on; `options` are those of the encoder.
    pub(super) fn key(&self, options: &[String]) -> String {
        // A file that has changed is another one.
        let paths = match (self.clip.reader, Numbered::of(self.source)) {
            (Reader::Numbered { .. }, Some(pictures)) => {
                pictures.numbers().into_iter().map(|number| pictures.path(number)).collect()
            }
            _ => vec![self.source.to_owned()],
        };
        let about = |path| fs::metadata(path).map(|about| (about.len(), about.modified().ok()));
        let files: Vec<_> = paths.iter().map(about).collect();
        // Without `..`, so that a setting is not forgotten. `options` have codec, encoder and quality.
        let Self {
            source: _,
            clip,
            output: _,
            existing: _,
            container,
            codec: _,
            hardware: _,
            quality: _,
            range,
            fps,
            framing,
            output_size,
            stylization,
            strips_metadata: _,
            strips_location: _,
            background,
            batch: _,
            devices: _,
            part_frames: _,
            about,
        } = self;
        format!(
            "{clip:?} {files:?}\n{container:?} {options:?} {range:?} {fps:?}\n{framing:?} {output_size} {stylization:?} {background:?}\n{about}\n"
        )
    }
}

/// The path of the output; of numbered pictures, that of the first one.
pub fn first_output(container: Container, output: &Path) -> PathBuf {
    match (container, Numbered::of(output)) {
        (Container::Pictures(_), Some(pictures)) => pictures.path(1),
        _ => output.to_owned(),
    }
}

impl Film<'_> {
    /// Number of frames that are painted; not exact.
    pub fn frames(&self) -> Option<u64> {
        self.range.frames_of(self.clip, self.fps)
    }

    /// Minimum and maximum size of the file, if the number of frames is known.
    pub fn file_bytes(&self) -> Option<[u64; 2]> {
        let [_, (width, height)] = self.sizes();
        let pixels = self.frames()? as f64 * width as f64 * height as f64;
        let bits = bits_per_pixel(self.container, self.codec, self.quality);
        Some(bits.map(|bits| (bits * pixels / 8.0) as u64))
    }

    /// True if transparent pixels lie on the background.
    pub(super) fn is_flattened(&self) -> bool {
        let is_stored = match self.container {
            Container::Pictures(format) => format.has_alpha(),
            _ => self.codec.has_alpha(),
        };
        self.clip.has_alpha && !is_stored
    }

    /// What a decoder reads after the first `skipped` pictures.
    pub(super) fn reading(&self, skipped: u64) -> Reading<'_> {
        let Self { source, clip, range, fps, .. } = *self;
        let (long_side_px, key_frames, flow) = (None, None, Flow::default());
        Reading { source, clip, range, fps, skipped, long_side_px, key_frames, flow }
    }

    /// How long the last frame is shown, which begins at `last` seconds of the film. `None` if it is unknown.
    pub(super) fn last_frame_seconds(&self, last: f64) -> Option<f64> {
        if let Some((over, under)) = self.fps {
            return Some(under as f64 / over as f64);
        }
        let end = [self.clip.end, self.range.end.map(|end| self.clip.start + end)]
            .into_iter()
            .flatten()
            .reduce(f64::min)?;
        Some(end - self.reading(0).beginning() - last).filter(|&seconds| seconds > 0.0)
    }
}
