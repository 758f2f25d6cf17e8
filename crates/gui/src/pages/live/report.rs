//! The report of a measurement: its chart, its text, and buttons to save them.

use std::sync::Arc;

use eframe::egui::{self, Context, ScrollArea, TextureHandle, TextureOptions, Theme, Ui, vec2};

use crate::{
    intent::{Command, ShellCommand},
    shell::{shortcuts::close_button, tasks::OrText},
    widgets::{texture::image_of, theme},
};
use measure::{MeasureError, MeasureReport, chart::Colors};
use values::frame::Frame;

/// Maximum height of the text, in points; longer text scrolls.
const WORDS_HEIGHT: f32 = 150.0;
/// Height of the buttons and the space above them, in points.
const BUTTONS_HEIGHT: f32 = 56.0;
/// Minimum height of the chart, in points.
const MIN_CHART: f32 = 80.0;

/// A report on the screen.
pub struct ReportView {
    report: Arc<MeasureReport>,
    text: String,
    /// The texture, and the chart as a PNG file; `None` if it cannot be drawn.
    chart: Option<(TextureHandle, Vec<u8>)>,
}

/// The colours of a chart in the window.
pub fn chart_colors(theme: Theme) -> Colors {
    let visuals = theme::visuals(theme);
    let palette = theme::palette_of(&visuals);
    let [ground, ink, quiet, rule, wrong, reference, candidate] = [
        visuals.window_fill,
        visuals.strong_text_color(),
        palette.quiet,
        palette.outline,
        palette.error,
        palette.notice,
        palette.accent,
    ]
    .map(|color| color.to_array());
    Colors { ground, ink, quiet, rule, wrong, candidates: [reference, candidate] }
}

/// Makes the bytes of a report's file.
type Writer = fn(&MeasureReport) -> Result<Vec<u8>, MeasureError>;

const WRITERS: [(&str, &str, Writer); 3] = [
    ("Text…", "txt", |report| Ok(report.text().into_bytes())),
    ("JSON…", "json", |report| report.json().map(String::into_bytes)),
    ("CSV…", "csv", |report| Ok(report.csv().into_bytes())),
];

impl ReportView {
    /// A report with its chart, if that could be drawn.
    pub fn new(
        ctx: &Context,
        report: Arc<MeasureReport>,
        drawn: Option<&(Frame, Vec<u8>)>,
    ) -> Self {
        let chart = drawn.map(|(frame, png)| {
            (ctx.load_texture("report", image_of(frame), TextureOptions::LINEAR), png.clone())
        });
        Self { text: report.text(), report, chart }
    }

    pub fn ui(&self, ui: &mut Ui, is_fresh: bool) {
        ui.heading("Benchmark report");
        ui.add_space(4.0);
        if let Some((texture, _)) = &self.chart {
            let most = ui.available_height() - WORDS_HEIGHT - BUTTONS_HEIGHT;
            let room = vec2(ui.available_width(), most.max(MIN_CHART));
            ui.add(egui::Image::from_texture(texture).fit_to_exact_size(room));
        }
        let words_height = (ui.available_height() - BUTTONS_HEIGHT).clamp(40.0, WORDS_HEIGHT);
        ScrollArea::vertical().max_height(words_height).show(ui, |ui| {
            ui.monospace(self.text.trim_end());
        });
        ui.add_space(theme::GAP);
        ui.horizontal_wrapped(|ui| self.buttons(ui, is_fresh));
    }

    fn buttons(&self, ui: &mut Ui, is_fresh: bool) {
        if ui.button("Copy").on_hover_text("Copy the report as text.").clicked() {
            ui.copy_text(self.text.clone());
        }
        ui.separator();
        ui.label("Save as");
        let ctx = ui.ctx().clone();
        let export = |ending: &str, bytes: Result<Vec<u8>, MeasureError>| {
            ShellCommand::Export {
                file_name: format!("styleforge-comparison.{ending}"),
                bytes: bytes.or_text(),
            }
            .send(&ctx);
        };
        for (name, ending, write) in WRITERS {
            if ui.button(name).clicked() {
                export(ending, write(&self.report));
            }
        }
        if let Some((_, png)) = &self.chart
            && ui.button("Chart…").clicked()
        {
            export("png", Ok(png.clone()));
        }
        ui.separator();
        close_button(ui, is_fresh);
    }
}
