//! Performs intents of live mode, handles the engine's live events, and sends the engine its settings: for the picture
//! on the stage, and for the previews of the styles.

use std::{sync::Arc, time::Instant};

use super::{
    LiveView, NO_CAMERA,
    report::{ReportView, chart_colors},
};
use crate::{
    app::App,
    choice::NetworkOf,
    events::name_window,
    intent::Intent,
    pages::film::{self, FilmView},
    shell::{overlays::Overlay, tasks::OrText},
    styles::{mix::Mix, source::Card},
    widgets::stage::Compare,
    workspace::Page,
};
use backend::BackendError;
use engine::{
    Stylization,
    capture::{CaptureEvent, CaptureSettings, Source},
    live::{
        LiveEvent, LiveSettings, LiveSize, LiveSource, MeasureJob, ModePair, Snapshot,
        rate_control::STEPS_PX,
    },
};
use measure::{MeasureError, MeasureReport, chart};
use media::record::Recorder;
use settings::LiveChoices;
use values::{
    disk::words,
    mode::{DeviceChoice, ModelSize},
};

/// Minimum long side at which the strokes of a picture style are recognizable, in pixels.
const READABLE_PX: usize = 384;
/// Long side at which such a style shows the scene, in pixels.
pub const SCENE_PX: usize = 512;
/// The built-in style that looks best at 256 pixels: its strokes are soft instead of stair-stepped.
const FIRST_WHEN_SMALL: &str = "starry_night";
/// Maximum number of styles with live previews.
const MAX_PREVIEWS: usize = 24;
/// The fixed protocol: measured frames of each mode, and warm-up frames before that.
const MEASURED_FRAMES: u32 = 200;
const WARM_UP_FRAMES: u32 = 10;

impl App {
    /// Takes the newest picture and snapshot, and sends changed settings to the engine.
    pub(crate) fn live_logic(&mut self) {
        let Some(live) = &mut self.live else {
            return;
        };
        if let (Some(snapshot), true) = (self.engine.snapshot(), live.pictures.is_some()) {
            live.snapshot.clone_from(snapshot);
        }
        if let Some((instead, why)) = live.trial.give_up(&live.source, &live.snapshot.source) {
            self.messages.notice(why);
            live.source = instead;
            self.start_source();
            return;
        }
        if live.take_picture(&self.ctx) && live.trial.deliver() {
            let source = live.source.clone();
            if self.settings.live.source != source {
                self.settings.live.source = source;
                self.settings_changed();
            }
        }
        let Some(live) = &mut self.live else {
            return;
        };
        live.previews.take_pictures(&self.ctx);
        let is_flipped = self.settings.live.shows_flipped(&live.source);
        live.stage.is_flipped = is_flipped;
        live.previews.is_flipped = is_flipped;
        let has_ended = live.recorder().is_some_and(Recorder::has_ended);
        self.report_no_sound();
        if has_ended {
            self.end_recording();
        } else if let Some(length) =
            self.live.as_ref().and_then(|live| live.recorded_length(Instant::now()))
        {
            // The clock advances even while no pictures arrive.
            let left = 1.0 - f64::from(length.subsec_micros()) / 1e6;
            self.ctx.request_repaint_after_secs(left as f32 + 0.01);
        }
        self.sync_live();
        self.sync_previews();
    }

    /// True if a picture style is painted so small that it hides the scene, as a CPU does at the automatic size.
    pub(crate) fn hides_scene(&self, live: &LiveView) -> bool {
        let style = self.workspace.choice.style().and_then(|id| self.gallery.card(id));
        style.is_some_and(Card::is_picture)
            && self.device.is(DeviceChoice::Cpu)
            && live.painted_at().is_some_and(|(width, height)| width.max(height) < READABLE_PX)
    }

    /// Handles a live event of the engine.
    pub(crate) fn handle_live_event(&mut self, event: LiveEvent) {
        match event {
            LiveEvent::Refused(error) => {
                self.messages.error(format!("Live painting is not possible: {error}"));
                self.step_film(film::Step::Pause);
                if let Some(live) = self.live.as_mut().filter(|live| live.compares()) {
                    live.toggle_comparison();
                }
            }
            LiveEvent::Notice(notice) | LiveEvent::Source(CaptureEvent::Note(notice)) => {
                self.messages.notice(notice);
            }
            LiveEvent::Sample(sample) => {
                if let Some(live) = &mut self.live {
                    live.panel.steps.note(sample);
                }
            }
            LiveEvent::Ceiling(ceiling) => {
                if let Some(live) = &mut self.live {
                    live.panel.steps.set_ceiling(ceiling);
                }
            }
            LiveEvent::Source(CaptureEvent::Skipped(problem)) => {
                self.messages.notice(problem.to_string());
            }
            // The snapshot contains all other changes of the source.
            LiveEvent::Source(_) | LiveEvent::Preparing(_) | LiveEvent::Ended => {}
        }
    }

