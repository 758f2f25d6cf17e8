//! The report of a measurement: its chart, its words, and ways to take them along.

use std::sync::Arc;

use eframe::egui::{self, Align2, ScrollArea, TextureHandle, TextureOptions, vec2};

use super::{LiveIntent, LiveView};
use crate::{
    gui::{intent::Intent, texture::image_of, theme},
    measure::{MeasureError, MeasureReport, chart},
};

/// A report on the screen.
pub struct ReportView {
    report: Arc<MeasureReport>,
    text: String,
    /// The chart, once it was drawn; `None` when it cannot be.
    chart: Option<Option<TextureHandle>>,
}

/// What a report is saved as: the name of the button, the file name's ending, the bytes.
type Writer = fn(&MeasureReport) -> Result<Vec<u8>, MeasureError>;

const WRITERS: [(&str, &str, Writer); 4] = [
    ("Text…", "txt", |report| Ok(report.text().into_bytes())),
    ("JSON…", "json", |report| {
        report.json().map(String::into_bytes)
    }),
    ("CSV…", "csv", |report| Ok(report.csv().into_bytes())),
    ("Chart…", "png", |report| chart::png(report)),
];

impl LiveView {
    /// Shows a report.
    pub(super) fn show_report(&mut self, report: Arc<MeasureReport>) {
        self.report = Some(ReportView {
            text: report.text(),
            report,
            chart: None,
        });
    }

    /// Draws the report over the window, while there is one.
    pub(in crate::gui) fn report_ui(&mut self, ctx: &egui::Context, intents: &mut Vec<Intent>) {
        let Some(view) = &mut self.report else {
            return;
        };
        let chart = view.chart.get_or_insert_with(|| {
            // Without it the words remain.
            let frame = chart::draw(&view.report).ok()?;
            Some(ctx.load_texture("report", image_of(&frame), TextureOptions::LINEAR))
        });
        let mut is_open = true;
        egui::Window::new("Measured")
            .open(&mut is_open)
            .collapsible(false)
            .resizable(false)
            .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
            .show(ctx, |ui| {
                let width = 720.0f32.min(ctx.content_rect().width() - 120.0);
                ui.set_width(width);
                if let Some(chart) = chart {
                    let height = width / chart.aspect_ratio();
                    let most = ctx.content_rect().height() * 0.5;
                    let size = vec2(width, height) * (most / height).min(1.0);
                    ui.add(egui::Image::from_texture((chart.id(), size)));
                }
                ScrollArea::vertical().max_height(150.0).show(ui, |ui| {
                    ui.monospace(view.text.trim_end());
                });
                ui.add_space(theme::GAP);
                ui.horizontal(|ui| {
                    if ui
                        .button("Copy")
                        .on_hover_text("The words, to the clipboard.")
                        .clicked()
                    {
                        ctx.copy_text(view.text.clone());
                    }
                    ui.separator();
                    ui.label("Save as");
                    for (name, ending, write) in WRITERS {
                        if ui.button(name).clicked() {
                            let file_name = format!("styleforge-comparison.{ending}");
                            intents.push(Intent::Live(match write(&view.report) {
                                Ok(bytes) => LiveIntent::Export { file_name, bytes },
                                Err(error) => LiveIntent::ExportFailed(error.to_string()),
                            }));
                        }
                    }
                });
            });
        if !is_open {
            intents.push(Intent::Live(LiveIntent::CloseReport));
        }
    }
}
