//! The counters: frames per second, latency and its stages, dropped frames, memory and sizes.

use std::time::Instant;

use eframe::egui::{Align, Color32, Rangef, Response, RichText, Role, Sense, Ui, vec2};
use egui_plot::{GridMark, HoverPosition, Line as PlotLine, PlotPoints};

use super::{
    cells::{CELL_GAP, Line, or_dash, plot},
    meters::{HISTORY, Meters, Point, Rates, STAGES, unbroken},
};
use crate::widgets::theme::{self, group_title};
use backend::DeviceInfo;
use engine::live::{LiveSample, meter::Spread};
use measure::chart::{decimals_of, round_step};
use plan::ConvProvider;

/// Minimum width of a column of groups, in points.
const COLUMN_WIDTH: f32 = 235.0;
/// Height of a plot of the last minute, in points.
const PLOT_HEIGHT: f32 = 84.0;

/// Half the width of the label at the right end of a plot's axis, which extends beyond it, in points.
const MARK_OUT: f32 = 14.0;

/// Draws the counters into `ui`, in one column or, if there is space, in up to three.
pub fn ui(
    ui: &mut Ui,
    meters: &Meters,
    sample: Option<&LiveSample>,
    device: &DeviceInfo,
    now: Instant,
) {
    let draw = |ui: &mut Ui, group: usize| match group {
        0 => rates(ui, meters, now),
        1 => latency(ui, meters, now),
        2 => stages(ui, meters, now),
        _ => {
            dropped(ui, meters);
            ui.add_space(theme::GROUP_GAP);
            memory(ui, meters, sample, device);
        }
    };
    let columns: &[&[usize]] = match (ui.available_width() / COLUMN_WIDTH) as usize {
        0 | 1 => &[&[0, 1, 2, 3]],
        2 => &[&[0, 1], &[2, 3]],
        3 => &[&[0, 1], &[2], &[3]],
        _ => &[&[0], &[1], &[2], &[3]],
    };
    ui.spacing_mut().item_spacing.x = theme::GROUP_GAP;
    ui.columns(columns.len(), |uis| {
        for (ui, groups) in uis.iter_mut().zip(columns) {
            for (place, &group) in groups.iter().enumerate() {
                if place > 0 {
                    ui.add_space(theme::GROUP_GAP);
                }
                draw(ui, group);
            }
        }
    });
}

/// A rate: its name, description, colour and value.
type RateSeries = (&'static str, &'static str, Color32, fn(&Rates) -> f32);

fn rates(ui: &mut Ui, meters: &Meters, now: Instant) {
    let width = ui.available_width();
    group_title(ui, "Frames per second");
    let rates = meters.rates(now);
    let palette = theme::palette(ui);
    let series: [RateSeries; 3] = [
        ("Source", "Frames from the source.", palette.quiet, |r| r.source_fps),
        ("Painted", "Frames that were painted.", palette.notice, |r| r.engine_fps),
        ("Shown", "Frames that were shown.", palette.accent, |r| r.shown_fps),
    ];
    ui.columns(3, |columns| {
        for (ui, (name, hint, color, of)) in columns.iter_mut().zip(&series) {
            figure(ui, name, &tenths(of(&rates)), "fps", *color).on_hover_text(*hint);
        }
    });
    let lines = series.map(|(name, _, color, of)| {
        let point = |p: &Point| [ago_s(p, now), f64::from(of(&p.rates))];
        (name, color, unbroken(meters.history(now).map(point)))
    });
    history_plot(ui, width, "Frames per second of the last minute", "fps", lines);
}

fn latency(ui: &mut Ui, meters: &Meters, now: Instant) {
    let width = ui.available_width();
    group_title(ui, "Latency from capture to screen");
    let delay = meters.delay_ms(now);
    let palette = theme::palette(ui);
    let of = |value: fn(Spread) -> f32| or_dash(delay.map(|d| tenths(value(d))));
    ui.columns(2, |columns| {
        figure(&mut columns[0], "Median", &of(|d| d.p50), "ms", palette.accent)
            .on_hover_text("Median (p50): half of the frames took at most this long.");
        figure(&mut columns[1], "p95", &of(|d| d.p95), "ms", palette.quiet)
            .on_hover_text("95th percentile (p95): 95 of 100 frames took at most this long.");
    });
    let line = |of: fn(Spread) -> f32| {
        let point = |p: &Point| p.delay_ms.map(|d| [ago_s(p, now), f64::from(of(d))]);
        unbroken(meters.history(now).filter_map(point))
    };
    history_plot(
        ui,
        width,
        "Latency of the last minute",
        "ms",
        [("p95", palette.quiet, line(|d| d.p95)), ("Median", palette.accent, line(|d| d.p50))],
    );
}