    /// Handles the end of a measurement.
    pub(crate) fn handle_measured(&mut self, result: Result<Arc<MeasureReport>, MeasureError>) {
        match (result, &self.live) {
            (Ok(report), Some(_)) => {
                let colors = chart_colors(self.ctx.theme());
                let drawn = report.clone();
                let draw = move || {
                    Ok((chart::draw(&drawn, &colors).or_text()?, chart::png(&drawn).or_text()?))
                };
                self.tasks.spawn(draw, move |app, chart| {
                    app.overlays.show(Overlay::Report(ReportView::new(
                        &app.ctx,
                        report,
                        chart.as_ref().ok(),
                    )));
                    app.report_failure(chart);
                });
            }
            (Ok(_), None) | (Err(MeasureError::Backend(BackendError::Cancelled)), _) => {}
            (Err(error), _) => self.messages.error(format!("The benchmark failed: {error}")),
        }
    }

    /// Changes the stored choices of live mode, except its source; returns those before.
    pub(crate) fn set_live(&mut self, mut choices: Box<LiveChoices>) -> Box<LiveChoices> {
        choices.source.clone_from(&self.settings.live.source);
        std::mem::swap(&mut self.settings.live, &mut choices);
        let before = &*choices;
        let now = &self.settings.live;
        let source = self.live.as_ref().map_or(&now.source, |live| &live.source);
        let recaptured = capture_settings(before, source) != capture_settings(now, source);
        let live = self.live.as_mut().filter(|_| !now.repaint_kept);
        let shown = live.and_then(|live| live.forget_finer(&self.ctx));
        self.record_what_is_seen(shown);
        self.settings_changed();
        if recaptured {
            self.start_source();
        }
        choices
    }

    pub(crate) fn leave_as_seen(&mut self, stays: bool) {
        let live = self.live.as_mut().filter(|live| live.frozen);
        let shown = live.and_then(|live| live.leave_as_seen(&self.ctx, stays));
        self.record_what_is_seen(shown);
    }

    /// Starts measuring the two modes by the fixed protocol, or stops.
    pub(crate) fn toggle_measuring(&mut self) {
        if self.engine.measuring_progress().is_some() {
            self.stop_measuring();
            return;
        }
        let style = self.chosen_name().unwrap_or_else(|| "none".to_owned());
        self.engine.measure(MeasureJob {
            modes: ModePair { candidates: self.settings.live.candidates },
            style: format!("{style} {}", self.live_model()),
            frames: MEASURED_FRAMES,
            warmup: WARM_UP_FRAMES,
        });
    }

    /// Changes the detail of live pictures; a step from the automatic size sets a fixed size.
    pub(crate) fn step_live_detail(&mut self, by: isize) {
        let present = match self.settings.live.size {
            LiveSize::Auto { .. } => self
                .live
                .as_ref()
                .and_then(LiveView::painted_at)
                .map(|(width, height)| width.max(height)),
            LiveSize::LongSide(px) => Some(px),
        };
        let mut steps = STEPS_PX.into_iter();
        let next = present.map(|now| {
            if by > 0 { steps.find(|&px| px > now) } else { steps.rfind(|&px| px < now) }
        });
        match next {
            Some(Some(px)) => self.perform(Intent::LiveDetail(px)),
            Some(None) if by > 0 => {
                self.messages.notice("This is the highest detail for live video.");
            }
            Some(None) => self.messages.notice("This is the lowest detail for live video."),
            None => self
                .messages
                .notice("Nothing is painted yet. You can change the detail after the first frame."),
        }
    }

    /// Stops a measurement, and reports its progress.
    pub(crate) fn stop_measuring(&mut self) {
        let Some(share) = self.engine.cancel_measuring() else {
            return;
        };
        let rounds = (share * (WARM_UP_FRAMES + MEASURED_FRAMES) as f32).round() as u32;
        let measured = rounds.saturating_sub(WARM_UP_FRAMES);
        self.messages.notice(format!(
            "Benchmark stopped after {measured} of {MEASURED_FRAMES} frames of each. There is no report."
        ));
    }

