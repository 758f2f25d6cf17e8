//! The steps as a table, in the network's order or sorted by a column. In the network's order, their bars are on a time
//! axis.

use std::ops::Range;

use eframe::egui::{
    Align, Button, Layout, Rangef, Rect, Response, RichText, ScrollArea, Sense, Stroke, Ui,
    UiBuilder, vec2,
};

use super::{
    cells::{CELL_GAP, Line, ROW_HEIGHT, or_dash, step_color, step_legend},
    steps::{Column, Sorting},
};
use crate::widgets::theme;
use measure::{
    KernelRow, KernelTable,
    table::{milliseconds, percent},
};
use values::timing::TimingMethod;

/// Height of the lines below the table, in points.
const BELOW_HEIGHT: f32 = 46.0;

/// How a column is drawn.
struct Shown {
    column: Column,
    title: &'static str,
    /// The accessible name of its head.
    spoken: &'static str,
    hint: &'static str,
    /// Minimum width, in points.
    width: f32,
    align: Align,
}

impl Shown {
    const fn new(
        column: Column,
        title: &'static str,
        spoken: &'static str,
        (width, align): (f32, Align),
        hint: &'static str,
    ) -> Self {
        Self { column, title, spoken, hint, width, align }
    }
}

const COLUMNS: [Shown; 8] = [
    Shown::new(Column::Order, "#", "network order", (22.0, Align::Max), "Order in the network."),
    Shown::new(Column::Layer, "Layer", "layer", (78.0, Align::Min), "Layer of the step."),
    Shown::new(Column::Kernel, "Kernel", "kernel", (92.0, Align::Min), "Kernel of the step."),
    Shown::new(
        Column::Time,
        "Time, ms",
        "time",
        (62.0, Align::Max),
        "Mean of the last samples without the fastest and slowest, in milliseconds.",
    ),
    Shown::new(
        Column::Share,
        "Share",
        "share",
        (96.0, Align::Min),
        "Share of the sum of all steps. In the network's order, the bars show when each step runs.",
    ),
    Shown::new(
        Column::Bandwidth,
        "GB/s",
        "bandwidth",
        (48.0, Align::Max),
        "Minimum bytes read and written, per second.",
    ),
    Shown::new(
        Column::Arithmetic,
        "TFLOP/s",
        "arithmetic",
        (58.0, Align::Max),
        "Operations of the layer in direct form, per second, in 1e12; none for steps that only move or normalise data.",
    ),
    Shown::new(
        Column::Ceiling,
        "Of limit",
        "share of the limit",
        (56.0, Align::Max),
        "Shortest possible time divided by the measured time. Layers computed with fewer operations than the direct form can exceed 100 %.",
    ),
];

/// The columns; the share of the limit is left out if the limit is not known.
fn columns(table: &KernelTable) -> &'static [Shown] {
    match table.ceiling {
        Some(_) => &COLUMNS,
        None => &COLUMNS[..COLUMNS.len() - 1],
    }
}

/// Draws the table into `ui`.
pub fn ui(ui: &mut Ui, table: &KernelTable, sorting: &mut Sorting) {
    let sum_ms = table.sum_ms();
    step_legend(ui);
    // Leave space for the lines below.
    let height = (ui.available_height() - BELOW_HEIGHT).max(4.0 * ROW_HEIGHT);
    ScrollArea::horizontal()
        .id_salt("steps across")
        .auto_shrink([false, true])
        .max_height(height)
        .show(ui, |ui| {
            let columns = columns(table);
            let places = places(columns, ui.available_width());
            ui.spacing_mut().item_spacing.y = 0.0;
            head(ui, columns, &places, sorting);
            let order = sorting.order(&table.kernels);
            let longest_ms = table.kernels.iter().map(|k| k.ms).fold(0.0, f64::max);
            let mut end_ms = 0.0;
            let runs: Vec<Range<f64>> = (table.kernels.iter())
                .map(|step| {
                    end_ms += step.ms;
                    end_ms - step.ms..end_ms
                })
                .collect();
            let is_timeline = *sorting == Sorting::default();
            ScrollArea::vertical().id_salt("steps").auto_shrink([false, true]).show_rows(
                ui,
                ROW_HEIGHT,
                order.len(),
                |ui, shown| {
                    for &at in &order[shown] {
                        let (step, run) = (&table.kernels[at], &runs[at]);
                        let bar = if is_timeline {
                            [run.start / sum_ms, run.end / sum_ms]
                        } else {
                            [0.0, step.ms / longest_ms]
                        };
                        row(ui, columns, &places, table, at, run, bar);
                    }
                },
            );
        });
    ui.add_space(2.0);
    below(ui, table, sum_ms);
}

