//! Draws around live pictures (the source, the buttons, the comparison) and over them (a problem, the pixel
//! below the pointer).

use eframe::egui::{
    self, Align, Align2, Button, Color32, CornerRadius, Frame, Id, Layout, Margin, Order, Rect,
    RichText, Stroke, vec2,
};

use super::{CompareView, LiveIntent, LiveView};
use crate::{
    capture::Source,
    engine::live::{Preparing, SourceState},
    gui::{intent::Intent, label::remark, theme},
};

/// The colour of "this is being filmed".
const FILMING: Color32 = Color32::from_rgb(229, 57, 53);

/// Least width at which the outcome of a comparison stands beside its times, not below, in points.
const VERDICT_BESIDE_WIDTH: f32 = 720.0;

fn floating(
    ui: &egui::Ui,
    id: &str,
    pivot: Align2,
    at: egui::Pos2,
    area: Rect,
    contents: impl FnOnce(&mut egui::Ui),
) {
    let colors = theme::palette(ui.visuals());
    egui::Area::new(Id::unique(id))
        .order(Order::Middle)
        .pivot(pivot)
        .fixed_pos(at)
        .constrain_to(area)
        .show(ui.ctx(), |ui| {
            Frame::new()
                .fill(colors.card.gamma_multiply(0.94))
                .stroke(Stroke::new(1.0, colors.outline))
                .corner_radius(CornerRadius::same(10))
                .inner_margin(Margin::symmetric(10, 7))
                .show(ui, contents);
        });
}

/// The words that a camera films, and their mark.
fn filming(ui: &mut egui::Ui) {
    let (dot, _) = ui.allocate_exact_size(vec2(12.0, 12.0), egui::Sense::hover());
    ui.painter().circle_filled(dot.center(), 5.0, FILMING);
    ui.strong("Camera on");
}

/// Says which key leaves the full screen.
pub(super) fn leaving_hint(ui: &egui::Ui, area: Rect) {
    let at = area.center_top() + vec2(0.0, 16.0);
    floating(ui, "leaving hint", Align2::CENTER_TOP, at, area, |ui| {
        ui.label("Esc leaves the full screen");
    });
}

impl LiveView {
    /// The source, with buttons to a camera or away from it.
    pub(in crate::gui) fn source_bar(
        &self,
        ui: &mut egui::Ui,
        shows_hint: bool,
        intents: &mut Vec<Intent>,
    ) {
        ui.horizontal_wrapped(|ui| {
            if self.uses_camera() {
                if self.films() {
                    filming(ui);
                } else {
                    ui.label("Waiting for the camera");
                }
                if ui
                    .button("Turn off")
                    .on_hover_text("Lets go of the camera at once. X")
                    .clicked()
                {
                    intents.push(Intent::Live(LiveIntent::ReleaseCamera));
                }
            } else {
                ui.label(super::controls::source_name(self, &self.source));
                let button = theme::main_button(ui, "Use camera");
                if ui
                    .add(button)
                    .on_hover_text("Paints what your camera sees. Nothing leaves this computer.")
                    .clicked()
                {
                    intents.push(Intent::Live(LiveIntent::UseCamera));
                }
            }
            if shows_hint {
                ui.separator();
                theme::caption(ui, "Number keys change the style, ? shows all keys");
                if ui.small_button("Got it").clicked() {
                    intents.push(Intent::Live(LiveIntent::HideHint));
                }
            }
        });
    }

