//! Chart of a sweep: time and memory along each axis, one line per network size.

use super::{
    Colors,
    canvas::{Anchor, Canvas, Rgba},
    encoded, faint, letters, round_step, sheet, strong,
};
use crate::{
    frame::Frame,
    measure::{
        MeasureError,
        sweep::{Axis, COMMON_SIZE, Cost, Series, SweepReport},
    },
    mode::ModelSize,
    timing::TimingMethod,
};

const SIZE_PX: (u16, u16) = (1200, 720);
/// Left and right margin, in pixels.
const MARGIN: f64 = 40.0;
/// Left edges and widths of the panels, in pixels.
const PANEL_LEFTS: [f64; 3] = [84.0, 500.0, 868.0];
const PANEL_WIDTHS: [f64; 3] = [338.0, 290.0, 290.0];
/// Tops and height of the panels (time, memory), in pixels.
const PANEL_TOPS: [f64; 2] = [150.0, 450.0];
const PANEL_HEIGHT: f64 = 190.0;

/// The value that a panel plots.
struct Quantity {
    name: &'static str,
    of: fn(&Cost) -> f64,
    /// A secondary value that is drawn faintly.
    faint: Option<fn(&Cost) -> f64>,
}

const QUANTITIES: [Quantity; 2] = [
    Quantity { name: "milliseconds", of: |cost| cost.device_ms, faint: Some(|cost| cost.host_ms) },
    Quantity {
        name: "megabytes of the plan",
        of: |cost| cost.peak_memory_bytes as f64 / 1e6,
        faint: None,
    },
];

/// Maps values to positions from 0 to 1: logarithmic for values that span orders of magnitude, otherwise linear from 0.
struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Scale {
    fn over(values: impl Iterator<Item = f64> + Clone, is_log: bool) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(0.0, f64::max).max(1e-9);
        Self {
            low: if is_log { low.clamp(1e-9, high) } else { 0.0 },
            high: high * if is_log { 1.2 } else { 1.06 },
            is_log,
        }
    }

    fn share(&self, value: f64) -> f64 {
        if self.is_log {
            let low = (self.low / 1.2).ln();
            (value.max(1e-9).ln() - low) / (self.high.ln() - low)
        } else {
            value / self.high
        }
    }

    /// Round values for tick marks. On a logarithmic scale, the fewest leading digits that give three marks; otherwise
    /// equal steps.
    fn marks(&self) -> Vec<f64> {
        let low = if self.is_log { self.low / 1.2 } else { 0.0 };
        if self.is_log {
            let decades = low.log10().floor() as i32..=self.high.log10().floor() as i32;
            for digits in [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0]] {
                let marks = decades
                    .clone()
                    .flat_map(|power| digits.iter().map(move |digit| digit * 10f64.powi(power)));
                let marks: Vec<f64> =
                    marks.filter(|mark| (low..=self.high).contains(mark)).collect();
                if marks.len() >= 3 {
                    return marks;
                }
            }
        }
        let step = round_step(self.high - low, 5);
        let (first, last) = ((low / step).ceil() as u32, (self.high / step) as u32);
        (first..=last).map(|mark| step * f64::from(mark)).collect()
    }
}

/// The sweep as a PNG file.
///
/// # Errors
/// [`MeasureError::Report`] if the font cannot be read or the image cannot be encoded.
pub fn png(report: &SweepReport) -> Result<Vec<u8>, MeasureError> {
    encoded(&draw(report, &Colors::PAPER)?)
}

fn draw(report: &SweepReport, colors: &Colors) -> Result<Frame, MeasureError> {
    let mut canvas = sheet(SIZE_PX, colors.ground)?;
    head(&mut canvas, report, colors);
    let nothing = if report.stopped { "not measured" } else { "nothing fits into memory" };
    for (axis, (left, width)) in
        Axis::ALL.into_iter().zip(PANEL_LEFTS.into_iter().zip(PANEL_WIDTHS))
    {
        let series: Vec<&Series> = (report.series.iter())
            .filter(|series| series.axis == axis && !series.costs.is_empty())
            .collect();
        for (quantity, top) in QUANTITIES.iter().zip(PANEL_TOPS) {
            let area = [left, top, left + width, top + PANEL_HEIGHT];
            panel(&mut canvas, axis, quantity, (&series, nothing), area, colors);
        }
    }
    Ok(canvas.finish())
}

