//! The Lab's comparison: what is compared, both times, and their ratio only beside a check that holds.

use std::time::Duration;

use eframe::egui::{self, RichText};

use super::{
    CompareView, LiveIntent, LiveView,
    mode_choice::{Offers, candidate},
    pair_times::LEAST_PAIRS,
};
use crate::{
    backend::DeviceInfo,
    gui::{intent::Intent, label::capital, theme, time_left},
    media::record::length_in_words,
    settings::LiveChoices,
};

/// Width of a figure, in points.
const FIGURE_WIDTH: f32 = 104.0;
/// The sides, as the picture shows them.
const SIDES: [&str; 2] = ["Left", "Right"];

impl LiveView {
    /// Draws it; `choices` are changed in place.
    pub(super) fn comparison_ui(
        &self,
        ui: &mut egui::Ui,
        choices: &mut LiveChoices,
        device: &DeviceInfo,
        measuring: Option<f32>,
        intents: &mut Vec<Intent>,
    ) {
        ui.spacing_mut().item_spacing.y = 4.0;
        let comparison = self.comparison();
        if let Some(share) = measuring {
            ui.horizontal_wrapped(|ui| {
                if ui.button("Cancel benchmark").clicked() {
                    intents.push(Intent::Live(LiveIntent::ToggleMeasuring));
                }
                ui.add(
                    egui::ProgressBar::new(share)
                        .desired_width(160.0)
                        .desired_height(8.0),
                );
                let elapsed = ui.input(|i| i.time) - self.measuring_since.unwrap_or_default();
                let passed = length_in_words(Duration::from_secs_f64(elapsed.max(0.0)));
                ui.label(format!("{passed}. {}", time_left::in_words(elapsed, share)));
            });
            let what = "200 frames of each, in turn; the picture is held meanwhile";
            ui.label(quiet(ui, what.to_owned()));
            ui.ctx().request_repaint_after(Duration::from_millis(100));
        } else if !self.comparing {
            ui.horizontal_wrapped(|ui| {
                if ui.button("Start comparing").clicked() {
                    intents.push(Intent::Live(LiveIntent::ToggleCompare));
                }
                ui.label(quiet(
                    ui,
                    "Both modes paint the same frames, side by side.".to_owned(),
                ));
            });
        } else {
            ui.horizontal_wrapped(|ui| {
                let button = theme::main_button(ui, "Benchmark", comparison.is_some());
                if ui
                    .add_enabled(comparison.is_some(), button)
                    .on_hover_text(
                        "200 frames of each in turn after a warm-up, and a report to copy or save.",
                    )
                    .on_disabled_hover_text("Both modes begin…")
                    .clicked()
                {
                    intents.push(Intent::Live(LiveIntent::ToggleMeasuring));
                }
                let mut shows = self.shows_difference;
                if ui
                    .checkbox(&mut shows, "Difference")
                    .on_hover_text("Grey is equal; differences are enlarged sixteen times. D")
                    .clicked()
                {
                    intents.push(Intent::Live(LiveIntent::ToggleDifference));
                }
                if let Some(comparison) = &comparison {
                    verdict(ui, comparison);
                }
            });
            // A line of its own: the one above would break.
            let why = match (&comparison, self.snapshot.preparing) {
                (Some(comparison), _) => evidence(comparison),
                (None, Some(preparing)) => format!("Preparing {preparing}"),
                (None, None) => "Both modes begin…".to_owned(),
            };
            ui.label(quiet(ui, why));
        }
        let offers = Offers::of(self, Some(device));
        // A grid of its own with and without figures: else these lie over each other until it knows their widths.
        let id = ("comparison", comparison.is_some());
        egui::Grid::new(id).num_columns(5).show(ui, |ui| {
            for (place, side) in SIDES.into_iter().enumerate() {
                ui.label(side);
                ui.add_enabled_ui(measuring.is_none(), |ui| {
                    candidate(ui, side, &mut choices.candidates[place], offers);
                });
                if let Some(time) = comparison.as_ref().map(|c| c.times[place]) {
                    figure(ui, format!("{:.2} ms", time.p50).into())
                        .on_hover_text("The median (p50) of the last frames.");
                    figure(ui, quiet(ui, format!("p95 {:.2} ms", time.p95)))
                        .on_hover_text("95 of 100 frames took at most this long.");
                    let fps = 1e3 / time.p50.max(1e-3);
                    figure(ui, quiet(ui, format!("{fps:.0} fps")));
                }
                ui.end_row();
            }
        });
    }
}

/// A figure in a place that is as wide however many digits it has.
fn figure(ui: &mut egui::Ui, text: RichText) -> egui::Response {
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let size = egui::vec2(FIGURE_WIDTH, ui.spacing().interact_size.y);
    let cell = ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_width(FIGURE_WIDTH);
        ui.label(text)
    });
    cell.inner
}

fn quiet(ui: &egui::Ui, text: String) -> RichText {
    RichText::new(text).color(theme::palette(ui.visuals()).quiet)
}

/// The ratio, only beside a check that holds; else why there is none.
fn verdict(ui: &mut egui::Ui, comparison: &CompareView) {
    let colors = theme::palette(ui.visuals());
    let failure = comparison.equality.failure.as_deref();
    match ratio(comparison) {
        Some(_) if comparison.pairs < LEAST_PAIRS => {
            ui.label("Measuring…");
        }
        Some(ratio) => {
            let name = capital(&comparison.names[1]);
            ui.strong(format!("{name} is {ratio:.1} times as fast"))
                .on_hover_text("The ratio of both medians.");
        }
        None => {
            let why = failure.unwrap_or("the pictures differ");
            let text = format!("Not comparable: {why}");
            ui.label(RichText::new(text).color(colors.error));
        }
    }
}

fn ratio(comparison: &CompareView) -> Option<f64> {
    let [a, b] = comparison.times.map(|t| f64::from(t.p50));
    comparison.equality.ratio(a, b)
}

/// What the verdict rests on.
fn evidence(comparison: &CompareView) -> String {
    let CompareView {
        pairs, equality, ..
    } = comparison;
    match ratio(comparison) {
        Some(_) => format!("{pairs} pairs of frames. Same picture: {equality}"),
        None => equality.to_string(),
    }
}