    /// The buttons for the picture.
    pub(in crate::gui) fn tool_bar(&self, ui: &mut egui::Ui, intents: &mut Vec<Intent>) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            // All of them on one line of the smallest window.
            ui.spacing_mut().button_padding.x = 8.0;
            let recording = self.recording.as_ref();
            let record = match recording {
                Some(r) => format!("Recorded: {}", r.written()),
                None => "Record".to_owned(),
            };
            for (name, spoken, hint, is_on, intent) in [
                (
                    if self.frozen { "Go on" } else { "Freeze" },
                    "Freeze",
                    "Hold the picture and paint it finely; styles can still be changed. Space",
                    self.frozen,
                    LiveIntent::ToggleFreeze,
                ),
                (
                    "Snapshot",
                    "Snapshot",
                    "Save this picture, painted finely. S",
                    false,
                    LiveIntent::Snapshot,
                ),
                (
                    record.as_str(),
                    "Record",
                    "Save every picture into a folder. R",
                    recording.is_some(),
                    LiveIntent::ToggleRecording,
                ),
                (
                    "Gallery",
                    "Gallery",
                    "Every style paints at once; a double click shows one alone. G",
                    self.shows_previews,
                    LiveIntent::TogglePreviews,
                ),
                (
                    "Compare",
                    "Compare",
                    "Two modes paint the same frames. C",
                    self.comparing,
                    LiveIntent::ToggleCompare,
                ),
                (
                    "Performance",
                    "Performance",
                    "Rates, delays and the time of every step. P",
                    self.panel_open,
                    LiveIntent::TogglePanel,
                ),
                (
                    "Full screen",
                    "Full screen",
                    "Only the picture. F",
                    false,
                    LiveIntent::ToggleFullScreen,
                ),
            ] {
                let text = RichText::new(name).size(13.0);
                let button = Button::selectable(is_on, text);
                if ui
                    .add(button)
                    .on_hover_text(hint)
                    .accessible_name(spoken)
                    .clicked()
                {
                    intents.push(Intent::Live(intent));
                }
            }
        });
    }

    /// Whether two modes are compared.
    pub(in crate::gui) fn is_comparing(&self) -> bool {
        self.comparing
    }

    /// Both times, and their ratio only beside a check that holds.
    pub(in crate::gui) fn comparison_bar(
        &self,
        ui: &mut egui::Ui,
        measuring: Option<f32>,
        intents: &mut Vec<Intent>,
    ) {
        let colors = theme::palette(ui.visuals());
        let quiet = |text: String| RichText::new(text).color(colors.quiet);
        if let Some(share) = measuring {
            ui.horizontal(|ui| {
                ui.label("Measuring 200 frames of each, in turn; the picture is held meanwhile");
                ui.add(
                    egui::ProgressBar::new(share)
                        .desired_width(160.0)
                        .desired_height(8.0),
                );
                if ui.button("Stop measuring").clicked() {
                    intents.push(Intent::Live(LiveIntent::ToggleMeasuring));
                }
            });
            ui.ctx()
                .request_repaint_after(std::time::Duration::from_millis(100));
            return;
        }
        let Some(comparison) = self.comparison() else {
            ui.label("Both modes begin…");
            if let Some(preparing) = self.snapshot.preparing {
                ui.label(quiet(format!("Preparing {preparing}")));
            }
            return;
        };
        let has_room = ui.available_width() >= VERDICT_BESIDE_WIDTH;
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::TOP), |ui| {
                if ui
                    .button("Measure")
                    .on_hover_text(
                        "200 frames of each in turn after a warm-up, and a report to copy or save.",
                    )
                    .clicked()
                {
                    intents.push(Intent::Live(LiveIntent::ToggleMeasuring));
                }
                ui.add_space(12.0);
                ui.with_layout(Layout::left_to_right(Align::TOP), |ui| {
                    egui::Grid::new("comparison").num_columns(4).show(ui, |ui| {
                        for (name, time) in comparison.names.iter().zip(comparison.times) {
                            ui.strong(name);
                            ui.label(format!("{:.2} ms", time.p50))
                                .on_hover_text("The median (p50) of the last seconds.");
                            ui.label(quiet(format!("95 % {:.2} ms", time.p95)))
                                .on_hover_text("95 of 100 frames took at most this long (p95).");
                            ui.label(quiet(format!("{:.0} fps", 1e3 / time.p50.max(1e-3))));
                            ui.end_row();
                        }
                    });
                    if has_room {
                        ui.add_space(12.0);
                        ui.vertical(|ui| verdict(ui, &comparison));
                    }
                });
            });
        });
        if !has_room {
            ui.horizontal_wrapped(|ui| verdict(ui, &comparison));
        }
    }

    /// Draws the parts that float over the stage; `clear` is the part of it that nothing else covers.
    pub(in crate::gui) fn over_stage(
        &self,
        ui: &egui::Ui,
        area: Rect,
        clear: Rect,
        intents: &mut Vec<Intent>,
    ) {
        if self.has_trouble() {
            self.problem(ui, clear, intents);
        } else {
            self.preparing(ui, clear);
            self.repainting(ui, clear);
        }
        if !self.shows_previews {
            self.peek(ui, area);
        }
    }

    /// The session that is being prepared, where that takes long; the session before goes on painting.
    fn preparing(&self, ui: &egui::Ui, area: Rect) {
        let preparing = self.snapshot.preparing.filter(Preparing::searches);
        // The comparison's own line says so.
        let Some(preparing) = preparing.filter(|_| !self.comparing) else {
            return;
        };
        let at = area.center_bottom() - vec2(0.0, 16.0);
        floating(ui, "preparing", Align2::CENTER_BOTTOM, at, area, |ui| {
            ui.set_max_width(420.0);
            ui.label(format!("Preparing {preparing}."));
            theme::caption(ui, "Choosing something else cancels it.");
        });
    }

    /// That the held picture or a snapshot is being painted once more.
    fn repainting(&self, ui: &egui::Ui, area: Rect) {
        if !self.is_repainting {
            return;
        }
        let at = area.center_top() + vec2(0.0, 16.0);
        floating(ui, "repainting", Align2::CENTER_TOP, at, area, |ui| {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label("Painting it more finely…");
            });
        });
    }

    /// That a camera films, over a picture that stands alone.
    pub(super) fn camera_badge(&self, ui: &egui::Ui, area: Rect) {
        if !self.films() {
            return;
        }
        let at = area.right_bottom() - vec2(16.0, 16.0);
        floating(ui, "camera badge", Align2::RIGHT_BOTTOM, at, area, |ui| {
            ui.horizontal(filming);
        });
    }

    /// Why there is no picture, and what to do.
    fn problem(&self, ui: &egui::Ui, area: Rect, intents: &mut Vec<Intent>) {
        floating(
            ui,
            "live problem",
            Align2::CENTER_CENTER,
            area.center(),
            area,
            |ui| {
                ui.set_max_width(420.0);
                match &self.snapshot.source {
                    SourceState::Starting => {
                        ui.label("Starting…");
                    }
                    SourceState::Running { .. } => {
                        ui.label("The first picture is on its way…");
                        if let Some(preparing) = self.snapshot.preparing {
                            theme::caption(ui, format!("Preparing {preparing}"));
                        }
                    }
                    SourceState::Waiting(problem) => {
                        ui.label(sentence(&remark(&problem.to_string())));
                    }
                    SourceState::Ended(problem) => {
                        ui.label(sentence(&remark(&problem.to_string())));
                    }
                }
                let way_out = theme::main_button(ui, "Show the demo scene");
                if self.source != Source::Demo
                    && matches!(
                        self.snapshot.source,
                        SourceState::Waiting(_) | SourceState::Ended(_)
                    )
                    && ui.add(way_out).clicked()
                {
                    intents.push(Intent::Live(LiveIntent::Use(Source::Demo)));
                }
            },
        );
    }

    /// Colours of the pixel below the pointer, while Alt is held.
    fn peek(&self, ui: &egui::Ui, area: Rect) {
        let (alt, pointer) = ui.input(|i| (i.modifiers.alt, i.pointer.hover_pos()));
        let (Some((x, y)), Some(pointer), true) = (self.stage.pointed_at(), pointer, alt) else {
            return;
        };
        let Some((original, painted)) = self.picture() else {
            return;
        };
        // The view has the source's size; the painting's pixel is at the same place.
        let at = |frame: &crate::frame::Frame| {
            let x = x * frame.width() / original.width().max(1);
            let y = y * frame.height() / original.height().max(1);
            frame.pixel(x.min(frame.width() - 1), y.min(frame.height() - 1))
        };
        let at_pointer = pointer + vec2(16.0, 16.0);
        floating(ui, "pixel peek", Align2::LEFT_TOP, at_pointer, area, |ui| {
            theme::caption(ui, format!("x {x}, y {y}"));
            for (name, [r, g, b, _]) in [("Original", at(original)), ("Result", at(painted))] {
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), egui::Sense::hover());
                    ui.painter()
                        .rect_filled(rect, 3.0, Color32::from_rgb(r, g, b));
                    ui.monospace(format!("{name:8} {r:3} {g:3} {b:3}"));
                });
            }
        });
    }
}

/// The ratio, only beside a check that holds; else why there is none.
fn verdict(ui: &mut egui::Ui, comparison: &CompareView) {
    let colors = theme::palette(ui.visuals());
    let quiet = |text: String| RichText::new(text).color(colors.quiet);
    let [a, b] = comparison.times.map(|t| f64::from(t.p50));
    match (
        comparison.equality.ratio(a, b),
        &comparison.equality.failure,
    ) {
        (Some(ratio), _) => {
            ui.strong(format!(
                "{} is {ratio:.2} times as fast",
                comparison.names[1]
            ));
            ui.label(quiet(format!("Same picture: {}", comparison.equality)));
        }
        (None, failure) => {
            let why = failure.as_deref().unwrap_or("the pictures differ");
            let text = format!("Not comparable: {why}");
            ui.label(RichText::new(text).color(colors.error));
            ui.label(quiet(comparison.equality.to_string()));
        }
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
