//! The remembered settings of live pictures: the source, how it is captured, how it is painted.

use toml::Table;

use super::table::{Reader, put};
use crate::{
    capture::{PixelFormat, Rotation, Source},
    engine::live::{CandidateChoice, DEFAULT_TARGET_FPS, LiveSize},
    mode::{DeviceChoice, Mode, ModeChoice, ModelSize, Precision, Variant},
};

/// What a recording becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordAs {
    /// One video file.
    #[default]
    Video,
    /// A folder with a file for each picture, and a table of their times.
    Pictures,
}

impl RecordAs {
    /// Every choice, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Video, Self::Pictures];

    /// The spelling in the settings file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Pictures => "pictures",
        }
    }
}

/// A person's choices for live pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveChoices {
    /// Where live pictures come from; the demo scene until something else was chosen.
    pub source: Source,
    /// Size at which a camera sends, in pixels; chosen by the program when `None`.
    pub camera_size: Option<(u32, u32)>,
    /// Rate at which a camera sends; chosen by the program when `None`.
    pub camera_fps: Option<u32>,
    /// Format in which a camera sends; chosen by the program when `None`.
    pub camera_format: Option<PixelFormat>,
    /// Whether left and right of a source that is no camera are swapped, as in a mirror.
    pub mirror: bool,
    /// Whether a camera is shown as in a mirror.
    pub mirror_preview: bool,
    /// Whether snapshots and recordings of a camera are as in a mirror.
    pub mirror_saved: bool,
    /// How the source is turned.
    pub rotate: Rotation,
    /// Working size.
    pub size: LiveSize,
    /// Whether pictures are brought up to the source's size.
    pub upscale: bool,
    /// Size of the style's network; chosen by the program when `None`. Photos have one of their own.
    pub model: Option<ModelSize>,
    /// Variant, precision and attention.
    pub mode: ModeChoice,
    /// The two candidates of a comparison.
    pub candidates: [CandidateChoice; 2],
    /// Whether the gallery's pictures move.
    pub moving_gallery: bool,
    /// What a recording becomes.
    pub record_as: RecordAs,
    /// Whether held pictures and snapshots are painted once more, finely, and are not left as they were seen.
    pub repaint_kept: bool,
}

impl Default for LiveChoices {
    fn default() -> Self {
        let fp32 = |variant| CandidateChoice {
            device: DeviceChoice::Auto,
            mode: Mode::new(variant, Precision::Fp32).into(),
        };
        Self {
            source: Source::Demo,
            camera_size: None,
            camera_fps: None,
            camera_format: None,
            mirror: false,
            mirror_preview: true,
            mirror_saved: false,
            rotate: Rotation::default(),
            size: LiveSize::default(),
            upscale: true,
            model: None,
            mode: ModeChoice::default(),
            candidates: [fp32(Variant::Baseline), fp32(Variant::Fused)],
            moving_gallery: true,
            record_as: RecordAs::default(),
            repaint_kept: true,
        }
    }
}

impl LiveChoices {
    /// Whether the frames of `source` are mirrored when they are taken, and with them what is painted and saved.
    pub fn captures_mirrored(&self, source: &Source) -> bool {
        match source {
            Source::Camera(_) => self.mirror_saved,
            Source::Demo | Source::Photo(_) | Source::Folder(_) => self.mirror,
        }
    }

    /// Whether the pictures of `source` are mirrored on the screen, as against how they were taken.
    pub fn shows_flipped(&self, source: &Source) -> bool {
        matches!(source, Source::Camera(_)) && self.mirror_preview != self.mirror_saved
    }

