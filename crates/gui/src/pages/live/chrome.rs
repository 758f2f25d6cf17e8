//! Draws the parts around live pictures (the source bar, the buttons) and over them (a problem).

use std::time::{Duration, Instant};

use eframe::egui::{
    Align2, Atoms, Button, Color32, Label, Popup, Rect, RichText, Sense, Stroke, Ui, vec2,
};

use super::{CameraOutView, LiveView, command::LiveCommand, comparison::DIFFERENCE_GAIN};
use crate::{
    intent::{Intent, LabCommand, Sends, ShellCommand, ViewCommand},
    pages::lab::Tab,
    shell::shortcuts::button,
    widgets::{
        fonts::icons,
        label::{remark, sentence},
        theme::{self, floating},
    },
};
use engine::{capture::Source, live::SourceState};
use media::record::{Recorder, length_text, pictures, size_text};

/// Minimum width at which the buttons have text next to their icons, in points.
const WORDS_WIDTH: f32 = 560.0;
/// Minimum width at which camera out has text next to its icon, unless the live version is offered next to it, in points.
const CAMERA_OUT_WIDTH: f32 = 440.0;
/// Minimum width at which the view buttons have text too, in points.
const VIEW_WORDS_WIDTH: f32 = 780.0;
/// Additional width of the record button while it shows a recording's length and size, and of the button that returns to
/// the live painting, in points.
const RECORDED_WIDTH: f32 = 90.0;
const AS_SEEN_WIDTH: f32 = 20.0;
/// Minimum width of the record button with a recording's length and size, in points.
const STOP_WIDTH: f32 = 230.0;
/// Minimum width at which every button is shown, in points; below that, the view buttons are in a menu.
const BUTTONS_WIDTH: f32 = 380.0;
/// Diameter of the round snapshot button, in points.
const SHUTTER: f32 = 40.0;

/// Minimum size of a recording that is shown, in bytes.
const MIN_BYTES_SHOWN: u64 = 100_000;

/// A button for the picture that sends an intent, with text if `has_words`.
fn tool_button(
    ui: &mut Ui,
    [icon, name, does]: [&str; 3],
    is_on: bool,
    has_words: bool,
    intent: impl Into<Intent>,
) {
    let tool = Button::selectable(is_on, theme::icon_text(icon, name, has_words));
    button(ui, true, theme::tall(tool), [name, does], intent);
}

/// The button that shows the picture alone.
pub fn full_screen_button(ui: &mut Ui, has_words: bool) {
    let words = [icons::FULL_SCREEN, "Full screen", "Show only the picture."];
    tool_button(ui, words, false, has_words, ShellCommand::ToggleFullScreen);
}

/// The round snapshot button; `is_main` makes it the primary button.
fn shutter(ui: &mut Ui, is_finer: bool, is_main: bool) {
    let colors = theme::palette(ui);
    let fill = if is_main && ui.is_enabled() {
        colors.accent
    } else if ui.visuals().dark_mode {
        Color32::from_gray(225)
    } else {
        Color32::WHITE
    };
    let does = if is_finer {
        "Save this frame, repainted in full quality."
    } else {
        "Save this frame as shown."
    };
    let round = Button::new("")
        .min_size(vec2(SHUTTER, SHUTTER))
        .corner_radius(SHUTTER / 2.0)
        .fill(fill)
        .stroke(Stroke::new(3.0, colors.quiet));
    button(ui, true, round, ["Snapshot", does], LiveCommand::Snapshot);
}

/// The progress of a recording, as text.
fn progress(recorder: &Recorder, length: Duration) -> String {
    let mut words = vec![length_text(length)];
    if !recorder.is_video() {
        words.push(pictures(recorder.written()));
    }
    // Before that, the encoder has hardly written anything.
    if recorder.bytes() >= MIN_BYTES_SHOWN {
        words.push(size_text(recorder.bytes()));
    }
    words.join(", ")
}

