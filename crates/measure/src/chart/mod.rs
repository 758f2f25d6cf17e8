//! Draws comparisons as charts.

mod comparison;

use std::fmt::Display;

pub use self::comparison::{draw, png};
use super::MeasureError;
pub use media::canvas::Rgba;
use media::canvas::{Canvas, Letters};
use pictures::encode::{self, Encoding, Format};
use values::frame::Frame;

/// The colours of a chart.
#[derive(Clone, Copy, Debug)]
pub struct Colors {
    /// Background.
    pub ground: Rgba,
    /// Text.
    pub ink: Rgba,
    /// Secondary text, and the axis.
    pub quiet: Rgba,
    /// Tick marks of the axis.
    pub rule: Rgba,
    /// Text of failures.
    pub wrong: Rgba,
    /// The reference and the other candidate.
    pub candidates: [Rgba; 2],
}

impl Colors {
    /// Colours for a file, whose surroundings are unknown.
    pub const PAPER: Self = Self {
        ground: [251, 250, 247, 255],
        ink: [40, 38, 35, 255],
        quiet: [112, 108, 101, 255],
        rule: [222, 218, 210, 255],
        wrong: [184, 48, 40, 255],
        candidates: [[92, 118, 145, 255], [186, 98, 34, 255]],
    };
}

/// An empty canvas.
fn sheet(size: (u16, u16), ground: Rgba) -> Result<Canvas, MeasureError> {
    Canvas::new(size, ground).ok_or_else(|| unwritten("the font cannot be read"))
}

/// Encodes a chart as a PNG file.
///
/// # Errors
/// [`MeasureError::Report`] if it cannot be encoded.
fn encoded(chart: &Frame) -> Result<Vec<u8>, MeasureError> {
    let encoded = encode::to_bytes("the chart", chart, None, Encoding::of(Format::Png));
    encoded.map(|(bytes, _)| bytes).map_err(unwritten)
}

fn unwritten(reason: impl Display) -> MeasureError {
    MeasureError::Report { format: "PNG", reason: reason.to_string() }
}

/// A round distance between the tick marks of an axis from 0 to `whole`, for about `most` marks at most. `most` is at
/// least 2.
pub fn round_step(whole: f64, most: usize) -> f64 {
    let least = whole.max(1e-6) / most.max(2) as f64;
    let decade = 10f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0].into_iter().find(|f| f * decade >= least * 0.999);
    round.unwrap_or(10.0) * decade
}

/// Number of decimals for tick marks at this distance.
pub fn decimals_of(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 9.0) as usize
}

fn faint([r, g, b, _]: Rgba, alpha: u8) -> Rgba {
    [r, g, b, alpha]
}

fn letters(size_px: f32, color: Rgba) -> Letters {
    Letters { size_px, color, is_strong: false }
}

fn strong(size_px: f32, color: Rgba) -> Letters {
    Letters { is_strong: true, ..letters(size_px, color) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_axis_are_round() {
        for (whole, most, step, decimals) in [
            (1.0, 5, 0.2, 1),
            (12.3, 6, 5.0, 0),
            (0.47, 5, 0.1, 1),
            (100.0, 10, 10.0, 0),
            (0.0, 5, 2e-7, 7),
        ] {
            let found = round_step(whole, most);
            assert!((found / step - 1.0).abs() < 1e-6, "{whole} {most} {found}");
            assert_eq!(decimals_of(found), decimals, "{whole}");
        }
    }
}
