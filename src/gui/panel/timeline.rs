//! The steps one after another along the time axis, with a bar each.

use eframe::egui::{Align, Align2, FontId, Rangef, Rect, ScrollArea, Sense, Stroke, Ui, vec2};

use super::{
    cells::{CELL_GAP, Line, ROW_HEIGHT, step_color, step_legend},
    table::{details, milliseconds},
};
use crate::{
    gui::theme,
    measure::{
        KernelRow, KernelTable,
        chart::{decimals_of, round_step},
    },
};

/// Width of the names, in points.
const NAMES_WIDTH: f32 = 92.0;
/// Width of the times, in points.
const TIMES_WIDTH: f32 = 52.0;
/// Minimum space between two marks of the axis, in points.
const MARK_SPACE: f32 = 44.0;

/// Draws the timeline into `ui`.
pub fn ui(ui: &mut Ui, table: &KernelTable) {
    let sum_ms = table.sum_ms();
    let width = ui.available_width();
    let times = Rangef::new(width - TIMES_WIDTH, width);
    let bars = Rangef::new(NAMES_WIDTH + CELL_GAP, times.min - CELL_GAP);
    step_legend(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    let marks = axis(ui, width, bars, sum_ms);
    let mut starts_ms = Vec::with_capacity(table.kernels.len());
    let mut end_ms = 0.0;
    for step in &table.kernels {
        starts_ms.push(end_ms);
        end_ms += step.ms;
    }
    ScrollArea::vertical().id_salt("timeline").auto_shrink([false, false]).show_rows(
        ui,
        ROW_HEIGHT,
        table.kernels.len(),
        |ui, shown| {
            let top = ui.cursor().top();
            let bottom = top + ROW_HEIGHT * shown.len() as f32;
            let stroke = Stroke::new(1.0, theme::palette(ui).outline.gamma_multiply(0.5));
            for &x in &marks {
                ui.painter().vline(x, top..=bottom, stroke);
            }
            for at in shown {
                row(ui, (width, bars, times), &table.kernels[at], starts_ms[at], sum_ms);
            }
        },
    );
}

/// A step: its layer, its bar, its time; `places` are the total width and the positions of the bar and the time.
fn row(
    ui: &mut Ui,
    (width, bars, times): (f32, Rangef, Rangef),
    step: &KernelRow,
    start_ms: f64,
    sum_ms: f64,
) {
    let end_ms = start_ms + step.ms;
    let color = step_color(ui, step.flops > 0);
    let words = format!(
        "{} {}: from {} to {} ms",
        step.layer,
        step.kernel,
        milliseconds(start_ms),
        milliseconds(end_ms)
    );
    let (line, response) = Line::new(ui, width, words);
    line.text(Rangef::new(0.0, NAMES_WIDTH), &step.layer, Align::Min, line.plain());
    let share = |ms: f64| (ms / sum_ms) as f32;
    line.bar(bars, share(start_ms), share(end_ms), color);
    line.text(times, &milliseconds(step.ms), Align::Max, line.quiet());
    response.on_hover_ui(|ui| details(ui, step, step.ms / sum_ms));
}

/// Draws the axis above the bars; returns the positions of its marks.
fn axis(ui: &mut Ui, width: f32, bars: Rangef, sum_ms: f64) -> Vec<f32> {
    let (rect, _) = ui.allocate_exact_size(vec2(width, ROW_HEIGHT), Sense::hover());
    let palette = theme::palette(ui);
    let font = FontId::proportional(12.0);
    let track =
        Rect::from_x_y_ranges(rect.left() + bars.min..=rect.left() + bars.max, rect.y_range());
    let step_ms = round_step(sum_ms, (track.width() / MARK_SPACE) as usize);
    let decimals = decimals_of(step_ms);
    let mut marks = Vec::new();
    for mark in 0.. {
        let at_ms = step_ms * f64::from(mark);
        let x = track.left() + track.width() * (at_ms / sum_ms) as f32;
        if x > track.right() + 0.5 {
            break;
        }
        marks.push(x);
        let text = format!("{at_ms:.decimals$}");
        let at = rect.center().y;
        ui.painter().text((x, at).into(), Align2::CENTER_CENTER, text, font.clone(), palette.quiet);
    }
    let right = Align2::RIGHT_CENTER.pos_in_rect(&rect);
    ui.painter().text(right, Align2::RIGHT_CENTER, "ms", font, palette.quiet);
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, palette.outline));
    marks
}
