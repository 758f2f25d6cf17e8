//! Chart of a comparison: for each candidate a bar as long as its median, a dot for every run, and the measuring
//! conditions.

use super::{Colors, decimals_of, encoded, faint, letters, round_step, sheet, strong};
use crate::{CandidateReport, MeasureError, MeasureReport, table::milliseconds};
use media::{
    canvas::{Anchor, Canvas, Rgba},
    record::pictures,
};
use values::{frame::Frame, timing::TimingMethod};

/// Width and height of a chart.
const SIZE_PX: (u16, u16) = (1200, 700);

impl Colors {
    /// Text colour of the verdict.
    fn of_verdict(&self, report: &MeasureReport) -> Rgba {
        match report.ratio {
            Some(_) => self.ink,
            None => self.wrong,
        }
    }
}

/// Left and right margin, in pixels.
const MARGIN: f64 = 60.0;
/// Tops of the two rows, in pixels.
const ROWS_TOP: [f64; 2] = [170.0, 350.0];
/// Distance from a row's top to its bar.
const BAR_BELOW: f64 = 44.0;
const BAR_HEIGHT: f64 = 84.0;
/// Top of the axis.
const AXIS_TOP: f64 = 524.0;
/// Runs beyond this many times the slower candidate's p95 are counted, not drawn.
const FARTHEST: f64 = 1.3;

/// Draws the chart in these colours.
///
/// # Errors
/// [`MeasureError::Report`] if the font cannot be read.
pub fn draw(report: &MeasureReport, colors: &Colors) -> Result<Frame, MeasureError> {
    let mut canvas = sheet(SIZE_PX, colors.ground)?;
    head(&mut canvas, report, colors);
    let method = report.ratio_method;
    let longest = longest_ms(report.candidates(), method);
    axis(&mut canvas, longest, method, colors);
    for (place, candidate) in report.candidates().into_iter().enumerate() {
        let (top, color) = (ROWS_TOP[place], colors.candidates[place]);
        row(&mut canvas, report, candidate, longest, (top, color), colors);
    }
    foot(&mut canvas, report, colors);
    Ok(canvas.finish())
}

/// The chart as a PNG file.
///
/// # Errors
/// See [`draw`]; also if it cannot be encoded.
pub fn png(report: &MeasureReport) -> Result<Vec<u8>, MeasureError> {
    encoded(&draw(report, &Colors::PAPER)?)
}

/// Upper end of the axis, in milliseconds.
fn longest_ms(candidates: [&CandidateReport; 2], method: TimingMethod) -> f64 {
    let slowest = (candidates.iter().flat_map(|candidate| candidate.runs_by(method)))
        .copied()
        .fold(0.0, f64::max);
    let most = candidates.iter().map(|candidate| candidate.p95_ms_by(method));
    let most = most.fold(0.0, f64::max) * FARTHEST;
    slowest.min(most).max(1e-6) * 1.03
}

fn right() -> f64 {
    f64::from(SIZE_PX.0) - MARGIN
}

/// X coordinate of a time.
fn x_of(ms: f64, longest_ms: f64) -> f64 {
    MARGIN + (right() - MARGIN) * (ms / longest_ms)
}

fn head(canvas: &mut Canvas, report: &MeasureReport, colors: &Colors) {
    let color = colors.of_verdict(report);
    let width = (right() - MARGIN) as f32;
    let title = capitalised(&report.verdict());
    canvas.text_within((MARGIN, 84.0), &title, strong(36.0, color), Anchor::Left, width);
    let line = format!(
        "{}  ·  {}  ·  {} pixels",
        report.devices(),
        report.style,
        report.size.replace('x', " × ")
    );
    let quiet = letters(20.0, colors.quiet);
    canvas.text_within((MARGIN, 122.0), &line, quiet, Anchor::Left, width);
}