    /// Performs an intent that only changes how live pictures are shown.
    pub(crate) fn change_view(&mut self, intent: &Intent) {
        let Some(live) = &mut self.live else {
            return;
        };
        match intent {
            Intent::ToggleFreeze => {
                live.frozen = !live.frozen;
                live.stays_as_seen = false;
                live.panel.set_frozen(live.frozen, Instant::now());
            }
            Intent::ToggleCompare => live.toggle_comparison(),
            Intent::ToggleDifference if !live.compares() => {
                self.messages.notice("Start a comparison (B) to show the difference.");
            }
            Intent::ToggleDifference => live.shows_difference = !live.shows_difference,
            Intent::TogglePreviews => live.shows_previews = !live.shows_previews,
            Intent::ToggleLab => live.panel_open = !live.panel_open,
            _ => {}
        }
    }

    /// Switches to live mode with the stored source.
    pub(crate) fn enter_live(&mut self) {
        self.enter_live_with(self.settings.live.source.clone(), false);
    }

    /// Switches to live mode with a source; `is_chosen` if the user has just chosen it.
    fn enter_live_with(&mut self, source: Source, is_chosen: bool) {
        if self.live.is_some() {
            return;
        }
        self.step_film(film::Step::Pause);
        // The photo keeps its choice and its paintings; it is not painted in the meantime.
        self.drop_request();
        self.end_change();
        self.workspace.turn(Page::Live);
        if self.workspace.photo().is_some() {
            // At startup the page does not change, and existing messages are still current.
            self.messages.turn_page();
        }
        self.forget_absent();
        let mut live = LiveView::new(source);
        if is_chosen {
            live.trial.begin(&Source::Demo);
        }
        live.stage.compare = Compare::Painting;
        live.stage.framing = self.stage.framing;
        self.paintings.close_view();
        self.live = Some(live);
        name_window(&self.ctx, None);
        self.settings.state.shows_photos = false;
        self.settings_changed();
        self.choose_first_style();
        self.start_source();
        self.list_cameras(false);
        self.try_video();
    }

    pub(crate) fn leave_live(&mut self) {
        if self.live.is_none() {
            return;
        }
        self.end_recording();
        self.messages.turn_page();
        self.stop_measuring();
        self.engine.stop_live();
        self.live = None;
        self.end_change();
        if self.workspace.turn(Page::Photo) {
            self.report_inherited_look();
        }
        self.forget_absent();
        let photo = self.workspace.photo().map(|photo| photo.opened.title());
        name_window(&self.ctx, photo.as_deref());
        self.settings.state.shows_photos = true;
        self.settings.state.has_seen_hint = true;
        self.settings_changed();
        self.follow_choice();
    }

    /// Chooses the first style if none is chosen, so that live mode paints from the start. At the very first start on a
    /// CPU, chooses a style that looks good at the small size used there. Only this special choice is stored.
    pub(crate) fn choose_first_style(&mut self) {
        if self.live.is_none() || self.workspace.choice.style().is_some() {
            return;
        }
        let is_first_start = !self.settings.state.has_seen_hint;
        if is_first_start && self.device.info.is_none() && self.device.notice.is_none() {
            // The device will be known soon.
            return;
        }
        let kind = self
            .gallery
            .card(FIRST_WHEN_SMALL)
            .filter(|_| is_first_start && self.device.is(DeviceChoice::Cpu));
        let first = kind.or(self.gallery.cards.first()).map(|card| card.id.clone());
        let is_chosen_for_good = kind.is_some();
        self.gallery.unasked.clone_from(&first);
        self.workspace.choice.mix = Mix::of(first);
        if is_chosen_for_good {
            self.remember_choice();
        }
    }

    /// Requests the system's list of cameras; `uses_first` then shows the first one.
    pub(crate) fn list_cameras(&self, uses_first: bool) {
        let platform = self.platform.clone();
        self.tasks.spawn(
            move || Ok((platform.cameras(), platform.virtual_cameras())),
            move |app, listed| {
                let (cameras, virtual_cameras) =
                    listed.unwrap_or_else(|error| (Err(error), Vec::new()));
                app.camera_out.cameras = virtual_cameras;
                if uses_first && cameras.as_ref().is_ok_and(Vec::is_empty) {
                    app.messages.notice(NO_CAMERA);
                } else if uses_first {
                    app.intents.push(Intent::UseCamera);
                }
                app.cameras = Some(cameras);
            },
        );
    }

    pub(crate) fn use_source(&mut self, source: Source) {
        match &mut self.live {
            Some(live) => {
                live.trial.begin(&live.source);
                live.source = source;
                // Pictures of the previous source do not belong to this one.
                live.facts = None;
                live.finer = None;
                live.stage.clear();
                self.start_source();
            }
            None => self.enter_live_with(source, true),
        }
    }

