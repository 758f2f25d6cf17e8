//! The roofline: the operations per second of each step over its operations per byte, below the device's limits
//! (Williams, Waterman, Patterson: "Roofline", 2009).

use eframe::egui::{Role, Ui, vec2};
use egui_plot::{HoverPosition, Line, MarkerShape, PlotPoints, Points};
use itertools::Itertools;

use super::cells::{plot, step_color};
use crate::widgets::theme;
use measure::{KernelRow, KernelTable, table::milliseconds};
use values::timing::Ceiling;

/// Name of the points in the plot.
const STEPS: &str = "Steps";

/// Draws the plot into `ui`.
pub fn ui(ui: &mut Ui, table: &KernelTable) {
    let steps = table.kernels.iter().filter_map(|row| Some((step_text(row), place(row)?)));
    let (names, points): (Vec<String>, Vec<[f64; 2]>) = steps.unzip();
    let count = points.len();
    let roof = table.ceiling.as_ref().map(|ceiling| roof(ceiling, &points));
    let palette = theme::palette(ui);
    let color = step_color(ui, true);
    // Leave space for the lines below.
    let height = (ui.available_height() - 58.0).max(160.0);
    // Whole decades, because only these have numbers.
    let whole = points.iter().fold(plot(ui, "roofline"), |plot, [x, y]| {
        plot.include_x(x.floor()).include_x(x.ceil()).include_y(y.floor()).include_y(y.ceil())
    });
    let response = whole
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
            let points = Points::new(STEPS, PlotPoints::from(points));
            plot.points(points.shape(MarkerShape::Circle).radius(4.0).color(color));
        })
        .response;
    theme::named(&response, Role::Image, &format!("Roofline of {count} steps"));
    theme::caption(ui, caption(table.ceiling.as_ref(), table.kernels.len() - count));
}

/// Where a step that computes is in the plot: operations per byte, and 1e12 operations per second, as decimal
/// logarithms.
fn place(row: &KernelRow) -> Option<[f64; 2]> {
    let place = [row.intensity()?, row.tflops?].map(f64::log10);
    place.iter().all(|value| value.is_finite()).then_some(place)
}

/// The roof over these points: along the bandwidth, then along the peak.
fn roof(ceiling: &Ceiling, points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    // 1e9 bytes per second times operations per byte, in 1e12.
    let bandwidth = ceiling.copy_gb_per_s.log10() - 3.0;
    let peak = ceiling.peak_tflops.map(f64::log10);
    // Where both take equally long.
    let ridge = peak.map(|peak| peak - bandwidth);
    let (left, right) = points
        .iter()
        .map(|[x, _]| *x)
        .chain(ridge)
        .minmax_by(f64::total_cmp)
        .into_option()
        .unwrap_or_default();
    let along = [Some(left.floor()), ridge, Some(right.ceil())];
    let height = |x: f64| (x + bandwidth).min(peak.unwrap_or(f64::INFINITY));
    along.into_iter().flatten().map(|x| [x, height(x)]).collect()
}

/// Marks at every power of ten, and fainter ones between them.
fn decades(input: egui_plot::GridInput) -> Vec<egui_plot::GridMark> {
    let (from, to) = input.bounds;
    (from.floor() as i32..=to.ceil() as i32)
        .flat_map(|decade| (1..=9).map(move |digit| (decade, digit)))
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
    use values::timing::StepTiming;

    fn row(flops: u64, bytes: u64, ms: f64) -> KernelRow {
        let step =
            StepTiming { layer: "conv1".to_owned(), kernel: "direct".to_owned(), ms, flops, bytes };
        KernelRow::of(&step, None)
    }

    fn ceiling(peak_tflops: Option<f64>) -> Ceiling {
        Ceiling { copy_gb_per_s: 4000.0, peak_tflops, method: "a copy".to_owned() }
    }

    #[test]
    fn steps_are_plotted_at_their_work() {
        // 100 operations per byte; 1e12 per second.
        let rows = [row(1_000_000_000, 10_000_000, 1.0), row(0, 5, 1.0)];
        let [x, y] = place(&rows[0]).expect("it computes");
        assert!((x - 2.0).abs() < 1e-9 && y.abs() < 1e-9);
        assert_eq!(place(&rows[1]), None);
    }

    #[test]
    fn the_roof_breaks_at_the_ridge() {
        let roof_of = |peak| roof(&ceiling(peak), &[[0.3, 0.0], [3.7, 0.0]]);
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