/// The stages of the latency, each with its share.
fn stages(ui: &mut Ui, meters: &Meters, now: Instant) {
    let whole = meters.delay_ms(now).map_or(0.0, |d| d.p50).max(f32::EPSILON);
    let palette = theme::palette(ui);
    group_title(ui, "Latency by stage, ms");
    let width = ui.available_width();
    let number = 50.0;
    let p95 = Rangef::new(width - number, width);
    let p50 = Rangef::new(p95.min - CELL_GAP - number, p95.min - CELL_GAP);
    let name = Rangef::new(0.0, 76.0);
    let bar = Rangef::new(name.max + CELL_GAP, p50.min - CELL_GAP);
    close_lines(ui, |ui| {
        let (head, _) = Line::new(ui, width, "Median, p95".to_owned());
        head.text(p50, "Median", Align::Max, head.quiet());
        head.text(p95, "p95", Align::Max, head.quiet());
        for (place, ((stage, hint), spread)) in STAGES.iter().zip(meters.stages_ms(now)).enumerate()
        {
            let of = |value: fn(Spread) -> f32| or_dash(spread.map(|s| tenths(value(s))));
            let median = of(|s| s.p50);
            let most = of(|s| s.p95);
            let unit = if spread.is_some() { " ms" } else { "" };
            let words = format!("{stage}: median {median}{unit}, p95 {most}{unit}");
            let (line, response) = Line::new(ui, width, words);
            // Time before the source has the frame is not a share of the latency.
            let (color, bar_color) = match place {
                0 => (line.quiet(), palette.outline),
                _ => (line.plain(), palette.accent),
            };
            line.text(name, stage, Align::Min, color);
            line.track(bar);
            if let Some(spread) = spread.filter(|s| s.p50 > 0.0) {
                line.bar(bar, 0.0, spread.p50 / whole, bar_color);
            }
            line.text(p50, &median, Align::Max, color);
            line.text(p95, &most, Align::Max, line.quiet());
            response.on_hover_text(*hint);
        }
    });
}

fn dropped(ui: &mut Ui, meters: &Meters) {
    group_title(ui, "Dropped frames");
    let newest = meters.newest;
    let engine = newest.map(|n| (n.facts.dropped, n.facts.captured));
    let screen = newest.map(|n| (n.dropped_before_screen, n.facts.painted));
    let both = [
        (
            "Skipped before painting",
            engine,
            "A newer frame arrived before the engine was ready. Only the newest is painted, to keep the latency low.",
        ),
        (
            "Painted, not shown",
            screen,
            "A newer frame was ready before the window showed this one.",
        ),
    ];
    close_lines(ui, |ui| {
        for (name, counts, why) in both {
            let value = or_dash(counts.map(|(dropped, of)| {
                let percent = 100.0 * dropped as f64 / of.max(1) as f64;
                format!("{percent:.1} % ({dropped})")
            }));
            let of = counts.map_or_else(String::new, |(n, of)| format!("{n} of {of}. "));
            fact(ui, name, &value).on_hover_text(format!("{of}{why}"));
        }
    });
}

fn memory(ui: &mut Ui, meters: &Meters, sample: Option<&LiveSample>, device: &DeviceInfo) {
    group_title(ui, "Device and size");
    let facts = meters.newest.map(|n| n.facts);
    let working = facts.map(|f| {
        let (width, height) = f.working;
        format!("{width} × {height} px")
    });
    let conv_provider = sample.and_then(|s| s.conv_provider.as_ref());
    let mode = facts.map(|f| match (f.mode, sample) {
        (Some(mode), Some(sample)) if sample.mode == mode => {
            ConvProvider::mode_label(mode, conv_provider)
        }
        _ => f.mode.map_or_else(|| "None (unpainted source)".to_owned(), |mode| mode.to_string()),
    });
    let why = conv_provider
        .and_then(|c| c.reason.as_ref())
        .map_or_else(String::new, |why| format!(" StyleForge's own kernels, because {why}."));
    // Details about engines are for users who look for them, so they are in the tooltip.
    let details =
        format!("{}, {}. Mode: {}.{why}", device.parallelism(), device.instructions, or_dash(mode));
    close_lines(ui, |ui| {
        let mut line = |name, value: &str, hint: &str| {
            fact(ui, name, value).on_hover_text(hint);
        };
        line("Device", &device.name, &details);
        line("Painted at", &or_dash(working), "Size at which the network sees a frame.");
        let Some(sample) = sample else {
            return;
        };
        line(
            "Memory in use",
            &megabytes(sample.session_bytes),
            "Planned memory of the loaded networks: weights and maps.",
        );
        if let Some(free) = sample.free_bytes {
            line("Memory free", &megabytes(free), "Free memory of the device.");
        }
        let hint = "Cost of the last timing sample. Samples take at most 1 % of the time, and none are taken while this panel is closed.";
        line("Timing the steps", &format!("{} ms", tenths(sample.cost_ms as f32)), hint);
    });
}