fn head(canvas: &mut Canvas, report: &SweepReport, colors: &Colors) {
    let right = f64::from(SIZE_PX.0) - MARGIN;
    let width = (right - MARGIN) as f32;
    let title = format!("How cost grows: {} on {}", report.mode, report.device);
    let at = (MARGIN, 56.0);
    canvas.text_within(at, &title, strong(26.0, colors.ink), Anchor::Left, width);
    let line = format!(
        "random weights; {}{}  ·  StyleForge {}",
        report.protocol(),
        match report.method() {
            TimingMethod::Device => "; faint: on the host's clock, with transfers",
            TimingMethod::Host => "",
        },
        report.version
    );
    let quiet = letters(16.0, colors.quiet);
    canvas.text_within((MARGIN, 84.0), &line, quiet, Anchor::Left, width);
    let mut x = MARGIN;
    for model in [ModelSize::Full, ModelSize::Lite] {
        let is_drawn = |series: &Series| series.model == model && !series.costs.is_empty();
        if !report.series.iter().any(is_drawn) {
            continue;
        }
        canvas.area([x, 103.0, x + 26.0, 106.0], color_of(model, colors));
        let name = model.to_string();
        let at = (x + 34.0, 110.0);
        canvas.text(at, &name, letters(16.0, colors.ink), Anchor::Left);
        x += 34.0 + f64::from(canvas.width(&name, 16.0)) + 28.0;
    }
    let bottom = f64::from(SIZE_PX.1) - 14.0;
    let text = report.growth_text().unwrap_or_default();
    canvas.text_within((MARGIN, bottom), &text, quiet, Anchor::Left, width);
}

fn color_of(model: ModelSize, colors: &Colors) -> Rgba {
    colors.candidates[usize::from(model == ModelSize::Lite)]
}

fn panel(
    canvas: &mut Canvas,
    axis: Axis,
    quantity: &Quantity,
    (series, nothing): (&[&Series], &str),
    [left, top, right, bottom]: [f64; 4],
    colors: &Colors,
) {
    let is_log = axis == Axis::Size;
    let costs = series.iter().flat_map(|series| &series.costs);
    let x_scale = Scale::over(costs.clone().map(|cost| cost.place.along(axis)), is_log);
    let drawn = [Some(quantity.of), quantity.faint].into_iter().flatten();
    let values = costs.flat_map(|cost| drawn.clone().map(|value| value(cost)));
    let y_scale = Scale::over(values, is_log);
    let x = |along: f64| left + (right - left) * x_scale.share(along);
    let y = |value: f64| bottom - (bottom - top) * y_scale.share(value);

    let title = match axis {
        Axis::Size => quantity.name.to_owned(),
        Axis::Blocks | Axis::Batch => {
            format!("{}, {}x{}", quantity.name, COMMON_SIZE.0, COMMON_SIZE.1)
        }
    };
    let at = (left, top - 12.0);
    canvas.text(at, &title, strong(15.0, colors.ink), Anchor::Left);
    let quiet = letters(14.0, colors.quiet);
    for mark in y_scale.marks().iter().filter(|_| !series.is_empty()) {
        let at = y(*mark);
        canvas.area([left, at - 0.5, right, at + 0.5], colors.rule);
        canvas.text((left - 8.0, at + 5.0), &number(*mark), quiet, Anchor::Right);
    }
    canvas.area([left, bottom - 0.5, right, bottom + 0.5], colors.quiet);
    let longest = series.iter().max_by_key(|series| series.costs.len());
    let Some(longest) = longest else {
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        canvas.text(middle, nothing, quiet, Anchor::Middle);
        return;
    };
    let x_marks = match axis {
        Axis::Size => x_scale.marks(),
        Axis::Blocks | Axis::Batch => {
            (longest.costs.iter()).map(|cost| cost.place.along(axis)).collect()
        }
    };
    let mut free_from = f64::NEG_INFINITY;
    for mark in x_marks {
        let text = number(mark);
        let half = f64::from(canvas.width(&text, 14.0)) / 2.0;
        if x(mark) - half > free_from {
            canvas.text((x(mark), bottom + 20.0), &text, quiet, Anchor::Middle);
            free_from = x(mark) + half + 6.0;
        }
    }
    let unit = match axis {
        Axis::Size => "megapixels",
        Axis::Blocks => "residual blocks",
        Axis::Batch => "frames at once",
    };
    canvas.text((right, bottom + 40.0), unit, quiet, Anchor::Right);

    for series in series {
        let color = color_of(series.model, colors);
        let points = |value: fn(&Cost) -> f64| -> Vec<(f64, f64)> {
            let point = |cost: &Cost| (x(cost.place.along(axis)), y(value(cost)));
            series.costs.iter().map(point).collect()
        };
        if let Some(value) = quantity.faint {
            canvas.line(&points(value), 1.5, faint(color, 110));
        }
        let strong = points(quantity.of);
        canvas.line(&strong, 2.5, color);
        for point in strong {
            canvas.dot(point, 3.5, color);
        }
    }
}

