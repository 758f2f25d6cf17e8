//! The report of a live run, as JSON and as text.

use serde::Serialize;

use super::{camera_out::described, recording::RecordingReport};
use engine::{
    camera_out::Status,
    live::{LiveSize, Stages, meter::Spread},
    network_choice::ChosenNetwork,
};
use media::record::pictures;
use values::{
    mode::{Mode, ModelSize},
    timing::TimingMethod,
};

#[derive(Serialize)]
pub struct Report {
    pub version: &'static str,
    pub source: String,
    /// The bytes of the source's path as hexadecimal digits, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_bytes: Option<String>,
    pub device: &'static str,
    pub device_name: String,
    pub style: Option<String>,
    pub mode: Option<Mode>,
    /// From the first painted frame to the last.
    pub seconds: f64,
    /// From the start of the command to the first painted frame.
    pub first_picture_s: f64,
    /// Frames that the source sent.
    pub captured: u64,
    pub painted: u64,
    /// Frames that were replaced by a newer one before they were painted.
    pub dropped_before_engine: u64,
    /// Painted frames that were replaced by a newer one before they were received here.
    pub dropped_before_taking: u64,
    pub captured_fps: f64,
    pub painted_fps: f64,
    /// The longest time between two painted frames.
    pub longest_gap_ms: Option<f64>,
    /// Width and height of the source's frames, in pixels.
    pub source_size: (usize, usize),
    /// Width and height of the network's input at the end, in pixels.
    pub working_size: (usize, usize),
    /// Width and height of the result at the end, in pixels.
    pub picture_size: (usize, usize),
    /// `None` if a size was chosen.
    pub automatic_size: Option<AutomaticSize>,
    /// From the capture of a frame to the arrival of its painting, over the last seconds in which frames arrived.
    pub latency_ms: Option<Spread>,
    /// How the network's time was measured.
    pub method: TimingMethod,
    /// Medians over the same seconds.
    pub stages_ms: Stages,
    /// Resident memory of the program after the first second and at the end, in bytes.
    pub resident_bytes: Option<(u64, u64)>,
    pub recorded_frames: Option<u64>,
    pub left_out_frames: Option<u64>,
    /// `None` if no recording was requested.
    pub recording: Option<RecordingReport>,
    /// `None` if camera out was not requested.
    pub camera_out: Option<Status>,
    /// Problems of the source, in order.
    pub problems: Vec<String>,
}

/// The automatic size at the end of a run.
#[derive(Clone, Copy, Serialize)]
pub struct AutomaticSize {
    pub target_fps: f64,
    /// Painted frames per second over the last seconds.
    pub achieved_fps: f32,
    /// That is the target rate.
    pub holds: bool,
    /// Why it is below the target rate.
    pub limited_by: Option<Limit>,
    /// The chosen long side.
    pub long_side_px: usize,
    /// The size of the style's network; `None` without a style or with a file of weights.
    pub model: Option<ModelSize>,
}

/// Why the frame rate is below the target rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The source sends no more frames.
    Source,
    /// The device cannot paint faster, even at the minimum size.
    Device,
}

/// Share of the target rate from which it counts as reached, because frames do not arrive perfectly evenly.
const HELD_SHARE: f64 = 0.95;

impl AutomaticSize {
    /// `work_ms` is the engine's median time per frame. Returns `None` if a size was chosen.
    pub fn of(
        size: LiveSize,
        working: (usize, usize),
        [captured_fps, achieved_fps]: [f64; 2],
        work_ms: f32,
        style: Option<&ChosenNetwork>,
    ) -> Option<Self> {
        let LiveSize::Auto { target_fps } = size else {
            return None;
        };
        let holds = |fps: f64| achieved_fps >= HELD_SHARE * fps;
        // A CPU that paints all the time delays the source's frames, so the device is the limit.
        let is_device_busy = f64::from(work_ms) * target_fps > HELD_SHARE * 1e3;
        let limited_by = match (holds(target_fps), holds(captured_fps) && !is_device_busy) {
            (true, _) => None,
            (false, true) => Some(Limit::Source),
            (false, false) => Some(Limit::Device),
        };
        Some(Self {
            target_fps,
            achieved_fps: achieved_fps as f32,
            holds: limited_by.is_none(),
            limited_by,
            long_side_px: working.0.max(working.1),
            model: style.and_then(|s| s.model),
        })
    }

