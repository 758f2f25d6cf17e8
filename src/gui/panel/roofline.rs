//! The roofline: the operations per second of each step over its operations per byte, below the device's limits
//! (Williams, Waterman, Patterson: "Roofline", 2009).

use eframe::egui::{Role, Ui, vec2};
use egui_plot::{HoverPosition, Line, MarkerShape, PlotPoints, Points};

use super::cells::{plot, step_color};
use crate::{
    gui::theme,
    measure::{KernelRow, KernelTable, table::milliseconds},
    timing::Ceiling,
};

/// Name of the points in the plot.
const STEPS: &str = "Steps";

/// A step in the plot, both as decimal logarithms.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    /// Operations per byte.
    intensity: f64,
    /// Operations per second, in 1e12.
    tflops: f64,
    /// Position in the network.
    at: usize,
}

/// Draws the plot into `ui`.
pub fn ui(ui: &mut Ui, table: &KernelTable) {
    let places = places(&table.kernels);
    let left_out = table.kernels.len() - places.len();
    let bounds = bounds(&places, table.ceiling.as_ref());
    let palette = theme::palette(ui);
    let color = step_color(ui, true);
    // Leave space for the lines below.
    let height = (ui.available_height() - 58.0).max(160.0);
    let points: Vec<[f64; 2]> = places.iter().map(|p| [p.intensity, p.tflops]).collect();
    let roof = table.ceiling.as_ref().map(|ceiling| roof(ceiling, bounds.0));
    let names: Vec<String> = places.iter().map(|p| step_text(&table.kernels[p.at])).collect();
    let response = plot(ui, "roofline", [bounds.0, bounds.1])
        .height(height)
        .show_y(false)
        .set_margin_fraction(vec2(0.02, 0.02))
        .x_grid_spacer(decades)
        .y_grid_spacer(decades)
        .x_axis_label("FLOP per byte")
        .y_axis_label("TFLOP/s")
        .x_axis_formatter(|mark, _| power(mark.value))
        .y_axis_formatter(|mark, _| power(mark.value))
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, index, .. } if *plot_name == STEPS => {
                names.get(*index).cloned()
            }
            HoverPosition::NearDataPoint { plot_name, .. } => Some((*plot_name).to_owned()),
            HoverPosition::Elsewhere { .. } => None,
        })
        .show(ui, |plot| {
            if let Some(roof) = roof {
                let line = Line::new("Device limit", PlotPoints::from(roof));
                plot.line(line.color(palette.notice).width(1.5));
            }
            let shape = MarkerShape::Circle;
            let points = Points::new(STEPS, PlotPoints::from(points));
            plot.points(points.shape(shape).radius(4.0).color(color));
        })
        .response;
    theme::named(&response, Role::Image, &format!("Roofline of {} steps", places.len()));
    theme::caption(ui, caption(table.ceiling.as_ref(), left_out));
}

/// The steps that compute.
fn places(rows: &[KernelRow]) -> Vec<Place> {
    let place = |(at, row): (usize, &KernelRow)| {
        let intensity = row.intensity()?.log10();
        let tflops = row.tflops?.log10();
        (intensity.is_finite() && tflops.is_finite()).then_some(Place { intensity, tflops, at })
    };
    rows.iter().enumerate().filter_map(place).collect()
}

/// Minimum and maximum x and y to show, in decades.
fn bounds(places: &[Place], ceiling: Option<&Ceiling>) -> ([f64; 2], [f64; 2]) {
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], v| {
            [least.min(v), most.max(v)]
        })
    };
    let ridge = ceiling.and_then(ridge);
    let x = ends(&mut places.iter().map(|p| p.intensity).chain(ridge));
    let top = ceiling.and_then(|c| c.peak_tflops).map(f64::log10);
    let y = ends(&mut places.iter().map(|p| p.tflops).chain(top));
    let whole = |[least, most]: [f64; 2]| {
        if least.is_finite() && most.is_finite() {
            [least.floor(), most.ceil().max(least.floor() + 1.0)]
        } else {
            [0.0, 1.0]
        }
    };
    (whole(x), whole(y))
}

/// Where bandwidth and arithmetic take equally long, in decades of operations per byte.
fn ridge(ceiling: &Ceiling) -> Option<f64> {
    let peak = ceiling.peak_tflops?;
    Some((peak * 1e12 / (ceiling.copy_gb_per_s * 1e9)).log10())
}

/// The roof from the left to the right of the plot: along the bandwidth, then along the peak.
fn roof(ceiling: &Ceiling, [left, right]: [f64; 2]) -> Vec<[f64; 2]> {
    // 1e9 bytes per second times operations per byte, in 1e12.
    let by_bandwidth = |x: f64| x + ceiling.copy_gb_per_s.log10() - 3.0;
    match (ridge(ceiling), ceiling.peak_tflops) {
        (Some(ridge), Some(peak)) => {
            let peak = peak.log10();
            let ridge = ridge.max(left);
            vec![[left, by_bandwidth(left).min(peak)], [ridge, peak], [right.max(ridge), peak]]
        }
        _ => vec![[left, by_bandwidth(left)], [right, by_bandwidth(right)]],
    }
}