    /// Reads the table `[live]`.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut live = Self::default();
        reader.parsed("source", &mut live.source, |s| s.parse().ok());
        reader.parsed("camera_size", &mut live.camera_size, |s| {
            let (w, h) = s.split_once('x')?;
            Some(Some((w.parse().ok()?, h.parse().ok()?)))
        });
        reader.integer("camera_fps", 1..=1000, |v| live.camera_fps = Some(v as u32));
        reader.parsed("camera_format", &mut live.camera_format, |s| s.parse().ok().map(Some));
        reader.boolean("mirror", &mut live.mirror);
        reader.boolean("mirror_preview", &mut live.mirror_preview);
        reader.boolean("mirror_saved", &mut live.mirror_saved);
        reader.parsed("rotate", &mut live.rotate, |s| s.parse().ok());
        let (mut px, mut fps) = (None, DEFAULT_TARGET_FPS);
        reader.integer("target_fps", 1..=240, |v| fps = v as f64);
        reader.integer("working_px", 16..=8192, |v| px = Some(v as usize));
        live.size = px.map_or(LiveSize::Auto { target_fps: fps }, LiveSize::LongSide);
        reader.boolean("upscale", &mut live.upscale);
        reader.parsed("model", &mut live.model, |s| s.parse().ok().map(Some));
        reader.parsed("mode", &mut live.mode, |s| s.parse().ok());
        for (chosen, key) in live.candidates.iter_mut().zip(["compare_left", "compare_right"]) {
            reader.parsed(key, chosen, candidate);
        }
        reader.boolean("moving_gallery", &mut live.moving_gallery);
        reader.parsed("record_as", &mut live.record_as, |s| {
            RecordAs::ALL.into_iter().find(|r| r.name() == s)
        });
        reader.boolean("repaint_kept", &mut live.repaint_kept);
        live
    }

    /// Writes the table `[live]`.
    pub(super) fn write(&self, table: &mut Table) {
        put(table, "source", Some(self.source.to_string()));
        let size = self.camera_size.map(|(w, h)| format!("{w}x{h}"));
        put(table, "camera_size", size);
        put(table, "camera_fps", self.camera_fps.map(i64::from));
        let format = self.camera_format.map(|f| f.to_string());
        put(table, "camera_format", format);
        put(table, "mirror", Some(self.mirror));
        put(table, "mirror_preview", Some(self.mirror_preview));
        put(table, "mirror_saved", Some(self.mirror_saved));
        put(table, "rotate", Some(self.rotate.to_string()));
        let (px, fps) = match self.size {
            LiveSize::Auto { target_fps } => (None, Some(target_fps.round() as i64)),
            LiveSize::LongSide(px) => (Some(px as i64), None),
        };
        put(table, "working_px", px);
        put(table, "target_fps", fps);
        put(table, "upscale", Some(self.upscale));
        put(table, "model", self.model.map(|model| model.to_string()));
        put(table, "mode", Some(self.mode.to_string()));
        for (candidate, key) in self.candidates.iter().zip(["compare_left", "compare_right"]) {
            let text = format!("{} {}", candidate.device.name(), candidate.mode);
            put(table, key, Some(text));
        }
        put(table, "moving_gallery", Some(self.moving_gallery));
        put(table, "record_as", Some(self.record_as.name()));
        put(table, "repaint_kept", Some(self.repaint_kept));
    }
}

/// From `auto fused fp16`: device, variant, precision, and perhaps a way to compute attention.
fn candidate(text: &str) -> Option<CandidateChoice> {
    let (device, mode) = text.split_once(' ')?;
    Some(CandidateChoice { device: device.parse().ok()?, mode: mode.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CameraId;

    #[test]
    fn a_camera_is_shown_as_a_mirror_and_saved_as_it_is_unless_that_is_asked() {
        let camera = Source::Camera(CameraId::first());
        let mut choices = LiveChoices::default();
        let of = |choices: &LiveChoices, source| {
            [choices.captures_mirrored(source), choices.shows_flipped(source)]
        };
        assert_eq!(of(&choices, &camera), [false, true]);
        assert_eq!(of(&choices, &Source::Demo), [false, false]);
        // What is mirrored already is not mirrored back.
        choices.mirror_saved = true;
        assert_eq!(of(&choices, &camera), [true, false]);
        choices.mirror_preview = false;
        assert_eq!(of(&choices, &camera), [true, true]);
        choices.mirror = true;
        assert_eq!(of(&choices, &Source::Demo), [true, false]);
    }
}
