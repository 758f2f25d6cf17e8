//! Doing what a person asks for about live pictures.

use std::{sync::Arc, time::Instant};

use eframe::egui::{self, ViewportCommand};

use super::{LiveIntent, LiveView, Recording, SourceState};
use crate::{
    backend::BackendError,
    capture::{CameraId, Capture, CaptureEvent, CaptureSettings, Source},
    disk::words,
    engine::live::{Duel, LiveEvent, LiveSize, MeasureJob, rate_control::first_source_px},
    gui::{
        app::App, background::Purpose, choice::Choice, events::name_window, platform::Dialog,
        stage::Compare,
    },
    measure::{MeasureError, MeasureReport},
    mode::DeviceChoice,
};

/// Measured frames of each mode, and those before that do not count: the fixed protocol.
const MEASURED_FRAMES: u32 = 200;
const WARM_UP_FRAMES: u32 = 10;
/// How long it is told how to leave the full screen, in seconds.
const LEAVING_TOLD_SECONDS: f64 = 4.0;

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
            capture.set_working_px(facts.source_px);
        }
        live.note_rate(match self.settings.live.size {
            LiveSize::Auto { target_fps } => Some(target_fps),
            LiveSize::LongSide(_) => None,
        });
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
            (Ok(report), Some(live)) => {
                self.background.draw_chart(report.clone());
                live.show_report(report);
            }
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
            LiveIntent::ListCameras => self.background.list_cameras(),
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
                self.full_screen_told_until = ctx.input(|i| i.time) + LEAVING_TOLD_SECONDS;
                ctx.send_viewport_cmd(ViewportCommand::Fullscreen(self.full_screen));
            }
            LiveIntent::Export { file_name, bytes } => {
                let dialog = Dialog::Export {
                    file_name: file_name.clone(),
                };
                if self.ask(Purpose::Export, dialog) {
                    self.export = Some((file_name, bytes));
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
            LiveIntent::ToggleFreeze => {
                live.frozen = !live.frozen;
                live.panel.set_held(live.frozen, Instant::now());
                if let Some(capture) = &live.capture {
                    capture.set_held(live.frozen);
                }
            }
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
        name_window(ctx, None);
        self.settings.state.shows_photos = false;
        self.settings_changed(ctx);
        self.choose_first_style();
        self.start_source(ctx);
        self.background.list_cameras();
    }

    fn leave_live(&mut self, ctx: &egui::Context) {
        if self.live.is_none() {
            return;
        }
        self.end_recording();
        self.engine.cancel_measuring();
        self.engine.stop_live();
        self.live = None;
        let photo = self.workspace.photo().map(|photo| photo.opened.title());
        name_window(ctx, photo.as_deref());
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
            working_px: first_source_px(
                choices.size,
                (self.device.as_ref()).map_or(DeviceChoice::Auto, |d| d.kind),
            ),
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
                self.messages.error(format!(
                    "The source could not be started: {}",
                    words(&error)
                ));
            }
        }
    }
}
