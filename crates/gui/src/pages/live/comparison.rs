//! The Lab's comparison and benchmark: what is compared, both times, and their ratio, which is shown only if both modes
//! make the same picture.

use std::time::Duration;

use eframe::egui::{self, Color32, ColorImage, RichText, Ui};

use super::{LiveView, pair_times::MIN_PAIRS};
use crate::{
    intent::{Intent, LabCommand, Sends},
    jobs::time_left,
    shell::shortcuts::plain_button,
    widgets::{
        key_chips,
        label::capital,
        mode_choice::{Offers, candidate},
        theme,
    },
};
use backend::DeviceInfo;
use engine::live::meter::Spread;
use measure::verify::Equality;
use media::record::length_text;
use settings::LiveChoices;
use values::frame::Frame;

/// Gain of the picture of differences.
pub const DIFFERENCE_GAIN: u8 = 16;

/// The sides, as labelled in the picture.
const SIDES: [&str; 2] = ["Left", "Right"];

impl LiveView {
    /// Spread of both modes' device times in milliseconds, and whether both make the same picture; `None` before both
    /// are known.
    fn comparison(&self) -> Option<([Spread; 2], &Equality)> {
        self.facts?.pair?;
        Some((self.lab.pairs.spreads()?, self.pictures.as_ref()?.value.equality.as_deref()?))
    }

    /// Draws the comparison's own lines.
    pub fn comparison_ui(&self, ui: &mut Ui) {
        let comparison = self.comparison();
        if !self.compares() {
            ui.horizontal_wrapped(|ui| {
                plain_button(ui, "Start comparing", LabCommand::ToggleCompare);
                ui.label(quiet(ui, "Compare two engines on the same frames, side by side."));
            });
            return;
        }
        ui.horizontal_wrapped(|ui| {
            let mut shows = self.lab.shows_difference;
            let difference = ui.checkbox(&mut shows, "Difference");
            let hint = "Grey means equal; differences are amplified 16 times.";
            key_chips::hint(difference, hint, "D").sends(LabCommand::ToggleDifference);
            if let Some(comparison) = comparison {
                self.verdict(ui, comparison);
            }
        });
        // On a separate line, because it would wrap in the line above.
        let why = match (comparison, self.snapshot.preparing) {
            (Some((times, equality)), _) => match ratio(times, equality) {
                Some(_) => {
                    format!(
                        "{} pairs of frames. Results match: {equality}",
                        self.lab.pairs.pairs.len()
                    )
                }
                None => format!("Worst check: {equality}"),
            },
            (None, Some(preparing)) => format!("Preparing {preparing}"),
            (None, None) => "Starting both engines…".to_owned(),
        };
        ui.label(quiet(ui, why));
    }

    /// Draws the benchmark's own lines; `measuring` is its progress.
    pub fn benchmark_ui(&self, ui: &mut Ui, measuring: Option<f32>) {
        let toggle = Intent::Lab(LabCommand::ToggleMeasuring);
        let Some(share) = measuring else {
            let can = self.facts.is_some_and(|facts| facts.mode.is_some());
            ui.add_enabled(can, theme::main_button(ui, "Start benchmark", can))
                .on_disabled_hover_text("Nothing is painted yet.")
                .sends(toggle);
            let what = "Paints 200 frames with each engine, interleaved, and makes a report to copy or save.";
            ui.label(quiet(ui, what));
            return;
        };
        ui.horizontal_wrapped(|ui| {
            plain_button(ui, "Cancel benchmark", toggle);
            ui.add(egui::ProgressBar::new(share).desired_width(160.0).desired_height(8.0));
            let elapsed = ui.input(|i| i.time) - self.lab.measuring_since.unwrap_or_default();
            let passed = length_text(Duration::from_secs_f64(elapsed.max(0.0)));
            ui.label(format!("{passed}. {}", time_left::text(elapsed, share)));
        });
        ui.label(quiet(ui, "200 interleaved frames of each; the picture is frozen"));
        ui.request_repaint_after(Duration::from_millis(100));
    }

    /// Draws the two modes, which the user can change in place if `may_choose`, with their times unless they are for a
    /// benchmark.
    pub fn candidates_ui(
        &self,
        ui: &mut Ui,
        choices: &mut LiveChoices,
        device: &DeviceInfo,
        may_choose: bool,
        is_benchmark: bool,
    ) {
        let comparison = self.comparison().filter(|_| !is_benchmark);
        let offers = Offers::of(Some(device), self.has_attention());
        ui.columns(2, |columns| {
            for (place, (ui, side)) in columns.iter_mut().zip(SIDES).enumerate() {
                theme::group_title(ui, side);
                if let Some(time) = comparison.map(|(times, _)| times[place]) {
                    let fps = 1e3 / time.p50.max(1e-3);
                    ui.label(format!("{:.2} ms, p95 {:.2} ms, {fps:.0} fps", time.p50, time.p95))
                        .on_hover_text(
                            "Median (p50) and 95th percentile (p95) of the last frames.",
                        );
                }
                ui.add_enabled_ui(may_choose, |ui| {
                    candidate(ui, side, &mut choices.candidates[place], offers);
                });
            }
        });
    }

    /// The ratio if the pictures were checked to be the same, otherwise why there is none.
    fn verdict(&self, ui: &mut Ui, (times, equality): ([Spread; 2], &Equality)) {
        match ratio(times, equality) {
            Some(_) if self.lab.pairs.pairs.len() < MIN_PAIRS => {
                ui.label("Measuring…");
            }
            Some(ratio) => {
                let pair = self.facts.and_then(|facts| facts.pair);
                let own = || pair.map_or_else(String::new, |pair| pair.modes[1].to_string());
                let named =
                    self.pictures.as_ref().and_then(|pictures| pictures.value.names.as_ref());
                let name = capital(&named.map_or_else(own, |names| names[1].clone()));
                ui.strong(format!("{name} is {ratio:.1} times as fast"))
                    .on_hover_text("Ratio of the medians.");
            }
            None => {
                let why = equality.failure.as_deref().unwrap_or("the pictures differ");
                ui.label(theme::error(ui, format!("Not comparable: {why}")));
            }
        }
    }
}

fn quiet(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).color(theme::palette(ui).quiet)
}

fn ratio(times: [Spread; 2], equality: &Equality) -> Option<f64> {
    let [a, b] = times.map(|time| f64::from(time.p50));
    equality.ratio(a, b)
}

/// The amplified difference of two pictures, with grey for equal pixels, and the largest difference, in levels.
pub fn difference(a: &Frame, b: &Frame) -> (ColorImage, u8) {
    let mut largest = 0;
    let pixels = a
        .rgba()
        .chunks_exact(4)
        .zip(b.rgba().chunks_exact(4))
        .map(|(p, q)| {
            let mut c = |i: usize| {
                largest = largest.max(p[i].abs_diff(q[i]));
                let d = i32::from(p[i]) - i32::from(q[i]);
                (128 + d * i32::from(DIFFERENCE_GAIN)).clamp(0, 255) as u8
            };
            Color32::from_rgb(c(0), c(1), c(2))
        })
        .collect();
    (ColorImage::new(a.size().into(), pixels), largest)
}