fn axis(canvas: &mut Canvas, longest_ms: f64, method: TimingMethod, colors: &Colors) {
    let step = round_step(longest_ms, 8);
    let (decimals, quiet) = (decimals_of(step), letters(16.0, colors.quiet));
    for mark in 0.. {
        let ms = step * f64::from(mark);
        let x = x_of(ms, longest_ms);
        if x > right() {
            break;
        }
        // Do not draw through the text above the bars.
        for (place, top) in ROWS_TOP.into_iter().enumerate() {
            let end = if place == 0 { top + BAR_BELOW + BAR_HEIGHT + 8.0 } else { AXIS_TOP };
            canvas.area([x - 0.5, top + BAR_BELOW - 8.0, x + 0.5, end], colors.rule);
        }
        let text = format!("{ms:.decimals$}");
        canvas.text((x, AXIS_TOP + 24.0), &text, quiet, Anchor::Middle);
    }
    canvas.area([MARGIN, AXIS_TOP - 0.5, right(), AXIS_TOP + 1.0], colors.quiet);
    let unit = format!("milliseconds a frame, {}", method.label());
    canvas.text((right(), AXIS_TOP + 50.0), &unit, quiet, Anchor::Right);
}

/// Draws one candidate's row from `top` down.
fn row(
    canvas: &mut Canvas,
    report: &MeasureReport,
    candidate: &CandidateReport,
    longest_ms: f64,
    (top, color): (f64, Rgba),
    colors: &Colors,
) {
    let method = report.ratio_method;
    let (p50, p95) = (candidate.p50_ms_by(method), candidate.p95_ms_by(method));
    let runs = candidate.runs_by(method);
    let beyond = runs.iter().filter(|&&ms| ms > longest_ms).count();
    let mut figures = format!("p95 {} ms  ·  {:.1} frames/s", milliseconds(p95), candidate.fps);
    if method == TimingMethod::Device {
        // The frame rates are by the host's clock.
        figures.push_str(" with transfers");
    }
    if beyond > 0 {
        let runs = if beyond == 1 { "run" } else { "runs" };
        figures.push_str(&format!("  ·  {beyond} {runs} beyond the axis"));
    }
    let baseline = top + 28.0;
    let quiet = letters(18.0, colors.quiet);
    canvas.text((right(), baseline), &figures, quiet, Anchor::Right);
    let figures_width = f64::from(canvas.width(&figures, 18.0));
    let median = milliseconds(p50) + " ms";
    let at = (right() - figures_width - 22.0, baseline);
    canvas.text(at, &median, strong(28.0, color), Anchor::Right);
    let median_width = f64::from(canvas.width(&median, 28.0));
    let free = right() - MARGIN - figures_width - median_width - 60.0;
    let (name, ink) = (report.label(candidate), strong(22.0, colors.ink));
    canvas.text_within((MARGIN, baseline), &name, ink, Anchor::Left, free as f32);

    let top = top + BAR_BELOW;
    let bottom = top + BAR_HEIGHT;
    let x = |ms: f64| x_of(ms, longest_ms);
    canvas.area([MARGIN, top, x(p50), bottom], faint(color, 70));
    for (number, &ms) in runs.iter().enumerate() {
        if ms <= longest_ms {
            // Spread vertically, so that equal times can be distinguished. The fractional parts of multiples of the
            // golden ratio never repeat.
            let share = (number as f64 * 0.618_033_988_75).fract();
            let y = top + 10.0 + share * (BAR_HEIGHT - 20.0);
            canvas.dot((x(ms), y), 2.6, faint(color, 120));
        }
    }
    canvas.area([x(p50) - 1.5, top - 4.0, x(p50) + 1.5, bottom + 4.0], color);
    let middle = f64::midpoint(top, bottom);
    canvas.area([x(p95) - 0.75, middle - 14.0, x(p95) + 0.75, middle + 14.0], color);
}