/// The label of a tick mark, without trailing zeros.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::sweep::tests::{report_of, series};

    fn report(factor: f64) -> SweepReport {
        let all = Axis::ALL.into_iter().flat_map(|axis| {
            [ModelSize::Full, ModelSize::Lite].map(|model| series(axis, model, factor))
        });
        let series: Vec<Series> = all.collect();
        report_of(series)
    }

    #[test]
    fn costs_that_grow_alone_change_their_panel_alone() {
        let (plain, costly) = (report(1.0), report(2.0));
        let [plain, costly] = [plain, costly].map(|r| draw(&r, &Colors::PAPER).expect("letters"));
        let panel = |picture: &Frame, column: usize, row: usize| {
            let (left, top) = (PANEL_LEFTS[column] as usize, PANEL_TOPS[row] as usize);
            picture.crop(left, top, PANEL_WIDTHS[column] as usize, PANEL_HEIGHT as usize)
        };
        assert!(panel(&plain, 0, 0) != panel(&costly, 0, 0));
        for (column, row) in [(1, 0), (2, 0), (0, 1), (1, 1), (2, 1)] {
            assert!(panel(&plain, column, row) == panel(&costly, column, row), "{column} {row}");
        }
    }

    #[test]
    fn sizes_that_cost_more_than_their_pixels_are_named() {
        let text = report(1.3).growth_text().expect("sizes");
        assert!(
            text.ends_with("smaller size: full 1.30x at 1280x720, lite 1.30x at 1280x720"),
            "{text}"
        );
    }

    #[test]
    fn a_sweep_that_ends_at_once_is_drawn() {
        let mut short = report(1.0);
        for series in &mut short.series {
            series.costs.truncate(1);
        }
        draw(&short, &Colors::PAPER).expect("letters");
        short.series.clear();
        draw(&short, &Colors::PAPER).expect("letters");
    }

    #[test]
    fn marks_are_round() {
        let scale = |is_log| Scale::over([0.03, 40.0].into_iter(), is_log);
        assert_eq!(scale(true).marks(), [0.1, 1.0, 10.0]);
        assert_eq!(scale(false).marks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        let log = |low, high| Scale::over([low, high].into_iter(), true).marks();
        assert_eq!(log(0.5, 12.0), [1.0, 3.0, 10.0]);
        assert_eq!(log(1.1, 7.0), [1.0, 2.0, 5.0]);
        assert_eq!(log(3.0, 40.0), [3.0, 10.0, 30.0]);
        assert_eq!(log(36.2, 36.2), [35.0, 40.0]);
        assert_eq!([0.1, 1.0, 10.0, 2.5].map(number), ["0.1", "1", "10", "2.5"]);
    }
}