/// The columns' positions; remaining width is distributed to layer, kernel and, above all, share.
fn places(columns: &[Shown], available: f32) -> Vec<Rangef> {
    let least: f32 = columns.iter().map(|c| c.width + CELL_GAP).sum();
    let spare = (available - least).max(0.0);
    let of_name = (spare / 3.0).min(90.0);
    let mut left = 0.0;
    let mut places = Vec::with_capacity(columns.len());
    for shown in columns {
        let more = match shown.column {
            Column::Layer | Column::Kernel => of_name,
            Column::Share => spare - 2.0 * of_name,
            _ => 0.0,
        };
        let width = shown.width + more;
        places.push(Rangef::new(left, left + width));
        left += width + CELL_GAP;
    }
    places
}

fn head(ui: &mut Ui, columns: &[Shown], places: &[Rangef], sorting: &mut Sorting) {
    let width = places[places.len() - 1].max;
    let (rect, _) = ui.allocate_exact_size(vec2(width, ROW_HEIGHT + 2.0), Sense::hover());
    for (shown, place) in columns.iter().zip(places) {
        let left = rect.left();
        let cell = Rect::from_x_y_ranges(left + place.min..=left + place.max, rect.y_range());
        // The network's own order needs no mark.
        let is_sorted = *sorting != Sorting::default() && sorting.column == shown.column;
        if head_cell(ui, cell, shown, is_sorted.then_some(sorting.is_reversed)).clicked() {
            sorting.click(shown.column);
        }
    }
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, theme::palette(ui).outline));
}

/// A clickable head; `sorted` is set if the table is sorted by it, and `true` for descending order.
fn head_cell(ui: &mut Ui, cell: Rect, shown: &Shown, sorted: Option<bool>) -> Response {
    let title = shown.title;
    let text = match sorted {
        Some(true) => RichText::new(format!("{title} ↓")).small(),
        Some(false) => RichText::new(format!("{title} ↑")).small(),
        None => theme::small(ui, title),
    };
    let layout = match shown.align {
        Align::Max => Layout::right_to_left(Align::Center),
        _ => Layout::left_to_right(Align::Center),
    };
    let mut ui = ui.new_child(UiBuilder::new().id_salt(title).max_rect(cell).layout(layout));
    ui.spacing_mut().button_padding = vec2(2.0, 0.0);
    ui.add(Button::selectable(sorted.is_some(), text))
        .on_hover_text(shown.hint)
        .accessible_name(format!("Sort by {}", shown.spoken))
}