    /// Starts the source and replaces the previous one.
    fn start_source(&mut self) {
        self.stop_measuring();
        let Some(live) = &mut self.live else {
            return;
        };
        live.snapshot = Snapshot::default();
        live.frozen = false;
        live.stays_as_seen = false;
        let capture = capture_settings(&self.settings.live, &live.source);
        let source = LiveSource::Capture(live.source.clone(), capture);
        let settings = self.live_settings();
        let started = self.engine.start_live(source, settings.clone());
        let Some(live) = &mut self.live else {
            return;
        };
        live.pictures = match started {
            Ok(pictures) => {
                live.sent = Some(settings);
                live.sent_number = 0;
                live.previews.stop();
                live.panel.restart();
                Some(pictures)
            }
            Err(error) => {
                self.messages.error(format!("The source could not be started: {}", words(&error)));
                None
            }
        };
    }

    /// The model size for live mode: the chosen one, if the style has it. The automatic choice is the lite model on a
    /// CPU and the full model on a GPU, as on the command line.
    pub(crate) fn live_model(&self) -> ModelSize {
        let is_cpu = self.device.info.as_ref().is_none_or(|d| d.kind == DeviceChoice::Cpu);
        let automatic = if is_cpu { ModelSize::Lite } else { ModelSize::Full };
        self.model_of_style(self.settings.live.model.unwrap_or(automatic))
    }

    /// The engine's settings for live video, and for a film while it plays, that follow from the window's state.
    pub(crate) fn live_settings(&mut self) -> LiveSettings {
        let wanted = self.workspace.choice.network(self.live_model());
        let found = wanted.as_ref().and_then(|of| self.live_network(of));
        let live = self.live.as_ref();
        // The previous style stays until the network of the new one is loaded.
        let film = self.film.as_ref().and_then(FilmView::settings);
        let before = || live.and_then(|l| l.sent.as_ref()).or(film)?.stylization.network.clone();
        let network = wanted.and_then(|_| found.map(Into::into).or_else(before));
        let choices = &self.settings.live;
        LiveSettings {
            stylization: Stylization {
                network,
                size: choices.size,
                mode: choices.mode,
                look: self.workspace.choice.look,
                steadiness: match live {
                    Some(_) => choices.steadiness,
                    None => self.workspace.choice.steadiness,
                },
            },
            upscale: choices.upscale,
            compare: live
                .filter(|l| l.compares())
                .map(|_| ModePair { candidates: choices.candidates }),
            frozen: live.is_some_and(|l| l.frozen),
            // Two modes are compared without timing their steps.
            sample: live.is_some_and(|l| l.panel_open && !l.compares()),
        }
    }

    fn sync_live(&mut self) {
        let settings = self.live_settings();
        let Some(live) = &mut self.live else {
            return;
        };
        if live.pictures.is_some() && live.sent.as_ref() != Some(&settings) {
            live.sent_number = self.engine.set_live(settings.clone());
            live.sent = Some(settings);
        }
    }

    /// Sends the engine the styles of the preview grid, while the grid or the gallery is shown.
    fn sync_previews(&mut self) {
        let Some(live) = &self.live else {
            return;
        };
        let are_seen = live.pictures.is_some()
            && (live.shows_previews
                || (self.settings.live.moving_gallery && !self.full_screen.is_on));
        let mut styles = Vec::new();
        if are_seen {
            let large = self.live_model();
            let models = |card: &Card| {
                let of = |model| NetworkOf::Style(card.id.clone(), card.model(model));
                (card.id.clone(), of(ModelSize::Lite), of(large))
            };
            for (id, small, large) in
                self.gallery.cards.iter().take(MAX_PREVIEWS).map(models).collect::<Vec<_>>()
            {
                styles.extend(self.network(&small).map(|network| (id, network)));
                // Load the large network too, so that it is ready when the user clicks.
                self.network(&large).ok();
            }
        }
        if let Some(live) = &mut self.live
            && let Some(previews) = live.previews.set_styles(styles)
        {
            self.engine.set_previews(previews);
        }
    }
}

/// How the frames of a source are captured.
fn capture_settings(choices: &LiveChoices, source: &Source) -> CaptureSettings {
    CaptureSettings {
        size: choices.camera_size,
        fps: choices.camera_fps,
        format: choices.camera_format,
        mirror: choices.captures_mirrored(source),
        rotate: choices.rotate,
        ..CaptureSettings::default()
    }
}
