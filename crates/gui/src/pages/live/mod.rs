//! Live mode in the window: a source, its newest picture on the stage, and the texts about both.
//!
//! [`LiveView`] shows the engine's pictures and snapshots and never waits for them.
//!
//! - `command` lists the commands, which `perform` performs; `update` handles the engine's events, and sends it the
//!   settings.
//! - `files` saves snapshots (single pictures), recordings and reports.
//! - `camera_out`, `camera_out_flow` show the painting to other programs as a camera.
//! - `repaint_flow` repaints frozen frames and snapshots with more detail; `repaints` holds their state.
//! - `source_trial` decides what to show when a source has no pictures.
//! - `pair_times` stores the times of a comparison.
//! - `view` has the parts of the page in the window.
//! - `first_start`, `controls`, `mode_choice`, `chrome`, `comparison`, `report` and
//!   `preview_grid` draw; `lab` is the place of the Lab in the window.

mod camera_out;
mod camera_out_flow;
mod chrome;
pub mod command;
mod comparison;
mod controls;
pub mod files;
mod first_start;
mod lab;
mod pair_times;
mod perform;
mod preview_grid;
mod repaint_flow;
mod repaints;
mod report;
mod source_trial;
pub mod update;
mod view;

pub use self::{
    camera_out::CameraOutView, chrome::full_screen_button, preview_grid::PreviewGrid,
    repaints::Repaints, report::ReportView, source_trial::NO_CAMERA,
};

use std::{mem, path::Path, sync::Arc, time::Instant};

use eframe::egui::{Context, ScrollArea, Ui};

use self::{
    comparison::difference,
    pair_times::{ComparedModes, PairTimes},
    preview_grid::Styles,
    source_trial::SourceTrial,
};
use super::{
    lab::{Panel, Tab},
    photo::welcome::Cameras,
};
use crate::{
    intent::{Intent, LabCommand, LiveCommand},
    widgets::{
        label::{capital, label, name_label},
        stage::{Compare, Stage, ViewStep},
        texture::opaque_image_of,
    },
};
use backend::DeviceInfo;
use engine::{
    capture::Source,
    live::{Facts, LivePicture, LiveSettings, Snapshot, SourceState},
    protocol::Repainted,
};
use media::record::{Recorder, TakenFrames, length_text, pictures};
use settings::LiveChoices;
use values::mailbox::Reader;

/// A recording in progress.
struct Recording {
    taken: TakenFrames,
    /// Writes the frames, once there is a file.
    recorder: Option<Recorder>,
    /// A message says that there is no more sound.
    is_silent: bool,
}

/// The view before a comparison.
struct BeforeComparison {
    compare: Compare,
    shows_previews: bool,
    has_lab: bool,
    tab: Tab,
}

/// The Lab, and the comparison of two modes.
#[derive(Default)]
pub struct Lab {
    panel: Panel,
    pairs: PairTimes,
    /// What was shown before the comparison, while two modes are compared.
    comparison: Option<BeforeComparison>,
    shows_difference: bool,
    /// The largest difference in the picture on the stage, in levels.
    largest_difference: u8,
    /// When the current measurement was first shown, by egui's clock.
    measuring_since: Option<f64>,
    pub is_open: bool,
}

/// The repainting of what the user keeps.
#[derive(Default)]
struct Refined {
    /// The frozen picture, repainted; `None` until it is ready.
    picture: Option<Arc<Repainted>>,
    /// The frozen picture stays as it was painted live even if a repainted one is available.
    stays_as_seen: bool,
    /// The frozen picture or a snapshot is being repainted.
    is_repainting: bool,
    /// Frozen pictures are repainted.
    may_repaint: bool,
}

#[derive(Default)]
struct Sent {
    /// The settings that were last sent to the engine.
    settings: Option<LiveSettings>,
    /// The number of these settings; 0 for the settings with which the source was started.
    number: u64,
}

/// The live page.
#[derive(Default)]
pub struct LivePage {
    /// `None` while photos are shown.
    pub view: Option<LiveView>,
    pub camera_out: CameraOutView,
    /// Live frames that are being repainted.
    pub repaints: Repaints,
}

#[derive(Default)]
pub struct LiveView {
    pub lab: Lab,
    refined: Refined,
    sent: Sent,
    source: Source,
    trial: SourceTrial,
    pictures: Option<Reader<LivePicture>>,
    pub snapshot: Snapshot,
    pub stage: Stage,
    frozen: bool,
    /// A key in this frame moves the focus to the cards of the first start.
    leads_to_cards: bool,
    /// The preview grid is shown instead of the stage.
    pub shows_previews: bool,
    pub previews: PreviewGrid,
    recording: Option<Recording>,
    /// Why recordings cannot be videos.
    no_video: Option<String>,
    facts: Option<Facts>,
}

impl LiveView {
    /// Creates a view of `source` that has no pictures yet.
    pub fn new(source: Source) -> Self {
        let mut live = Self { source, ..Self::default() };
        // Every picture, however small, fills the stage.
        live.stage.placing.fit_limit = f32::INFINITY;
        live
    }