/// Lines without space between them.
fn close_lines(ui: &mut Ui, draw: impl FnOnce(&mut Ui)) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        draw(ui);
    });
}

/// A large number below its name.
fn figure(ui: &mut Ui, name: &str, value: &str, unit: &str, color: Color32) -> Response {
    let response = ui
        .vertical(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 0.0);
            ui.horizontal(|ui| {
                let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
                ui.painter().circle_filled(dot.center(), 4.0, color);
                theme::caption(ui, name);
            });
            ui.horizontal(|ui| {
                ui.label(RichText::new(value).size(22.0));
                theme::caption(ui, unit);
            });
        })
        .response;
    theme::named(&response, Role::Label, &format!("{name}: {value} {unit}"));
    response
}

/// A name and its value on one line.
fn fact(ui: &mut Ui, name: &str, value: &str) -> Response {
    let width = ui.available_width();
    let (line, response) = Line::new(ui, width, format!("{name}: {value}"));
    let middle = (width * 0.5).min(130.0);
    line.text(Rangef::new(0.0, middle), name, Align::Min, line.quiet());
    line.text(Rangef::new(middle + CELL_GAP, width), value, Align::Min, line.plain());
    response
}

/// A name, a colour, and the segments of a line: seconds before now (negative), and values.
type Series<'a> = (&'a str, Color32, Vec<Vec<[f64; 2]>>);

/// Lines over the last minute.
fn history_plot<const N: usize>(
    ui: &mut Ui,
    width: f32,
    name: &str,
    unit: &'static str,
    lines: [Series<'_>; N],
) {
    let plot = plot(ui, name)
        .include_x(-HISTORY.as_secs_f64())
        .include_x(0.0)
        .include_y(0.0)
        .include_y(1.0)
        .width(width - MARK_OUT)
        .height(PLOT_HEIGHT)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(vec2(0.0, 0.08))
        .y_axis_min_width(30.0)
        .x_grid_spacer(|_| marks(-HISTORY.as_secs_f64(), 0.0, 20.0))
        .y_grid_spacer(|input| {
            let (from, to) = input.bounds;
            marks(0.0, to, round_step(to - from, 3))
        })
        .x_axis_formatter(|mark, _| match mark.value {
            value if value > -0.5 => "now".to_owned(),
            value => format!("{value:.0} s"),
        })
        .y_axis_formatter(|mark, _| {
            let decimals = decimals_of(mark.step_size);
            format!("{:.decimals$}", mark.value)
        })
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}: {:.1} {unit}, {:.0} s ago", position.y, -position.x))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    // A column layout would stretch the plot to the column's width.
    let shown = ui.horizontal(|ui| {
        plot.show(ui, |plot| {
            for (name, color, pieces) in lines {
                for (place, points) in pieces.into_iter().enumerate() {
                    let line = PlotLine::new(name, PlotPoints::from(points)).id((name, place));
                    plot.line(line.color(color).width(1.5));
                }
            }
        })
    });
    theme::named(&shown.inner.response, Role::Image, name);
}

/// Marks from one end of an axis to the other.
fn marks(from: f64, to: f64, step: f64) -> Vec<GridMark> {
    let count = ((to - from) / step + 1e-6) as usize;
    (0..=count).map(|mark| GridMark { value: from + step * mark as f64, step_size: step }).collect()
}

/// Time of a point relative to now, in seconds; negative.
fn ago_s(point: &Point, now: Instant) -> f64 {
    -now.saturating_duration_since(point.at).as_secs_f64()
}

fn tenths(value: f32) -> String {
    format!("{value:.1}")
}

/// An amount of memory as text.
fn megabytes(bytes: u64) -> String {
    match bytes {
        0..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