fn foot(canvas: &mut Canvas, report: &MeasureReport, colors: &Colors) {
    let width = (right() - MARGIN) as f32;
    let equality = &report.equality;
    let check = match &equality.failure {
        None => format!("Results match by the rule for {}: {equality}", equality.precision),
        Some(failure) => format!("Not the same picture: {failure} ({equality})"),
    };
    let pictures = pictures(report.pictures as u64);
    let protocol = format!(
        "{} interleaved runs of each after {} for warm-up, {pictures}; bar and line: median; dot: a run; short line: p95  ·  {}, StyleForge {}",
        report.frames, report.warmup_frames, report.date, report.version
    );
    let color = colors.of_verdict(report);
    let bottom = f64::from(SIZE_PX.1);
    let lines = [
        (bottom - 74.0, check, letters(18.0, color)),
        (bottom - 44.0, protocol, letters(16.0, colors.quiet)),
    ];
    for (y, line, letters) in lines {
        canvas.text_within((MARGIN, y), &line, letters, Anchor::Left, width);
    }
}

/// A sentence with an initial capital, unless it starts with a mode's name.
fn capitalised(text: &str) -> String {
    match text.strip_prefix("not ") {
        Some(rest) => format!("Not {rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;
    use pictures::decode;

    const PAPER: Colors = Colors::PAPER;

    fn is_near(pixel: [u8; 4], color: Rgba) -> bool {
        (0..3).all(|c| pixel[c].abs_diff(color[c]) < 12)
    }

    /// The rightmost column of a pixel row that has this colour.
    fn last_column(chart: &Frame, y: usize, color: Rgba) -> Option<usize> {
        (0..chart.width()).rev().find(|&x| is_near(chart.pixel(x, y), color))
    }

    fn row_of_median(place: usize) -> usize {
        (ROWS_TOP[place] + BAR_BELOW) as usize - 2
    }

    #[test]
    fn medians_are_plotted_at_their_times() {
        let chart = draw(&report(0), &PAPER).expect("letters");
        assert_eq!((chart.width(), chart.height()), (1200, 700));
        let length = |place: usize| {
            let x = last_column(&chart, row_of_median(place), PAPER.candidates[place]);
            x.expect("a line") as f64 - MARGIN
        };
        let ratio = length(0) / length(1);
        assert!((ratio - 4.0).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn incomparable_results_are_red() {
        let red = |levels| {
            let chart = draw(&report(levels), &PAPER).expect("letters");
            let title = chart.crop(0, 40, 1200, 60);
            (0..title.pixel_count())
                .filter(|i| is_near(title.pixel(i % 1200, i / 1200), PAPER.wrong))
                .count()
        };
        assert_eq!(red(0), 0);
        assert!(red(3) > 300, "{}", red(3));
    }

    #[test]
    fn the_ground_is_as_asked() {
        let dark = Colors { ground: [20, 21, 23, 255], ..PAPER };
        let chart = draw(&report(0), &dark).expect("letters");
        assert_eq!(chart.pixel(3, 3), dark.ground);
    }

    #[test]
    fn far_runs_do_not_stretch_the_axis() {
        let mut far = report(0);
        let usual = longest_ms(far.candidates(), TimingMethod::Device);
        far.reference.runs_ms[7] = 500.0;
        let stretched = longest_ms(far.candidates(), TimingMethod::Device);
        assert!((8.0..9.5).contains(&usual), "{usual}");
        assert!((11.5..12.5).contains(&stretched), "{stretched}");
        draw(&far, &PAPER).expect("letters");
    }

    #[test]
    fn the_file_holds_the_chart() {
        let report = report(0);
        let bytes = png(&report).expect("encoded");
        let photo = decode::from_bytes("chart", &bytes).expect("a picture");
        assert_eq!(*photo.frame, draw(&report, &PAPER).expect("letters"));
    }

    #[test]
    fn long_names_are_cut() {
        let mut report = report(0);
        report.style = "a very long name ".repeat(40);
        let chart = draw(&report, &PAPER).expect("letters");
        let beyond = chart.crop(right() as usize + 4, 90, 40, 50);
        assert!((0..beyond.pixel_count()).all(|i| beyond.pixel(i % 40, i / 40) == PAPER.ground));
    }
}