    fn line(&self) -> String {
        let Self { target_fps, achieved_fps, long_side_px, .. } = self;
        let chose = match self.model {
            Some(model) => format!("{long_side_px} px and {model}"),
            None => format!("{long_side_px} px"),
        };
        let how = match self.limited_by {
            // The target limits the size, not the rate.
            None if f64::from(*achieved_fps) > 1.1 * target_fps => ",",
            None => ", which holds",
            Some(Limit::Source) => "; the source gives",
            Some(Limit::Device) => "; this device reaches",
        };
        format!("automatic size: {chose}{how} {achieved_fps:.1} of {target_fps:.0} fps")
    }
}

/// The text report, line by line.
pub fn text(report: &Report) -> Vec<String> {
    let (sw, sh) = report.source_size;
    let (w, h) = report.working_size;
    let mode = report.mode.map_or("the source as it is".to_owned(), |m| m.to_string());
    let latency = report.latency_ms.map_or_else(
        || "not known".to_owned(),
        |ms| format!("{:.1} ms at the median (p50), {:.1} ms at p95", ms.p50, ms.p95),
    );
    let s = report.stages_ms;
    let mut lines = vec![
        format!(
            "{} on {}: {}, {mode}",
            report.style.as_deref().unwrap_or("no style"),
            report.device_name,
            report.source,
        ),
        format!(
            "{} in {:.1} s: {:.1} fps at {w} x {h} px from {sw} x {sh} px ({:.1} fps captured)",
            pictures(report.painted),
            report.seconds,
            report.painted_fps,
            report.captured_fps,
        ),
        format!(
            "dropped before the engine {}, before taking {}; first picture after {:.2} s",
            report.dropped_before_engine, report.dropped_before_taking, report.first_picture_s,
        ),
        format!(
            "from source to picture {latency}: decode {:.1}, wait {:.1}, scale {:.1}, upload {:.2}, \
             network {:.2} ({}), read-back {:.2}, steady {:.1}, compose {:.1}",
            s.decode_ms,
            s.wait_ms,
            s.scale_ms,
            s.upload_ms,
            s.network_ms,
            report.method.label(),
            s.download_ms,
            s.steady_ms,
            s.compose_ms,
        ),
    ];
    lines.extend(report.automatic_size.as_ref().map(AutomaticSize::line));
    if let Some(recording) = &report.recording {
        lines.push(recording.summary.clone());
        lines.extend(recording.notes.iter().cloned());
    }
    let camera_out = report.camera_out.as_ref();
    lines.extend(
        camera_out.map(|out| format!("camera out: {}: {} pictures", described(out), out.written)),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The automatic size for a target of 30 fps, with the given source rate and painted rate. The engine spends
    /// `work_ms` on every frame.
    fn held(captured_fps: f64, achieved_fps: f64, work_ms: f32) -> AutomaticSize {
        let size = LiveSize::Auto { target_fps: 30.0 };
        let rates = [captured_fps, achieved_fps];
        AutomaticSize::of(size, (320, 240), rates, work_ms, None)
            .unwrap_or_else(|| panic!("a size was chosen"))
    }

    #[test]
    fn a_rate_is_held_or_what_limits_it_is_named() {
        let source = Some(Limit::Source);
        let device = Some(Limit::Device);
        for (captured_fps, achieved_fps, work_ms, limited_by, words) in [
            (60.0, 30.0, 20.0, None, "which holds 30.0 of 30 fps"),
            (30.0, 28.6, 20.0, None, "which holds 28.6 of 30 fps"),
            (60.0, 60.0, 10.0, None, "60.0 of 30 fps"),
            (10.0, 10.0, 20.0, source, "the source gives 10.0 of 30 fps"),
            (10.0, 9.6, 20.0, source, "the source gives 9.6 of 30 fps"),
            (10.0, 9.2, 20.0, device, "this device reaches 9.2 of 30 fps"),
            (60.0, 12.0, 80.0, device, "this device reaches 12.0 of 30 fps"),
            (12.1, 12.0, 80.0, device, "this device reaches 12.0 of 30 fps"),
        ] {
            let size = held(captured_fps, achieved_fps, work_ms);
            assert_eq!(size.limited_by, limited_by, "{captured_fps} {achieved_fps}");
            assert_eq!(size.holds, limited_by.is_none());
            assert_eq!(size.long_side_px, 320);
            let text = size.line();
            assert!(text.contains("320 px") && text.contains(words), "{text}");
        }
        let by_hand = AutomaticSize::of(LiveSize::LongSide(64), (64, 48), [30.0, 30.0], 5.0, None);
        assert!(by_hand.is_none(), "nothing was chosen");
    }
}
