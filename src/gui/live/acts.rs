//! Doing what a person asks for about live pictures, and keeping the engine's order up to date.

use std::{path::PathBuf, sync::Arc, time::Instant};

use eframe::egui::{self, ViewportCommand};

use super::{LiveIntent, LiveView, Recording, SourceState};
use crate::{
    backend::BackendError,
    capture::{CameraId, Capture, CaptureEvent, CaptureSettings, Source},
    engine::live::{Duel, LiveEvent, LiveOrder, LiveSize, MeasureJob, auto_size::wanted_px},
    gui::{app::App, choice::Choice, desk::Purpose, outside::Dialog, stage::Compare},
    measure::{MeasureError, MeasureReport},
    media::record::Recorder,
    mode::{DeviceChoice, ModelSize},
    network::Network,
};

/// Measured frames of each mode, and those before that do not count: the fixed protocol.
const MEASURED_FRAMES: u32 = 200;
const WARM_UP_FRAMES: u32 = 10;
/// Long side that a source is asked for at first where a GPU paints, in pixels.
const FIRST_PX_ON_GPU: usize = 1280;
/// Most styles whose pictures move.
const MOST_MOVING: usize = 24;

impl App {
    /// Reads what came since the last frame, and tells the engine what changed.
    pub(in crate::gui) fn live_logic(&mut self, ctx: &egui::Context) {
        let Some(live) = &mut self.live else {
            return;
        };
        while let Some(event) = live.capture.as_ref().and_then(Capture::poll) {
            match event {
                CaptureEvent::Started { described, format } => {
                    live.state = SourceState::Running { described, format };
                }
                CaptureEvent::Waiting(problem) => live.state = SourceState::Waiting(problem),
                CaptureEvent::Skipped(problem) => self.messages.notice(problem.to_string()),
                CaptureEvent::Ended(problem) => live.state = SourceState::Ended(problem),
            }
        }
        if live.take_picture(ctx)
            && let (Some(capture), Some(facts)) = (&live.capture, &live.facts)
        {
            let source = live.source_size();
            capture.set_working_px(wanted_px(self.settings.live.size, facts.working, source));
        }
        live.wall.take_pictures(ctx);
        let ended = |r: &Recording| r.recorder.has_ended();
        if live.recording.as_ref().is_some_and(ended) {
            self.end_recording();
        }
        self.order_live();
        self.order_wall();
    }

    /// Hears the engine about live painting.
    pub(in crate::gui) fn hear_live(&mut self, event: LiveEvent) {
        match event {
            LiveEvent::Refused(error) => {
                let told = format!("This cannot be painted live: {error}");
                self.messages.error(told);
                if let Some(live) = &mut self.live {
                    live.comparing = false;
                }
            }
            LiveEvent::Notice(notice) => self.messages.notice(notice),
            LiveEvent::Sample(sample) => {
                if let Some(live) = &mut self.live {
                    live.panel.note_sample(sample);
                }
            }
            LiveEvent::Ceiling(ceiling) => {
                if let Some(live) = &mut self.live {
                    live.panel.set_ceiling(ceiling);
                }
            }
            LiveEvent::Ended => {}
        }
    }

    /// A measurement has ended.
    pub(in crate::gui) fn hear_measured(
        &mut self,
        result: Result<Arc<MeasureReport>, MeasureError>,
    ) {
        match (result, &mut self.live) {
            (Ok(report), Some(live)) => live.show_report(report),
            (Ok(_), None) | (Err(MeasureError::Backend(BackendError::Cancelled)), _) => {}
            (Err(error), _) => self
                .messages
                .error(format!("Nothing was measured: {error}")),
        }
    }