/// Draws a step, which runs at `run`, in milliseconds. `bar` is where its bar begins and ends, in shares of the width.
fn row(
    ui: &mut Ui,
    columns: &[Shown],
    places: &[Rangef],
    table: &KernelTable,
    at: usize,
    run: &Range<f64>,
    [from, to]: [f64; 2],
) {
    let step = &table.kernels[at];
    let share = step.ms / table.sum_ms();
    let width = places[places.len() - 1].max;
    let color = step_color(ui, step.flops > 0);
    let run = format!("from {} to {} ms", milliseconds(run.start), milliseconds(run.end));
    let name = format!("{}: {}", step.layer, step.kernel);
    let facts = facts(step, share, &run);
    let spoken = format!("{}. {} {}: {}", at + 1, step.layer, step.kernel, facts.join(", "));
    let (line, response) = Line::new(ui, width, spoken);
    for (shown, &place) in columns.iter().zip(places) {
        let text = match shown.column {
            Column::Order => (at + 1).to_string(),
            Column::Layer => step.layer.clone(),
            Column::Kernel => step.kernel.clone(),
            Column::Time => milliseconds(step.ms),
            Column::Share => {
                let number = Rangef::new(place.max - 52.0, place.max);
                let bar = Rangef::new(place.min, number.min - 4.0);
                line.track(bar);
                line.bar(bar, from as f32, to as f32, color);
                line.text(number, &percent(share), Align::Max, line.plain());
                continue;
            }
            Column::Bandwidth => or_dash((step.bytes > 0).then(|| format!("{:.1}", step.gb_per_s))),
            Column::Arithmetic => or_dash(step.tflops.map(teraflops)),
            Column::Ceiling => or_dash(step.ceiling_share.map(percent)),
        };
        let color = match shown.column {
            Column::Order => line.quiet(),
            _ => line.plain(),
        };
        line.text(place, &text, shown.align, color);
    }
    response.on_hover_ui(|ui| {
        ui.strong(name);
        ui.label(facts.join("\n"));
    });
}

/// The facts of a step, as texts.
fn facts(step: &KernelRow, share: f64, run: &str) -> Vec<String> {
    let mut facts = vec![format!("{} ms, {} of all", milliseconds(step.ms), percent(share))];
    if step.bytes > 0 {
        let megabytes = step.bytes as f64 / 1e6;
        facts.push(format!("{megabytes:.2} MB read and written, {:.1} GB/s", step.gb_per_s));
    }
    if let Some(tflops) = step.tflops {
        let gflop = step.flops as f64 / 1e9;
        facts.push(format!("{gflop:.3} GFLOP, {} TFLOP/s", teraflops(tflops)));
    }
    facts.extend(step.ceiling_share.map(|share| format!("{} of the limit", percent(share))));
    facts.push(run.to_owned());
    facts
}

/// The sum of the steps, the time of the whole run, and why they differ.
fn below(ui: &mut Ui, table: &KernelTable, sum_ms: f64) {
    let total_ms = table.total_ms;
    let difference = total_ms - sum_ms;
    let whole = match table.method {
        TimingMethod::Host => format!("Total {} ms", milliseconds(total_ms)),
        TimingMethod::Device => format!(
            "Sum of steps {} ms, total {} ms, difference {:+.3} ms ({:+.1} %)",
            milliseconds(sum_ms),
            milliseconds(total_ms),
            difference,
            100.0 * difference / total_ms.max(f64::MIN_POSITIVE)
        ),
    };
    ui.label(RichText::new(whole).size(13.0));
    let why = match table.method {
        TimingMethod::Device => {
            "The total replays a CUDA graph, which is faster than the single launches timed here."
        }
        TimingMethod::Host => "Steps are timed while painting.",
    };
    theme::cut_caption(
        ui,
        format!(
            "{} at {}, middle of {} {}, {}. {why}",
            table.mode,
            table.size.replace('x', " × "),
            table.frames,
            if table.frames == 1 { "sample" } else { "samples" },
            table.method.label()
        ),
    );
}

fn teraflops(tflops: f64) -> String {
    match tflops {
        t if t < 10.0 => format!("{t:.3}"),
        t => format!("{t:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_side_by_side_and_grow() {
        for available in [300.0, 560.0, 700.0, 2000.0] {
            let places = places(&COLUMNS, available);
            assert_eq!(places.len(), COLUMNS.len());
            for (place, shown) in places.iter().zip(&COLUMNS) {
                assert!(place.span() >= shown.width, "{available}");
            }
            assert!(places.windows(2).all(|p| p[0].max + CELL_GAP <= p[1].min + 0.01));
        }
        assert!(places(&COLUMNS, 700.0)[7].max <= 700.0);
    }
}