/// Text with the red dot that marks capturing and recording.
fn red_dot(ui: &mut Ui, words: &str) {
    let (dot, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
    ui.painter().circle_filled(dot.center(), 5.0, theme::palette(ui).recording);
    ui.strong(words);
}

impl LiveView {
    /// Shows whether a camera is capturing, with a button to release it, or to use it.
    pub fn source_bar(&self, ui: &mut Ui) {
        if self.uses_camera() {
            if self.is_capturing() {
                red_dot(ui, "Camera on");
            } else {
                ui.label("Waiting for the camera");
            }
            button(
                ui,
                true,
                Button::new("Turn off"),
                ["Turn off", "Turn the camera off at once."],
                LiveCommand::ReleaseCamera,
            );
            return;
        }
        let camera = Button::new(format!("{} Use camera", icons::VIDEO));
        let does = ["Use camera", "Paint what your camera sees. Nothing leaves this computer."];
        button(ui, true, camera, does, LiveCommand::UseCamera);
    }

    /// The buttons for the picture: capture buttons, then view buttons at the right, or in a menu if the space is too
    /// small.
    pub fn tool_bar(&self, ui: &mut Ui, camera_out: &CameraOutView) {
        let width = ui.available_width();
        let has_words = width >= WORDS_WIDTH;
        theme::bar(ui, 8.0, |ui| {
            self.take_buttons(ui, [has_words, has_words, false]);
            if width >= BUTTONS_WIDTH {
                let mut room = width;
                room -= if self.is_recording() { RECORDED_WIDTH } else { 0.0 };
                room -= if self.offers_as_seen() { AS_SEEN_WIDTH } else { 0.0 };
                let least = if self.offers_as_seen() { WORDS_WIDTH } else { CAMERA_OUT_WIDTH };
                camera_out.button(ui, room >= least);
                self.as_seen_button(ui);
                theme::at_the_right(ui, "views of live pictures", |ui| {
                    self.view_buttons(ui, room >= VIEW_WORDS_WIDTH);
                });
                return;
            }
            let more =
                ui.add(theme::tall(Button::new("…"))).on_hover_text("More").accessible_name("More");
            Popup::menu(&more).show(|ui| {
                self.as_seen_button(ui);
                camera_out.button(ui, true);
                self.view_buttons(ui, true);
            });
        });
    }

    /// The buttons that change how the picture is shown.
    fn view_buttons(&self, ui: &mut Ui, has_words: bool) {
        for (words, is_on, intent) in [
            (
                [
                    icons::GRID,
                    "Gallery",
                    "Show all styles live; double-click one to show it alone.",
                ],
                self.shows_previews,
                Intent::Live(LiveCommand::TogglePreviews),
            ),
            (
                [icons::SPLIT, "Compare", "Compare two engines on the same frames."],
                self.compares(),
                Intent::Lab(LabCommand::ToggleCompare),
            ),
            (
                [icons::FLASK, "Lab", "Comparison, rates, latencies and the time of every step."],
                self.lab.is_open,
                Intent::Lab(LabCommand::ToggleLab),
            ),
        ] {
            tool_button(ui, words, is_on, has_words, intent);
        }
        full_screen_button(ui, has_words);
    }

    /// The buttons to freeze, save and record the picture; the first and the last one have text if `has_words`. After
    /// them is the button that returns to the live painting, unless it is offered elsewhere.
    pub fn take_buttons(&self, ui: &mut Ui, [has_words, record_has_words, has_as_seen]: [bool; 3]) {
        ui.set_min_height(SHUTTER);
        let (icon, name) =
            if self.frozen { (icons::PLAY, "Resume") } else { (icons::PAUSE, "Freeze") };
        let does = if self.refined.may_repaint {
            "Freeze the picture and repaint it in full quality. You can still switch styles."
        } else {
            "Freeze the picture. You can still switch styles."
        };
        // Wide enough for both names, so that the buttons next to it do not jump.
        let size = vec2(if has_words { 84.0 } else { 0.0 }, 32.0);
        let freeze =
            Button::selectable(self.frozen, theme::icon_text(icon, name, has_words)).min_size(size);
        let has_picture = self.picture().is_some();
        button(
            ui,
            has_picture || self.frozen,
            freeze,
            ["Freeze", does],
            ViewCommand::HoldOrCompare,
        );
        ui.add_enabled_ui(has_picture, |ui| {
            let is_finer = self.refined.may_repaint && !self.refined.stays_as_seen;
            // The main button of the benchmark is the one that starts it.
            let offers_benchmark = self.lab.is_open && self.lab.panel.tab == Tab::Benchmark;
            shutter(ui, is_finer, !offers_benchmark);
        });
        ui.add_enabled_ui(has_picture || self.is_recording(), |ui| {
            self.record_button(ui, record_has_words);
        });
        if has_as_seen {
            self.as_seen_button(ui);
        }
    }

    fn offers_as_seen(&self) -> bool {
        self.frozen && self.refined.may_repaint
    }

    /// The button that returns a frozen picture to its live painting, if it was repainted.
    fn as_seen_button(&self, ui: &mut Ui) {
        if self.offers_as_seen() {
            let seen = theme::tall(Button::selectable(self.refined.stays_as_seen, "Live version"));
            button(
                ui,
                true,
                seen,
                ["Show live version", "Show the frozen picture as it was painted live."],
                LiveCommand::LeaveAsSeen(!self.refined.stays_as_seen),
            );
        }
    }

    /// Starts or stops a recording, and shows its progress.
    fn record_button(&self, ui: &mut Ui, has_words: bool) {
        let colors = theme::palette(ui);
        let recorded = self.recorded_length(Instant::now());
        let is_recording = recorded.is_some();
        let mut name = "Record".to_owned();
        let mut spoken = name.clone();
        if let Some(length) = recorded {
            let progress = match self.recorder() {
                Some(recorder) => progress(recorder, length),
                None => length_text(length),
            };
            name = if has_words { format!("Stop  {progress}") } else { length_text(length) };
            let sound = if self.has_sound() { ", microphone on" } else { "" };
            spoken = format!("Stop recording, {progress}{sound}");
        } else if !has_words {
            name.clear();
        }
        let red = |icon| RichText::new(icon).color(colors.recording);
        let mut text = Atoms::new(red(icons::RECORD));
        if self.has_sound() {
            text.push_right(red(icons::MICROPHONE));
        }
        if !name.is_empty() {
            text.push_right(name);
        }
        let mut record = Button::selectable(is_recording, text);
        if is_recording {
            // Visible from a distance.
            let fill = colors.recording.gamma_multiply(theme::RECORDING_FILL);
            record = record.fill(fill).stroke(Stroke::new(1.0, colors.recording));
            if has_words {
                // Length and size become longer, and must not move the buttons after it.
                record = record.min_size(vec2(STOP_WIDTH, 0.0));
            }
        }
        let does =
            if is_recording { "Stop recording." } else { "Record a video, or a folder of images." };
        button(ui, true, record, [&spoken, does], LiveCommand::ToggleRecording);
    }

    /// True if a recording is running or starting.
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// True if the microphone is being recorded.
    fn has_sound(&self) -> bool {
        self.recorder().is_some_and(|recorder| recorder.microphone().is_some())
    }

    /// Length of the recording at `now`.
    pub fn recorded_length(&self, now: Instant) -> Option<Duration> {
        self.recording.as_ref().map(|recording| recording.taken.lasts(now))
    }

    /// Draws the parts that float over the stage; `clear` is the part of it that is not covered. In full screen,
    /// `is_alone` is set.
    pub fn over_stage(&self, ui: &Ui, area: Rect, is_alone: bool) {
        if self.shows_message() {
            self.problem(ui, area);
        } else {
            // Keep a picture that is shown alone uncovered.
            if self.refined.is_repainting && !is_alone {
                self.repainting(ui, area);
            }
            self.difference_words(ui, area);
        }
        if let (false, Some(pictures)) = (self.shows_previews, self.picture()) {
            self.stage.pixel_ui(ui, area, pictures.into());
        }
        if is_alone {
            self.capture_badge(ui, area);
        }
    }

    /// Explains the picture of the difference.
    fn difference_words(&self, ui: &Ui, area: Rect) {
        if !self.lab.shows_difference || self.stage.shows_original {
            return;
        }
        floating(ui, "difference", Align2::CENTER_TOP, area, |ui| {
            let words = match self.lab.largest_difference {
                0 => "No difference: everything is grey".to_owned(),
                n => format!(
                    "Largest difference in this frame: {n} of 255, amplified {DIFFERENCE_GAIN} times"
                ),
            };
            ui.add(Label::new(words).extend());
        });
    }

    /// Shows that the frozen picture or a snapshot is being repainted.
    fn repainting(&self, ui: &Ui, area: Rect) {
        floating(ui, "repainting", Align2::CENTER_TOP, area, |ui| {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.add(Label::new("Refining…").extend());
            });
        });
    }

    /// Shows over a picture that is shown alone that a camera is capturing or a recording is running.
    fn capture_badge(&self, ui: &Ui, area: Rect) {
        if !self.is_capturing() && !self.is_recording() {
            return;
        }
        floating(ui, "capture badge", Align2::RIGHT_BOTTOM, area, |ui| {
            ui.horizontal(|ui| {
                if self.is_capturing() {
                    red_dot(ui, "Camera on");
                }
                if let Some(length) = self.recorded_length(Instant::now()) {
                    red_dot(ui, &format!("Recording {}", length_text(length)));
                    if self.has_sound() {
                        red_dot(ui, "Microphone on");
                    }
                }
            });
        });
    }

    /// Shows why there is no picture, and what to do.
    fn problem(&self, ui: &Ui, area: Rect) {
        floating(ui, "live problem", Align2::CENTER_CENTER, area, |ui| {
            ui.set_max_width(420.0);
            match &self.snapshot.source {
                SourceState::Starting => {
                    ui.label("Starting…");
                }
                SourceState::Running { .. } => {
                    ui.label("Waiting for the first frame…");
                    if let Some(preparing) = self.snapshot.preparing {
                        theme::caption(ui, format!("Preparing {preparing}"));
                    }
                }
                SourceState::Waiting(problem) | SourceState::Ended(problem) => {
                    ui.label(sentence(&remark(&problem.to_string())));
                    if self.source != Source::Demo {
                        ui.add(theme::main_button(ui, "Show the demo scene", true))
                            .sends(LiveCommand::UseSource(Source::Demo));
                    }
                }
            }
        });
    }
}