    /// Does what was asked for.
    pub(in crate::gui) fn perform_live(&mut self, ctx: &egui::Context, intent: LiveIntent) {
        match intent {
            LiveIntent::Enter => self.enter_live(ctx),
            LiveIntent::Leave => self.leave_live(ctx),
            LiveIntent::Use(source) => self.use_source(ctx, source),
            LiveIntent::UseCamera => {
                self.use_source(ctx, Source::Camera(CameraId::first()));
            }
            LiveIntent::ReleaseCamera => {
                if self.live.as_ref().is_some_and(LiveView::uses_camera) {
                    self.use_source(ctx, Source::Demo);
                    self.messages.notice("The camera is off.");
                }
            }
            LiveIntent::ListCameras => self.desk.list_cameras(),
            LiveIntent::Set(choices) => {
                let before = std::mem::replace(&mut self.settings.live, *choices);
                let now = &self.settings.live;
                let recaptured = before.mirror != now.mirror
                    || before.rotate != now.rotate
                    || before.camera_size != now.camera_size
                    || before.camera_fps != now.camera_fps
                    || before.camera_format != now.camera_format;
                self.settings_changed(ctx);
                if recaptured {
                    self.start_source(ctx);
                }
            }
            LiveIntent::HideHint => {
                self.settings.state.has_seen_hint = true;
                self.settings_changed(ctx);
            }
            LiveIntent::ToggleFullScreen => {
                let is_full = ctx.input(|i| i.viewport().fullscreen == Some(true));
                self.full_screen = !(is_full || self.full_screen);
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(self.full_screen));
            }
            LiveIntent::Export { file_name, bytes } => {
                if self.ask(Purpose::Export, Dialog::Export { file_name }) {
                    self.export = Some(bytes);
                }
            }
            LiveIntent::ExportFailed(why) => self.messages.error(why),
            LiveIntent::ToggleMeasuring => self.toggle_measuring(),
            LiveIntent::ToggleCompare => {
                // Nobody would see how far it is, or stop it.
                self.engine.cancel_measuring();
                self.change_view(LiveIntent::ToggleCompare);
            }
            LiveIntent::Snapshot => self.snapshot(),
            LiveIntent::ToggleRecording => self.toggle_recording(),
            other => self.change_view(other),
        }
    }

    /// Measures the two modes by the fixed protocol, or stops.
    fn toggle_measuring(&mut self) {
        if self.engine.measuring_progress().is_some() {
            self.engine.cancel_measuring();
            return;
        }
        let style = self.workspace.choice.style.as_deref().unwrap_or("none");
        self.engine.measure(MeasureJob {
            duel: Duel {
                sides: self.settings.live.sides,
            },
            style: format!("{style} {}", self.live_model()),
            frames: MEASURED_FRAMES,
            warmup: WARM_UP_FRAMES,
        });
    }

    /// What only changes how live pictures are shown.
    fn change_view(&mut self, intent: LiveIntent) {
        let Some(live) = &mut self.live else {
            return;
        };
        match intent {
            LiveIntent::ToggleFreeze => live.frozen = !live.frozen,
            LiveIntent::ToggleCompare => {
                live.comparing = !live.comparing;
                live.shows_difference = false;
                live.shows_wall = false;
                if live.comparing {
                    live.compare_before = live.stage.compare;
                    live.stage.compare = Compare::Both;
                } else {
                    live.stage.compare = live.compare_before;
                }
                live.duel_ms = Default::default();
            }
            LiveIntent::ToggleDifference => {
                live.shows_difference = live.comparing && !live.shows_difference;
            }
            LiveIntent::CloseReport => live.report = None,
            LiveIntent::ToggleWall => live.shows_wall = !live.shows_wall,
            LiveIntent::TogglePanel => live.panel_open = !live.panel_open,
            LiveIntent::View(compare) => {
                live.stage.compare = compare;
                live.shows_wall = false;
            }
            _ => {}
        }
    }

    /// Shows live pictures of the source that is remembered.
    pub(in crate::gui) fn enter_live(&mut self, ctx: &egui::Context) {
        if self.live.is_some() {
            return;
        }
        // The photo keeps its paintings; nothing is painted for it meanwhile.
        self.engine.cancel();
        self.wanted = None;
        let mut live = LiveView::new(self.settings.live.source.clone());
        live.stage.compare = Compare::Painting;
        self.live = Some(live);
        self.settings.state.shows_photos = false;
        self.settings_changed(ctx);
        self.choose_first_style();
        self.start_source(ctx);
        self.desk.list_cameras();
    }

    fn leave_live(&mut self, ctx: &egui::Context) {
        if self.live.is_none() {
            return;
        }
        self.end_recording();
        self.engine.cancel_measuring();
        self.engine.stop_live();
        self.live = None;
        self.settings.state.shows_photos = true;
        self.settings_changed(ctx);
        self.pursue();
    }

    /// A live picture is painted from the start, in the first style where none was chosen.
    pub(in crate::gui) fn choose_first_style(&mut self) {
        if self.live.is_some() && self.workspace.choice.style.is_none() {
            let first = self.gallery.cards().first();
            self.workspace.choice = Choice {
                style: first.map(|card| card.id.clone()),
                ..self.workspace.choice.clone()
            };
        }
    }

    fn use_source(&mut self, ctx: &egui::Context, source: Source) {
        self.settings.live.source = source.clone();
        self.settings_changed(ctx);
        match &mut self.live {
            Some(live) => live.source = source,
            None => {
                self.enter_live(ctx);
                return;
            }
        }
        self.start_source(ctx);
    }

    /// Starts the source in place of the one before.
    fn start_source(&mut self, ctx: &egui::Context) {
        let Some(live) = &mut self.live else {
            return;
        };
        self.engine.cancel_measuring();
        // Lets go of the device first: it may be the same one.
        live.capture = None;
        live.state = SourceState::Starting;
        live.frozen = false;
        let choices = &self.settings.live;
        let settings = CaptureSettings {
            size: choices.camera_size,
            fps: choices.camera_fps,
            format: choices.camera_format,
            mirror: choices.mirror,
            rotate: choices.rotate,
            working_px: match (choices.size, self.device.as_ref().map(|d| d.kind)) {
                (LiveSize::LongSide(px), _) => px,
                (LiveSize::Auto { .. }, Some(DeviceChoice::Cuda)) => FIRST_PX_ON_GPU,
                (LiveSize::Auto { .. }, _) => CaptureSettings::default().working_px,
            },
            ..CaptureSettings::default()
        };
        let repaint = ctx.clone();
        let wake_up = Arc::new(move || repaint.request_repaint());
        match Capture::start(live.source.clone(), settings, wake_up) {
            Ok((capture, frames)) => {
                live.capture = Some(capture);
                let order = self.order();
                let pictures = self.engine.start_live(frames, order.clone());
                if let Some(live) = &mut self.live {
                    live.pictures = Some(pictures);
                    live.ordered = Some(order);
                    live.wall.stop();
                    live.panel.restart();
                }
            }
            Err(error) => {
                self.engine.stop_live();
                live.pictures = None;
                self.messages
                    .error(format!("The source could not be started: {error}"));
            }
        }
    }

    /// The size of a style's network for live pictures: with the automatic size, a processor takes the
    /// lite one.
    pub(in crate::gui) fn live_model(&self) -> ModelSize {
        let is_cpu = self
            .device
            .as_ref()
            .is_none_or(|d| d.kind == DeviceChoice::Cpu);
        let style = self.workspace.choice.style.as_deref();
        let card = style.and_then(|id| self.gallery.card(id));
        let has_lite = card.is_none_or(|card| card.models.contains(&ModelSize::Lite));
        match self.settings.live.size {
            LiveSize::Auto { .. } if is_cpu && has_lite => ModelSize::Lite,
            _ => self.model(),
        }
    }

    /// The network of a style, once it is here.
    fn network(&mut self, style: &str, model: ModelSize) -> Option<Arc<Network>> {
        let key = (style.to_owned(), model);
        if let Some(loaded) = self.networks.get(&key) {
            return Some(loaded.network.clone());
        }
        if !self.unloadable.contains(&key) {
            self.load(key);
        }
        None
    }

    /// What live pictures are to be painted like now.
    fn order(&mut self) -> LiveOrder {
        let model = self.live_model();
        let style = self.workspace.choice.style.clone();
        let found = style.as_deref().and_then(|id| self.network(id, model));
        let live = self.live.as_ref();
        // The style before goes on until the network of the new one is here.
        let before = || live.and_then(|l| l.ordered.as_ref()?.network.clone());
        let network = match style {
            Some(_) => found.or_else(before),
            None => None,
        };
        let choices = &self.settings.live;
        LiveOrder {
            network,
            size: choices.size,
            mode: choices.mode,
            look: self.workspace.choice.look,
            duel: live.filter(|l| l.comparing).map(|_| Duel {
                sides: choices.sides,
            }),
            frozen: live.is_some_and(|l| l.frozen),
            sample: live.is_some_and(|l| l.panel_open),
        }
    }

    fn order_live(&mut self) {
        let order = self.order();
        let Some(live) = &mut self.live else {
            return;
        };
        if live.pictures.is_some() && live.ordered.as_ref() != Some(&order) {
            self.engine.order_live(order.clone());
            live.ordered = Some(order);
        }
    }

    /// Has the styles' pictures move while they are seen.
    fn order_wall(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        let wanted = live.pictures.is_some()
            && (live.shows_wall || (self.settings.live.moving_gallery && !self.full_screen));
        let mut styles = Vec::new();
        if wanted {
            let cards: Vec<(String, ModelSize)> = self
                .gallery
                .cards()
                .iter()
                .take(MOST_MOVING)
                .map(|card| {
                    let lite = card.models.contains(&ModelSize::Lite);
                    let model = if lite {
                        ModelSize::Lite
                    } else {
                        ModelSize::Full
                    };
                    (card.id.clone(), model)
                })
                .collect();
            let large = self.live_model();
            for (id, model) in cards {
                if let Some(network) = self.network(&id, model) {
                    styles.push((id.clone(), network));
                }
                // So that a click finds the large picture's network here already.
                let has_large = self
                    .gallery
                    .card(&id)
                    .is_some_and(|c| c.models.contains(&large));
                if has_large {
                    self.network(&id, large);
                }
            }
        }
        if let Some(live) = &mut self.live
            && let Some(panes) = live.wall.set_styles(styles)
        {
            self.engine.set_wall(panes);
        }
    }

    /// Saves what is on the stage, with how it was painted.
    fn snapshot(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        let Some((_, painted)) = live.picture() else {
            self.messages.notice("There is no live picture yet.");
            return;
        };
        let choice = &self.workspace.choice;
        let mut texts = vec![(
            "Software",
            format!("StyleForge {}", env!("CARGO_PKG_VERSION")),
        )];
        if let Some(style) = &choice.style {
            texts.push(("Style", format!("{style} {}", self.live_model())));
        }
        if let Some(facts) = live.facts() {
            if let Some(mode) = facts.mode {
                texts.push(("Mode", mode.to_string()));
            }
            let (w, h) = facts.working;
            texts.push(("Working size", format!("{w} x {h} px")));
        }
        texts.push(("Strength", format!("{} %", choice.look.strength_percent)));
        let colors = if choice.look.keep_colors {
            "the source's"
        } else {
            "the style's"
        };
        texts.push(("Colours", colors.to_owned()));
        texts.push(("Source", live.source.to_string()));
        let style = choice
            .style
            .clone()
            .unwrap_or_else(|| "original".to_owned());
        self.desk
            .save_snapshot(self.picture_folder(), style, painted.clone(), texts);
    }

    fn toggle_recording(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        if live.recording.is_some() {
            self.end_recording();
        } else if live.picture().is_none() {
            self.messages
                .notice("There is no live picture to record yet.");
        } else {
            self.desk.start_recording(self.picture_folder());
        }
    }

    /// A recording may begin.
    pub(in crate::gui) fn hear_recording(&mut self, result: Result<Box<Recorder>, String>) {
        match (result, &mut self.live) {
            (Ok(recorder), Some(live)) if live.recording.is_none() => {
                live.recording = Some(Recording {
                    recorder: *recorder,
                    since: Instant::now(),
                });
            }
            // Live pictures ended meanwhile; an empty recording says nothing.
            (Ok(_), _) => {}
            (Err(error), _) => self.messages.error(error),
        }
    }

    fn end_recording(&mut self) {
        let recording = self.live.as_mut().and_then(|live| live.recording.take());
        if let Some(recording) = recording {
            self.desk.finish_recording(recording.recorder);
        }
    }

    /// Where snapshots and recordings go: where paintings were saved last, else to the pictures.
    fn picture_folder(&self) -> PathBuf {
        let chosen = self.settings.state.save_folder.clone();
        let pictures = || {
            let named = std::env::var_os("XDG_PICTURES_DIR").map(PathBuf::from);
            let home = std::env::home_dir();
            let usual = home.as_ref().map(|home| home.join("Pictures"));
            named
                .filter(|folder| folder.is_absolute())
                .or(usual.filter(|folder| folder.is_dir()))
                .or(home)
        };
        chosen
            .or_else(pictures)
            .unwrap_or_else(|| PathBuf::from("."))
    }
}
