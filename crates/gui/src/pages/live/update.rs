//! Performs intents of live mode, handles the engine's live events, and sends the engine its settings: for the picture
//! on the stage, and for the previews of the styles.

use std::{sync::Arc, time::Instant};

use super::{
    LivePage, LiveView, NO_CAMERA, Sent,
    command::LiveCommand,
    files::try_video,
    report::{ReportView, chart_colors},
};
use crate::{
    app::Shell,
    choice::NetworkOf,
    intent::Intent,
    pages::photo::incoming::flow::report_inherited_look,
    shell::{common::name_window, overlays::Overlay, tasks::OrText},
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

impl LivePage {
    /// Takes the newest picture and snapshot, and sends changed settings to the engine.
    pub fn live_logic(&mut self, shell: &mut Shell) {
        let Some(live) = &mut self.view else {
            return;
        };
        if let (Some(snapshot), true) = (shell.engine.snapshot(), live.pictures.is_some()) {
            live.snapshot.clone_from(snapshot);
        }
        if let Some((instead, why)) = live.trial.give_up(&live.source, &live.snapshot.source) {
            shell.messages.notice(why);
            live.source = instead;
            return live.start(shell);
        }
        if live.take_picture(&shell.ctx) && live.trial.deliver() {
            let source = live.source.clone();
            if shell.settings.live.source != source {
                shell.settings.live.source = source;
                shell.settings_changed();
            }
        }
        live.previews.take_pictures(&shell.ctx);
        let is_flipped = shell.settings.live.shows_flipped(&live.source);
        live.stage.placing.is_flipped = is_flipped;
        live.previews.is_flipped = is_flipped;
        let has_ended = live.recorder().is_some_and(Recorder::has_ended);
        self.report_no_sound(shell);
        if has_ended {
            self.end_recording(shell);
        } else if let Some(length) =
            self.view.as_ref().and_then(|live| live.recorded_length(Instant::now()))
        {
            // The clock advances even while no pictures arrive.
            let left = 1.0 - f64::from(length.subsec_micros()) / 1e6;
            shell.ctx.request_repaint_after_secs(left as f32 + 0.01);
        }
        if let Some(live) = &mut self.view {
            live.sync(shell);
        }
    }

    /// Handles a live event of the engine.
    pub fn handle_live_event(&mut self, shell: &mut Shell, event: LiveEvent) {
        match event {
            LiveEvent::Refused(error) => {
                shell.messages.error(format!("Live painting is not possible: {error}"));
                if let Some(live) = self.view.as_mut().filter(|live| live.compares()) {
                    live.toggle_comparison();
                }
            }
            LiveEvent::Notice(notice) | LiveEvent::Source(CaptureEvent::Note(notice)) => {
                shell.messages.notice(notice);
            }
            LiveEvent::Sample(sample) => {
                if let Some(live) = &mut self.view {
                    live.lab.panel.steps.note(sample);
                }
            }
            LiveEvent::Ceiling(ceiling) => {
                if let Some(live) = &mut self.view {
                    live.lab.panel.steps.set_ceiling(ceiling);
                }
            }
            LiveEvent::Source(CaptureEvent::Skipped(problem)) => {
                shell.messages.notice(problem.to_string());
            }
            // The snapshot contains all other changes of the source.
            LiveEvent::Source(_) | LiveEvent::Preparing(_) | LiveEvent::Ended => {}
        }
    }

    /// Handles the end of a measurement.
    pub fn handle_measured(
        &mut self,
        shell: &mut Shell,
        result: Result<Arc<MeasureReport>, MeasureError>,
    ) {
        match (result, &self.view) {
            (Ok(report), Some(_)) => {
                let colors = chart_colors(shell.ctx.theme());
                let drawn = report.clone();
                let draw = move || {
                    Ok((chart::draw(&drawn, &colors).or_text()?, chart::png(&drawn).or_text()?))
                };
                shell.tasks.spawn(draw, move |app, chart| {
                    app.shell.overlays.show(Overlay::Report(ReportView::new(
                        &app.shell.ctx,
                        report,
                        chart.as_ref().ok(),
                    )));
                    app.report_failure(chart);
                });
            }
            (Ok(_), None) | (Err(MeasureError::Backend(BackendError::Cancelled)), _) => {}
            (Err(error), _) => shell.messages.error(format!("The benchmark failed: {error}")),
        }
    }

    /// Changes the stored choices of live mode, except its source; returns those before.
    pub fn set_live(
        &mut self,
        shell: &mut Shell,
        mut choices: Box<LiveChoices>,
    ) -> Box<LiveChoices> {
        choices.source.clone_from(&shell.settings.live.source);
        std::mem::swap(&mut shell.settings.live, &mut choices);
        let before = &*choices;
        let now = &shell.settings.live;
        let source = self.view.as_ref().map_or(&now.source, |live| &live.source);
        let recaptured = capture_settings(before, source) != capture_settings(now, source);
        let live = self.view.as_mut().filter(|_| !now.repaint_kept);
        let shown = live.and_then(|live| live.forget_finer(&shell.ctx));
        self.record_what_is_seen(shell, shown);
        shell.settings_changed();
        if let (true, Some(live)) = (recaptured, &mut self.view) {
            live.start(shell);
        }
        choices
    }

    pub fn leave_as_seen(&mut self, shell: &mut Shell, stays: bool) {
        let live = self.view.as_mut().filter(|live| live.frozen);
        let shown = live.and_then(|live| live.leave_as_seen(&shell.ctx, stays));
        self.record_what_is_seen(shell, shown);
    }

    /// Changes the detail of live pictures; a step from the automatic size sets a fixed size.
    pub fn step_live_detail(&mut self, shell: &mut Shell, by: isize) {
        let present = match shell.settings.live.size {
            LiveSize::Auto { .. } => self
                .view
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
            Some(Some(px)) => {
                self.edit_live(shell, |choices| choices.size = LiveSize::LongSide(px))
            }
            Some(None) if by > 0 => {
                shell.messages.notice("This is the highest detail for live video.");
            }
            Some(None) => shell.messages.notice("This is the lowest detail for live video."),
            None => shell
                .messages
                .notice("Nothing is painted yet. You can change the detail after the first frame."),
        }
    }
}

impl LivePage {
    /// Starts live mode with a source; `is_chosen` if the user has just chosen it.
    pub fn enter(&mut self, shell: &mut Shell, source: Source, is_chosen: bool) {
        shell.end_change();
        shell.workspace.turn(Page::Live);
        if shell.workspace.photo().is_some() {
            // At startup the page does not change, and existing messages are still current.
            shell.messages.turn_page();
        }
        shell.forget_absent();
        let mut view = LiveView::new(source);
        if is_chosen {
            view.trial.begin(&Source::Demo);
        }
        view.stage.compare = Compare::Painting;
        name_window(&shell.ctx, None);
        shell.settings.state.shows_photos = false;
        shell.settings_changed();
        shell.choose_first_style();
        self.view.insert(view).start(shell);
        shell.list_cameras(false);
        try_video(shell);
    }

    /// Ends live mode; returns whether it was shown.
    pub fn leave(&mut self, shell: &mut Shell) -> bool {
        if self.view.is_none() {
            return false;
        }
        self.end_recording(shell);
        shell.messages.turn_page();
        stop_measuring(shell);
        shell.engine.stop_live();
        self.view = None;
        shell.end_change();
        if shell.workspace.turn(shell.workspace.photo_page()) {
            report_inherited_look(shell);
        }
        shell.forget_absent();
        let title = shell.workspace.photo().map(|photo| photo.opened.title());
        name_window(&shell.ctx, title.as_deref());
        shell.settings.state.shows_photos = true;
        shell.settings.state.has_seen_hint = true;
        shell.settings_changed();
        true
    }
}

impl Shell {
    /// Chooses the first style if none is chosen, so that live mode paints from the start. At the very first start on a
    /// CPU, chooses a style that looks good at the small size used there. Only this special choice is stored.
    pub fn choose_first_style(&mut self) {
        if !self.workspace.is_live() || self.workspace.choice.style().is_some() {
            return;
        }
        let is_first_start = !self.settings.state.has_seen_hint;
        if is_first_start && self.device.info.is_none() && self.device.notice.is_none() {
            // The device will be known soon.
            return;
        }
        let kind = self
            .styles
            .gallery
            .card(FIRST_WHEN_SMALL)
            .filter(|_| is_first_start && self.device.is(DeviceChoice::Cpu));
        let first = kind.or(self.styles.gallery.cards.first()).map(|card| card.id.clone());
        let is_chosen_for_good = kind.is_some();
        self.styles.gallery.unasked.clone_from(&first);
        self.workspace.choice.mix = Mix::of(first);
        if is_chosen_for_good {
            self.remember_choice();
        }
    }

    /// Requests the system's list of cameras; `uses_first` then shows the first one.
    pub fn list_cameras(&self, uses_first: bool) {
        let platform = self.platform.clone();
        self.tasks.spawn(
            move || Ok((platform.cameras(), platform.virtual_cameras())),
            move |app, listed| {
                let (cameras, virtual_cameras) =
                    listed.unwrap_or_else(|error| (Err(error), Vec::new()));
                app.live.camera_out.cameras = virtual_cameras;
                if uses_first && cameras.as_ref().is_ok_and(Vec::is_empty) {
                    app.shell.messages.notice(NO_CAMERA);
                } else if uses_first {
                    app.shell.intents.push(Intent::Live(LiveCommand::UseCamera));
                }
                app.shell.device.cameras = Some(cameras);
            },
        );
    }

    /// The engine's settings for moving pictures that follow from the window's state. The style of the settings `before`
    /// stays until the network of the new one is loaded.
    pub fn moving_settings(
        &mut self,
        before: Option<LiveSettings>,
        is_preparing: bool,
    ) -> LiveSettings {
        let wanted = self.workspace.choice.network(self.live_model());
        let found = wanted.as_ref().and_then(|of| self.moving_network(of, is_preparing));
        let before = || before?.stylization.network;
        let network = wanted.and_then(|_| found.map(Into::into).or_else(before));
        let choices = &self.settings.live;
        let choice = &self.workspace.choice;
        let steadiness =
            if self.workspace.is_live() { choices.steadiness } else { choice.steadiness };
        LiveSettings {
            stylization: Stylization {
                network,
                size: choices.size,
                mode: choices.mode,
                look: choice.look,
                steadiness,
                mask: None,
            },
            upscale: choices.upscale,
            compare: None,
            frozen: false,
            sample: false,
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

impl LiveView {
    /// True if a picture style is painted so small that it hides the scene, as a CPU does at the automatic size.
    pub fn hides_scene(&self, shell: &Shell) -> bool {
        let style = shell.workspace.choice.style().and_then(|id| shell.styles.gallery.card(id));
        style.is_some_and(Card::is_picture)
            && shell.device.is(DeviceChoice::Cpu)
            && self.painted_at().is_some_and(|(width, height)| width.max(height) < READABLE_PX)
    }

    /// Starts the source and replaces the previous one.
    pub fn start(&mut self, shell: &mut Shell) {
        stop_measuring(shell);
        self.snapshot = Snapshot::default();
        self.frozen = false;
        self.refined.stays_as_seen = false;
        let capture = capture_settings(&shell.settings.live, &self.source);
        let source = LiveSource::Capture(self.source.clone(), capture);
        let settings = self.settings(shell);
        self.pictures = match shell.engine.start_live(source, settings.clone()) {
            Ok(pictures) => {
                self.sent = Sent { settings: Some(settings), number: 0 };
                self.previews.stop();
                self.lab.panel.restart();
                Some(pictures)
            }
            Err(error) => {
                shell.messages.error(format!("The source could not be started: {}", words(&error)));
                None
            }
        };
    }

    /// The engine's settings for live video.
    fn settings(&self, shell: &mut Shell) -> LiveSettings {
        let is_preparing = self.snapshot.preparing.is_some();
        let modes = ModePair { candidates: shell.settings.live.candidates };
        LiveSettings {
            compare: self.compares().then_some(modes),
            frozen: self.frozen,
            // Two modes are compared without timing their steps.
            sample: self.lab.is_open && !self.compares(),
            ..shell.moving_settings(self.sent.settings.clone(), is_preparing)
        }
    }

    /// Sends the engine settings that have changed, and the styles of the preview grid while that or the gallery is
    /// shown.
    fn sync(&mut self, shell: &mut Shell) {
        let settings = self.settings(shell);
        if self.pictures.is_some() && self.sent.settings.as_ref() != Some(&settings) {
            let number = shell.engine.set_live(settings.clone());
            self.sent = Sent { settings: Some(settings), number };
        }
        let are_seen = self.pictures.is_some()
            && (self.shows_previews
                || (shell.settings.live.moving_gallery && !shell.window.full_screen.is_on));
        let mut styles = Vec::new();
        if are_seen {
            let large = shell.live_model();
            let models = |card: &Card| {
                let of = |model| NetworkOf::Style(card.id.clone(), card.model(model));
                (card.id.clone(), of(ModelSize::Lite), of(large))
            };
            for (id, small, large) in
                shell.styles.gallery.cards.iter().take(MAX_PREVIEWS).map(models).collect::<Vec<_>>()
            {
                styles.extend(shell.network(&small).map(|network| (id, network)));
                // Load the large network too, so that it is ready when the user clicks.
                shell.network(&large).ok();
            }
        }
        if let Some(previews) = self.previews.set_styles(styles) {
            shell.engine.set_previews(previews);
        }
    }
}

/// Stops a measurement, and reports its progress.
pub fn stop_measuring(shell: &mut Shell) {
    let Some(share) = shell.engine.cancel_measuring() else {
        return;
    };
    let rounds = (share * (WARM_UP_FRAMES + MEASURED_FRAMES) as f32).round() as u32;
    let measured = rounds.saturating_sub(WARM_UP_FRAMES);
    shell.messages.notice(format!(
        "Benchmark stopped after {measured} of {MEASURED_FRAMES} frames of each. There is no report."
    ));
}

/// Starts measuring the two modes by the fixed protocol, or stops.
pub fn toggle_measuring(shell: &mut Shell) {
    if shell.engine.measuring_progress().is_some() {
        stop_measuring(shell);
        return;
    }
    let style = shell.chosen_name().unwrap_or_else(|| "none".to_owned());
    shell.engine.measure(MeasureJob {
        modes: ModePair { candidates: shell.settings.live.candidates },
        style: format!("{style} {}", shell.live_model()),
        frames: MEASURED_FRAMES,
        warmup: WARM_UP_FRAMES,
    });
}
