//! The saved settings of live mode: the source, its capture and its painting.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::fields;
use engine::{
    camera_out::CameraOutSize,
    capture::{PixelFormat, Rotation, Source},
    live::{CandidateChoice, DEFAULT_TARGET_FPS, LiveSize},
};
use media::{codec::Codec, film::Container, record::USUAL_QUALITY};
use values::mode::{DeviceChoice, Mode, ModeChoice, ModelSize, Precision, Variant};

/// The form of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordAs {
    #[default]
    Video,
    /// A folder with one file per frame, and a table of their times.
    Pictures,
}

/// The user's choices for live mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveChoices {
    /// The demo scene until another source is chosen.
    #[serde(with = "fields::text")]
    pub source: Source,
    /// Frame size of a camera, in pixels; automatic if `None`.
    #[serde(with = "camera_size")]
    pub camera_size: Option<(u32, u32)>,
    /// Frame rate of a camera; automatic if `None`.
    #[serde(deserialize_with = "fields::optional_integer::<_, _, 1, 1000>")]
    pub camera_fps: Option<u32>,
    /// Pixel format of a camera; automatic if `None`.
    #[serde(with = "fields::optional_text")]
    pub camera_format: Option<PixelFormat>,
    /// A source other than a camera is mirrored.
    pub mirror: bool,
    /// A camera is mirrored on the screen.
    pub mirror_preview: bool,
    /// Snapshots and recordings of a camera are mirrored.
    pub mirror_saved: bool,
    #[serde(with = "fields::text")]
    pub rotate: Rotation,
    #[serde(flatten, with = "size")]
    pub size: LiveSize,
    /// How much of the painting before is kept, 0 to 100.
    #[serde(deserialize_with = "fields::integer::<_, _, 0, 100>")]
    pub steadiness: u8,
    /// Painted frames are upscaled to the source's size.
    pub upscale: bool,
    /// Size of the style's network; automatic if `None`. Photos have their own setting.
    pub model: Option<ModelSize>,
    #[serde(with = "fields::text")]
    pub mode: ModeChoice,
    #[serde(flatten, with = "candidates")]
    pub candidates: [CandidateChoice; 2],
    /// The gallery is animated.
    pub moving_gallery: bool,
    pub record_as: RecordAs,
    /// Codec of videos, one that MP4 can hold, and its quality from 1 to 100.
    #[serde(deserialize_with = "codec")]
    pub codec: Codec,
    #[serde(deserialize_with = "fields::integer::<_, _, 1, 100>")]
    pub quality: u8,
    /// Videos are recorded with sound from the microphone.
    pub microphone: bool,
    /// The virtual camera of camera out, as a device file; the first one that is free if `None`.
    pub camera_out_device: Option<String>,
    pub camera_out_size: CameraOutSize,
    /// Frozen frames and snapshots are repainted in full quality.
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
            steadiness: 0,
            upscale: true,
            model: None,
            mode: ModeChoice::default(),
            candidates: [fp32(Variant::Baseline), fp32(Variant::Fused)],
            moving_gallery: true,
            record_as: RecordAs::default(),
            codec: Codec::H264,
            quality: USUAL_QUALITY,
            microphone: false,
            camera_out_device: None,
            camera_out_size: CameraOutSize::default(),
            repaint_kept: true,
        }
    }
}

impl LiveChoices {
    /// True if the frames of `source` are mirrored at capture, before they are painted and saved.
    pub fn captures_mirrored(&self, source: &Source) -> bool {
        match source {
            Source::Camera(_) => self.mirror_saved,
            _ => self.mirror,
        }
    }

    /// True if the frames of `source` are mirrored again for display.
    pub fn shows_flipped(&self, source: &Source) -> bool {
        matches!(source, Source::Camera(_)) && self.mirror_preview != self.mirror_saved
    }
}

fn codec<'de, D: Deserializer<'de>>(from: D) -> Result<Codec, D::Error> {
    let codec = Codec::deserialize(from)?;
    Container::Mp4
        .holds(codec)
        .then_some(codec)
        .ok_or_else(|| D::Error::custom("expected h264, hevc or av1"))
}

/// A size such as `640x480`.
mod camera_size {
    use super::*;

    pub fn serialize<S: Serializer>(size: &Option<(u32, u32)>, to: S) -> Result<S::Ok, S::Error> {
        size.map(|(width, height)| format!("{width}x{height}")).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<(u32, u32)>, D::Error> {
        let text = String::deserialize(from)?;
        text.split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
            .map(Some)
            .ok_or_else(|| D::Error::custom("expected a size such as 640x480"))
    }
}

/// Either `working_px` or `target_fps`.
mod size {
    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Keys {
        #[serde(deserialize_with = "fields::optional_integer::<_, _, 16, 8192>")]
        working_px: Option<i64>,
        #[serde(deserialize_with = "fields::optional_integer::<_, _, 1, 240>")]
        target_fps: Option<i64>,
    }

    pub fn serialize<S: Serializer>(size: &LiveSize, to: S) -> Result<S::Ok, S::Error> {
        let (working_px, target_fps) = match *size {
            LiveSize::Auto { target_fps } => (None, Some(target_fps.round() as i64)),
            LiveSize::LongSide(px) => (Some(px as i64), None),
        };
        Keys { working_px, target_fps }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<LiveSize, D::Error> {
        let Keys { working_px, target_fps } = Keys::deserialize(from)?;
        let target_fps = target_fps.map_or(DEFAULT_TARGET_FPS, |fps| fps as f64);
        Ok(working_px.map_or(LiveSize::Auto { target_fps }, |px| LiveSize::LongSide(px as usize)))
    }
}

/// A device and a mode under two keys, such as `cuda fused fp16`.
mod candidates {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Keys {
        compare_left: String,
        compare_right: String,
    }

    pub fn serialize<S: Serializer>(of: &[CandidateChoice; 2], to: S) -> Result<S::Ok, S::Error> {
        let [compare_left, compare_right] = of.map(|c| format!("{} {}", c.device, c.mode));
        Keys { compare_left, compare_right }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[CandidateChoice; 2], D::Error> {
        let Keys { compare_left, compare_right } = Keys::deserialize(from)?;
        let candidate = |text: &str| {
            let (device, mode) = text.split_once(' ')?;
            Some(CandidateChoice { device: device.parse().ok()?, mode: mode.parse().ok()? })
        };
        candidate(&compare_left)
            .zip(candidate(&compare_right))
            .map(Into::into)
            .ok_or_else(|| D::Error::custom("expected a device and a mode"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::capture::CameraId;

    #[test]
    fn a_camera_is_shown_as_a_mirror_and_saved_as_it_is_unless_that_is_asked() {
        let camera = Source::Camera(CameraId::first());
        let mut choices = LiveChoices::default();
        let of = |choices: &LiveChoices, source| {
            [choices.captures_mirrored(source), choices.shows_flipped(source)]
        };
        assert_eq!(of(&choices, &camera), [false, true]);
        assert_eq!(of(&choices, &Source::Demo), [false, false]);
        // Frames that are already mirrored are not mirrored again for display.
        choices.mirror_saved = true;
        assert_eq!(of(&choices, &camera), [true, false]);
        choices.mirror_preview = false;
        assert_eq!(of(&choices, &camera), [true, true]);
        choices.mirror = true;
        assert_eq!(of(&choices, &Source::Demo), [true, false]);
    }
}