    fn has_attention(&self) -> bool {
        let network =
            self.sent.settings.as_ref().and_then(|sent| sent.stylization.network.as_ref());
        network.is_some_and(|network| network.graph().has_attention())
    }

    fn compares(&self) -> bool {
        self.lab.comparison.is_some()
    }

    /// Shows two modes side by side, or what was shown before.
    fn toggle_comparison(&mut self) {
        self.lab.pairs = PairTimes::default();
        self.lab.panel.compares = self.lab.comparison.is_none();
        let Some(before) = self.lab.comparison.take() else {
            self.lab.comparison = Some(BeforeComparison {
                compare: mem::replace(&mut self.stage.compare, Compare::Both),
                shows_previews: mem::take(&mut self.shows_previews),
                has_lab: mem::replace(&mut self.lab.is_open, true),
                tab: mem::replace(&mut self.lab.panel.tab, Tab::Compare),
            });
            return;
        };
        self.lab.shows_difference = false;
        self.stage.compare = before.compare;
        self.shows_previews = before.shows_previews;
        if self.lab.panel.tab == Tab::Compare {
            self.lab.is_open &= before.has_lab;
            self.lab.panel.tab = before.tab;
        }
    }

    /// Returns the intent that closes the part that Esc closes first, if any.
    pub fn to_close(&self) -> Option<Intent> {
        [
            (self.lab.shows_difference, Intent::Lab(LabCommand::ToggleDifference)),
            (self.shows_previews, Intent::Live(LiveCommand::TogglePreviews)),
            (self.compares(), Intent::Lab(LabCommand::ToggleCompare)),
        ]
        .into_iter()
        .find(|(is, _)| *is)
        .map(|(_, intent)| intent)
    }

    /// Leaves the preview grid, which cannot be zoomed or moved, and changes the view of the picture.
    pub fn step(&mut self, step: ViewStep) {
        if !self.shows_previews {
            self.stage.step(step);
        } else if step == ViewStep::NextCompare {
            self.shows_previews = false;
        }
    }

    /// Leaves the preview grid and sets the compare mode.
    pub fn look(&mut self, compare: Compare) {
        self.stage.compare = compare;
        self.shows_previews = false;
    }

    /// Shows the source's picture alone, or restores the chosen view.
    pub fn show_original(&mut self, ctx: &Context, shows: bool) {
        if mem::replace(&mut self.stage.shows_original, shows) == shows {
            return;
        }
        // The picture on the stage is that of one of the two modes; replace it.
        if self.pictures.as_ref().is_some_and(|reader| reader.value.other.is_some()) {
            self.put_on_stage(ctx);
        }
    }

    fn is_capturing(&self) -> bool {
        self.uses_camera() && matches!(self.snapshot.source, SourceState::Running { .. })
    }

    pub fn is_moving(&self) -> bool {
        !self.frozen
    }

    /// True if the source is a camera, with or without pictures.
    pub fn uses_camera(&self) -> bool {
        self.pictures.is_some() && matches!(self.source, Source::Camera(_))
    }

    fn recorder(&self) -> Option<&Recorder> {
        self.recording.as_ref()?.recorder.as_ref()
    }

    /// The folder or file of the current recording, if it exists yet, and how much is recorded.
    pub fn recording(&self) -> Option<(Option<&Path>, String)> {
        let length = self.recorded_length(Instant::now())?;
        let recorder = self.recorder();
        let folder = recorder.filter(|recorder| !recorder.is_video());
        let taken = match (folder, length.as_secs()) {
            // The first picture is already being written.
            (Some(folder), _) => pictures(folder.written().max(1)),
            (None, 0) => "less than a second".to_owned(),
            (None, _) => length_text(length),
        };
        Some((recorder.map(Recorder::path), taken))
    }

    /// Draws the picture or the preview grid into the remaining area of `ui`.
    pub fn stage_ui(&mut self, ui: &mut Ui, styles: Styles<'_>, chosen: Option<&str>) {
        if self.shows_previews && !self.stage.shows_original {
            self.previews.ui(ui, self.stage.placing.framing.around(ui), styles, chosen);
        } else {
            _ = self.stage.ui(ui);
        }
    }

    /// Draws the Lab. Changes `choices` in place; `measuring` is the progress of a benchmark.
    pub fn lab_ui(
        &mut self,
        ui: &mut Ui,
        choices: &mut LiveChoices,
        device: &DeviceInfo,
        measuring: Option<f32>,
    ) {
        let now = ui.input(|i| i.time);
        self.lab.measuring_since = measuring.map(|_| self.lab.measuring_since.unwrap_or(now));
        self.lab.panel.ui(ui, device, Instant::now());
        let is_benchmark = self.lab.panel.tab == Tab::Benchmark;
        if is_benchmark || self.lab.panel.tab == Tab::Compare {
            ScrollArea::vertical()
                .id_salt(("comparison", is_benchmark))
                .auto_shrink([false, false])
                .show(ui, |ui| {
                    ui.spacing_mut().item_spacing.y = 4.0;
                    if is_benchmark {
                        self.benchmark_ui(ui, measuring)
                    } else {
                        self.comparison_ui(ui)
                    }
                    self.candidates_ui(ui, choices, device, measuring.is_none(), is_benchmark);
                });
        }
    }

