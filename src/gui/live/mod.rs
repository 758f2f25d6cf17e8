//! Live pictures in the window: a source, its newest picture on the stage, and what is told about both.
//!
//! [`LiveView`] holds the handles of the source's and of the engine's ends and never waits for them.
//! `acts` does what a person asks for, `orders` keeps the engine's orders up to date; `files` are snapshots and
//! recordings; `frame`, `controls`, `chrome`, `report` and `wall` draw;
//! `holds` decides when it is told that a rate is not held.

mod acts;
mod chrome;
pub(super) mod controls;
mod files;
mod frame;
mod holds;
mod intent;
mod orders;
mod report;
mod wall;

pub use intent::LiveIntent;
pub use report::DrawnChart;
pub use wall::Wall;

use std::{path::Path, sync::Arc, time::Instant};

use eframe::egui::{self, Color32, ColorImage};

use self::{holds::Holds, report::ReportView};
use super::{
    intent::Intent,
    label::label,
    panel::{Panel, PanelIntent},
    stage::{Compare, Stage, ViewStep},
    style_source::Card,
    texture::opaque_image_of,
};
use crate::{
    backend::DeviceInfo,
    capture::{Camera, CameraFormat, Capture, CaptureProblem, Source},
    engine::live::{
        Facts, LiveOrder, LivePicture,
        meter::{Recent, Spread},
        rate_control::STEPS_PX,
    },
    frame::Frame,
    mailbox::Reader,
    media::record::Recorder,
    verify::Equality,
};

/// By how much differences are enlarged.
const DIFFERENCE_GAIN: i32 = 16;

/// What the source does.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceState {
    /// It was just started.
    Starting,
    /// Frames come.
    Running {
        /// The source in words.
        described: String,
        /// How a camera sends.
        format: Option<CameraFormat>,
    },
    /// No frames come; it is tried again until they do.
    Waiting(CaptureProblem),
    /// No frames will come any more.
    Ended(CaptureProblem),
}

/// A recording in progress.
struct Recording {
    recorder: Recorder,
    since: Instant,
}

/// What a comparison has measured.
pub struct DuelView {
    /// Both modes' names.
    pub names: [String; 2],
    /// Spread of both device times, in milliseconds.
    pub times: [Spread; 2],
    /// Whether both make the same picture.
    pub equality: Arc<Equality>,
}

/// Live pictures in the window.
pub struct LiveView {
    source: Source,
    capture: Option<Capture>,
    pictures: Option<Reader<LivePicture>>,
    state: SourceState,
    /// The cameras as they were listed last; `None` before.
    cameras: Option<Result<Vec<Camera>, String>>,
    pub(super) stage: Stage,
    compare_before: Compare,
    frozen: bool,
    comparing: bool,
    shows_difference: bool,
    shows_wall: bool,
    pub(super) panel_open: bool,
    wall: Wall,
    recording: Option<Recording>,
    /// The order that the engine was given last.
    ordered: Option<LiveOrder>,
    facts: Option<Facts>,
    duel_ms: [Recent; 2],
    equality: Option<Arc<Equality>>,
    panel: Panel,
    holds: Holds,
    report: Option<ReportView>,
}