/// Marks at every power of ten, and fainter ones between them.
fn decades(input: egui_plot::GridInput) -> Vec<egui_plot::GridMark> {
    let (from, to) = input.bounds;
    let digits = (from.floor() as i32..=to.ceil() as i32)
        .flat_map(|decade| (1..=9).map(move |digit| (decade, digit)));
    digits
        .map(|(decade, digit)| egui_plot::GridMark {
            value: f64::from(decade) + f64::from(digit).log10(),
            step_size: if digit == 1 { 1.0 } else { 0.1 },
        })
        // Marks beyond the ends would be drawn outside the plot.
        .filter(|mark| (from..=to).contains(&mark.value))
        .collect()
}

/// A whole power of ten as a number; empty for other values.
fn power(exponent: f64) -> String {
    if (exponent - exponent.round()).abs() > 1e-6 {
        return String::new();
    }
    let decimals = (-exponent.round()).clamp(0.0, 9.0) as usize;
    format!("{:.decimals$}", 10f64.powf(exponent.round()))
}

fn step_text(row: &KernelRow) -> String {
    format!(
        "{}: {}\n{} ms, {:.1} FLOP per byte, {:.3} TFLOP/s",
        row.layer,
        row.kernel,
        milliseconds(row.ms),
        row.intensity().unwrap_or(0.0),
        row.tflops.unwrap_or(0.0)
    )
}

/// Explains the roof and what is not shown.
fn caption(ceiling: Option<&Ceiling>, left_out: usize) -> String {
    let mut text = match ceiling {
        Some(ceiling) => {
            let peak = (ceiling.peak_tflops)
                .map_or_else(String::new, |peak| format!(" and {peak:.0} TFLOP/s"));
            format!("Roof: {:.0} GB/s{peak} ({}).", ceiling.copy_gb_per_s, ceiling.method)
        }
        None => "The peak performance of this device is unknown, so there is no roof.".to_owned(),
    };
    if left_out > 0 {
        let steps = if left_out == 1 { "step" } else { "steps" };
        text.push_str(&format!(" Not shown: {left_out} {steps} without arithmetic."));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::StepTiming;

    fn row(flops: u64, bytes: u64, ms: f64) -> KernelRow {
        let step =
            StepTiming { layer: "conv1".to_owned(), kernel: "direct".to_owned(), ms, flops, bytes };
        KernelRow::of(&step, None)
    }

    fn ceiling(peak_tflops: Option<f64>) -> Ceiling {
        Ceiling { copy_gb_per_s: 4000.0, peak_tflops, method: "a copy".to_owned() }
    }

    #[test]
    fn steps_lie_where_their_work_puts_them() {
        // 100 operations per byte; 1e12 per second.
        let rows = [row(1_000_000_000, 10_000_000, 1.0), row(0, 5, 1.0)];
        let places = places(&rows);
        assert_eq!(places.len(), 1);
        assert!((places[0].intensity - 2.0).abs() < 1e-9 && places[0].tflops.abs() < 1e-9);
        let (x, y) = bounds(&places, Some(&ceiling(Some(1000.0))));
        assert_eq!((x, y), ([2.0, 3.0], [0.0, 3.0]));
        assert_eq!(bounds(&[], None), ([0.0, 1.0], [0.0, 1.0]));
    }

    #[test]
    fn the_roof_breaks_at_the_ridge() {
        let roof_of = |peak| roof(&ceiling(peak), [0.0, 4.0]);
        let broken = roof_of(Some(1000.0));
        assert!((broken[1][0] - 250f64.log10()).abs() < 1e-9);
        assert_eq!((broken[1][1], broken[2]), (3.0, [4.0, 3.0]));
        // 1 operation per byte at 4 TB/s is 4e12 per second.
        assert!((broken[0][1] - 4f64.log10()).abs() < 1e-9);
        assert_eq!(roof_of(None).len(), 2);
    }

    #[test]
    fn marks_stay_between_the_ends() {
        let input = egui_plot::GridInput { bounds: (-0.02, 1.02), base_step_size: 0.1 };
        let marks = decades(input);
        assert_eq!(marks.len(), 10);
        assert_eq!((marks[0].value, marks[9].value), (0.0, 1.0));
        assert!((marks[1].value - 2f64.log10()).abs() < 1e-12);
    }

    #[test]
    fn only_whole_powers_are_written() {
        let written = [-2.0, 0.0, 3.0, 0.301].map(power);
        assert_eq!(written, ["0.01", "1", "1000", ""]);
    }
}