    /// Texts for the source and its frame rate, with the painting mode if `with_mode`.
    pub fn status(&self, cameras: Cameras<'_>, with_mode: bool) -> (String, Option<String>) {
        let source = match &self.snapshot.source {
            SourceState::Running { described, format } => match format {
                Some(format) => format!("{}, {format}", label(described)),
                None => label(described),
            },
            SourceState::Starting => "Starting…".to_owned(),
            // The stage shows why there are no pictures.
            SourceState::Waiting(_) | SourceState::Ended(_) => self.source_name(cameras),
        };
        let pace = self.pace().zip(self.facts).map(|((fps, delay_ms), facts)| {
            let (w, h) = self.painted_at().unwrap_or(facts.working);
            let mode = match facts.mode {
                None => ", not painted".to_owned(),
                Some(mode) if with_mode => format!(", {mode}"),
                Some(_) => String::new(),
            };
            if self.frozen {
                let refined = if self.shown_finer().is_some() { "refined at " } else { "" };
                format!("Frozen · {refined}{w} × {h} px{mode}")
            } else {
                format!("{fps:.0} fps at {w} × {h} px, {delay_ms:.0} ms latency{mode}")
            }
        });
        (source, pace)
    }

    /// A short name of the source.
    fn source_name(&self, cameras: Cameras<'_>) -> String {
        match &self.source {
            Source::Demo => "Demo scene".to_owned(),
            Source::Camera(id) => {
                let known = cameras.into_iter().flatten().flatten();
                let found = known.clone().find(|camera| camera.id == *id);
                let first = || known.clone().next().filter(|_| id.as_str().is_empty());
                match found.or_else(first) {
                    Some(camera) => label(&camera.name),
                    None if id.as_str().is_empty() => "Camera".to_owned(),
                    None => label(id.as_str()),
                }
            }
            Source::Stream(address) => label(&address.to_string()),
            Source::Photo(path) | Source::Folder(path) | Source::Video(path) => name_label(path),
        }
    }

    /// Width and height at which the network received the picture on the stage, in pixels.
    fn painted_at(&self) -> Option<(usize, usize)> {
        let painted = self.facts.filter(|facts| facts.mode.is_some());
        self.shown_finer().map(|finer| finer.working).or(painted.map(|facts| facts.working))
    }

    /// Puts the newest picture onto the stage; returns `false` if there is no newer one.
    fn take_picture(&mut self, ctx: &Context) -> bool {
        let Some(pictures) = &mut self.pictures else {
            return false;
        };
        if !pictures.take() {
            return false;
        }
        self.refined.picture = None;
        let picture = &pictures.value;
        let Some(facts) = picture.facts else {
            return false;
        };
        if let Some(pair) = &facts.pair {
            let of = ComparedModes {
                modes: pair.modes,
                names: picture.names.clone(),
                working: facts.working,
            };
            self.lab.pairs.note(of, pair.ms);
        }
        self.lab.panel.note_picture(&facts, Instant::now(), pictures.counts().dropped);
        self.facts = Some(facts);
        self.put_on_stage(ctx);
        true
    }

    /// Puts the last picture that was taken onto the stage.
    fn put_on_stage(&mut self, ctx: &Context) {
        let (Some(pictures), Some(facts)) = (&self.pictures, self.facts) else {
            return;
        };
        let picture = &pictures.value;
        // Zoom is relative to the source's pixels, whatever size the pictures drawn over them have.
        let size = picture.original.size();
        // Only a painted picture may be labelled as painted.
        let is_painted = facts.mode.is_some() || self.shown_finer().is_some();
        match &picture.other {
            other if !is_painted || (other.is_some() && self.stage.shows_original) => {
                self.stage.set_live_alone(
                    ctx,
                    opaque_image_of(&picture.original),
                    size,
                    "Original",
                );
                return;
            }
            Some(other) if self.lab.shows_difference => {
                let (difference, largest) = difference(&picture.painted, other);
                self.lab.largest_difference = largest;
                self.stage.set_live_alone(ctx, difference, size, "Difference");
            }
            other => {
                let pair = match other {
                    Some(other) => [&picture.painted, other],
                    None => [&picture.original, &picture.painted],
                };
                self.stage.set_live(ctx, pair.map(opaque_image_of), size);
            }
        }
        match &facts.pair {
            Some(_) if self.lab.shows_difference => {}
            Some(pair) => {
                let [a, b] = pair.modes.map(|m| capital(&m.to_string()));
                self.stage.set_names(&a, &b);
            }
            None => self.stage.set_names("Original", "Painted"),
        }
    }

    /// Pictures shown per second, and the median delay from the source to the screen in milliseconds.
    pub fn pace(&self) -> Option<(f32, f32)> {
        let now = Instant::now();
        Some((self.lab.panel.fps(now).shown_fps, self.lab.panel.delay_ms(now)?.p50))
    }

    fn shows_message(&self) -> bool {
        self.facts.is_none()
            || matches!(self.snapshot.source, SourceState::Waiting(_) | SourceState::Ended(_))
    }
}