impl LiveView {
    /// Nothing yet of `source`.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            capture: None,
            pictures: None,
            state: SourceState::Starting,
            cameras: None,
            stage: Stage::default().filled(),
            compare_before: Compare::Painting,
            frozen: false,
            comparing: false,
            shows_difference: false,
            shows_wall: false,
            panel_open: false,
            wall: Wall::default(),
            recording: None,
            ordered: None,
            facts: None,
            duel_ms: Default::default(),
            equality: None,
            panel: Panel::new(),
            holds: Holds::default(),
            report: None,
        }
    }

    /// What Esc closes first, if anything.
    pub fn to_close(&self) -> Option<LiveIntent> {
        let open = [
            (self.report.is_some(), LiveIntent::CloseReport),
            (self.shows_difference, LiveIntent::ToggleDifference),
            (self.shows_wall, LiveIntent::ToggleWall),
            (self.comparing, LiveIntent::ToggleCompare),
        ];
        open.into_iter()
            .find(|(is, _)| *is)
            .map(|(_, intent)| intent)
    }

    /// Whether every style is shown at once, not the stage.
    pub(super) fn shows_wall(&self) -> bool {
        self.shows_wall
    }

    /// Shows the picture alone, and changes its view; every style at once has none to zoom or move.
    pub(super) fn step(&mut self, step: ViewStep) {
        if !self.shows_wall {
            self.stage.step(step);
        } else if step == ViewStep::NextCompare {
            self.shows_wall = false;
        }
    }

    /// Shows the picture alone, in this way.
    pub(super) fn look(&mut self, compare: Compare) {
        self.stage.compare = compare;
        self.shows_wall = false;
    }

    /// Notes which cameras there are.
    pub fn set_cameras(&mut self, cameras: Result<Vec<Camera>, String>) {
        self.cameras = Some(cameras);
    }

    /// Whether a camera films.
    fn films(&self) -> bool {
        self.uses_camera() && matches!(self.state, SourceState::Running { .. })
    }

    /// Whether a camera is in use or wanted.
    pub fn uses_camera(&self) -> bool {
        self.capture.is_some() && matches!(self.source, Source::Camera(_))
    }

    /// The folder of the recording in progress, and how many pictures it has.
    pub fn recording(&self) -> Option<(&Path, u64)> {
        let recorder = &self.recording.as_ref()?.recorder;
        Some((recorder.folder(), recorder.written()))
    }

    /// The styles' moving pictures.
    pub fn wall(&self) -> &Wall {
        &self.wall
    }

    /// Draws the picture, or every style's, into what is left of `ui`.
    pub(super) fn stage_ui(
        &mut self,
        ui: &mut egui::Ui,
        cards: &[Card],
        chosen: Option<&str>,
        intents: &mut Vec<Intent>,
    ) {
        if self.shows_wall {
            self.wall.ui(ui, cards, chosen, intents);
        } else {
            self.stage.ui(ui);
        }
    }

    /// Draws the performance panel.
    pub(super) fn panel_ui(
        &mut self,
        ui: &mut egui::Ui,
        device: &DeviceInfo,
        intents: &mut Vec<Intent>,
    ) {
        let mut asked = Vec::new();
        self.panel.ui(ui, device, &mut asked);
        intents.extend(asked.into_iter().map(|asked| {
            Intent::Live(match asked {
                PanelIntent::Export {
                    bytes, file_name, ..
                } => LiveIntent::Export { file_name, bytes },
                PanelIntent::Failed(why) => LiveIntent::ExportFailed(why),
            })
        }));
    }

    /// The source, and the pace of its pictures.
    pub fn in_words(&self) -> (String, Option<String>) {
        let source = match &self.state {
            SourceState::Running { described, format } => match format {
                Some(format) => format!("{}, {format}", label(described)),
                None => label(described),
            },
            SourceState::Starting => "Starting…".to_owned(),
            // Why there are no pictures stands where they would be.
            SourceState::Waiting(_) | SourceState::Ended(_) => {
                controls::source_name(self, &self.source)
            }
        };
        let pace = self.pace().zip(self.facts).map(|((fps, delay_ms), facts)| {
            let (w, h) = facts.working;
            let mode = facts.mode_in_words();
            let mode = mode.map_or_else(String::new, |m| format!(", {m}"));
            let held = if self.frozen { "held, was " } else { "" };
            format!("{held}{fps:.0} fps at {w} × {h} px, {delay_ms:.0} ms delay{mode}")
        });
        (source, pace)
    }

    /// What is known of the picture on the stage.
    pub fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    /// Takes the newest picture onto the stage; `false` when there is no newer one.
    fn take_picture(&mut self, ctx: &egui::Context) -> bool {
        let Some(pictures) = &mut self.pictures else {
            return false;
        };
        if !pictures.take() {
            return false;
        }
        let picture = &pictures.value;
        let Some(facts) = picture.facts else {
            return false;
        };
        let images = match &picture.other {
            Some(other) if self.shows_difference => [
                difference(&picture.painted, other),
                difference(&picture.painted, other),
            ],
            Some(other) => [opaque_image_of(&picture.painted), opaque_image_of(other)],
            None => [
                opaque_image_of(&picture.original),
                opaque_image_of(&picture.painted),
            ],
        };
        let [left, right] = images;
        // Zoom counts the source's pixels, whatever is laid over them and at which size.
        let size = (picture.original.width(), picture.original.height());
        self.stage.set_live(ctx, [left, right], size);
        let now = Instant::now();
        match &facts.duel {
            Some(duel) => {
                let [a, b] = duel.modes.map(|m| m.to_string());
                if self.shows_difference {
                    self.stage.set_names("Difference", "Difference");
                } else {
                    self.stage.set_names(&a, &b);
                }
                for (recent, ms) in self.duel_ms.iter_mut().zip(duel.ms) {
                    recent.note(now, ms as f32);
                }
            }
            None => self.stage.set_names("Original", "Result"),
        }
        self.equality.clone_from(&picture.equality);
        let dropped = pictures.counts().dropped;
        self.panel.note_picture(&facts, now, dropped);
        if let Some(recording) = &mut self.recording {
            recording
                .recorder
                .push(&picture.painted, now - recording.since);
        }
        self.facts = Some(facts);
        true
    }

    /// The comparison in numbers, once there are some.
    fn duel(&self) -> Option<DuelView> {
        let duel = self.facts?.duel?;
        let now = Instant::now();
        let [a, b] = &self.duel_ms;
        Some(DuelView {
            names: match &self.pictures.as_ref()?.value.names {
                Some(names) => names.as_ref().clone(),
                None => duel.modes.map(|m| m.to_string()),
            },
            times: [a.spread(now)?, b.spread(now)?],
            equality: self.equality.clone()?,
        })
    }

    /// The picture on the stage: the source's frame and the painting.
    fn picture(&self) -> Option<(&Frame, &Frame)> {
        let picture = &self.pictures.as_ref()?.value;
        picture.facts?;
        Some((&picture.original, &picture.painted))
    }

    /// Pictures shown a second, and the median delay from the source to the screen in milliseconds.
    pub fn pace(&self) -> Option<(f32, f32)> {
        let now = Instant::now();
        let delay = self.panel.delay_ms(now)?;
        Some((self.panel.fps(now).shown_fps, delay.p50))
    }

    /// Notes whether the device holds `target_fps`, the rate that was wanted of the automatic size; `None`
    /// while a size was chosen by hand. A held picture and a source that gives nothing tell nothing.
    fn note_rate(&mut self, target_fps: Option<f64>) {
        let now = Instant::now();
        let (Some(target_fps), Some(facts)) = (target_fps, self.facts) else {
            self.holds = Holds::default();
            return;
        };
        if self.frozen || self.has_trouble() {
            self.holds.pause();
            return;
        }
        let rates = self.panel.fps(now);
        // A source that gives less than is wanted is not the device's fault.
        let wanted = target_fps.min(f64::from(rates.camera_fps));
        let is_least = facts.working.0.max(facts.working.1) <= STEPS_PX[0];
        self.holds
            .note(f64::from(rates.shown_fps), wanted, is_least, now);
    }

    /// Whether there is something to say instead of the picture.
    fn has_trouble(&self) -> bool {
        self.facts.is_none()
            || matches!(self.state, SourceState::Waiting(_) | SourceState::Ended(_))
    }
}

/// Where two pictures differ, enlarged; grey means equal.
fn difference(a: &Frame, b: &Frame) -> ColorImage {
    let pixels = a
        .rgba()
        .chunks_exact(4)
        .zip(b.rgba().chunks_exact(4))
        .map(|(p, q)| {
            let c = |i: usize| {
                let d = i32::from(p[i]) - i32::from(q[i]);
                (128 + d * DIFFERENCE_GAIN).clamp(0, 255) as u8
            };
            Color32::from_rgb(c(0), c(1), c(2))
        })
        .collect();
    ColorImage::new([a.width(), a.height()], pixels)
}
