//! Resizing of maps: ONNX's `Resize` and PyTorch's `interpolate`, as data and as tables of what each output reads.

use serde::{Deserialize, Serialize};

use super::attributes::are_within;
use values::named;

/// How values between pixels are computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest(Rounding),
    /// Between two pixels on each axis.
    Linear,
    /// Between four pixels on each axis, with Keys' kernel.
    Cubic {
        /// The kernel's parameter: -0.75 or -0.5.
        a: f64,
    },
}

/// Which pixel counts as the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rounding {
    /// The pixel before.
    Floor,
    /// The pixel after.
    Ceil,
    /// The nearest pixel; on a tie, the one before.
    PreferFloor,
    /// The nearest pixel; on a tie, the one after.
    PreferCeil,
}

// As in ONNX.
named!(
    Rounding,
    "rounding of pixel positions",
    Floor = "floor",
    Ceil = "ceil",
    PreferFloor = "round_prefer_floor",
    PreferCeil = "round_prefer_ceil"
);

/// Maps an output pixel to a position on the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Coordinates {
    /// Pixels are squares; their centres are at halves.
    HalfPixel,
    /// As [`Coordinates::HalfPixel`], but an output side of one pixel reads the first input pixel.
    PytorchHalfPixel,
    /// As [`Coordinates::HalfPixel`], symmetric about the middle of the map.
    HalfPixelSymmetric,
    /// As [`Coordinates::HalfPixel`], without subtracting half a pixel at the end.
    TensorflowHalfPixel,
    /// The first and last pixels of input and output coincide.
    AlignCorners,
    /// The output index divided by the scale.
    Asymmetric,
}

// As in ONNX.
named!(
    Coordinates,
    "mapping of pixel positions",
    HalfPixel = "half_pixel",
    PytorchHalfPixel = "pytorch_half_pixel",
    HalfPixelSymmetric = "half_pixel_symmetric",
    TensorflowHalfPixel = "tf_half_pixel_for_nn",
    AlignCorners = "align_corners",
    Asymmetric = "asymmetric"
);

/// The new size. Pairs are rows, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// A multiple of the old size, rounded down.
    Scale([f64; 2]),
    /// A fixed size.
    Size([usize; 2]),
    /// The size of the second input.
    Like,
}

/// A change of the number of rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resize {
    pub interpolation: Interpolation,
    pub coordinates: Coordinates,
    pub target: Target,
}

/// What one output reads on one axis: positions and their weights. Unused entries have weight 0.
pub type Taps = [(usize, f64); 4];

/// Maximum rows or columns of a fixed size.
pub(super) const MAX_SIZE_PX: usize = 1 << 14;
/// Maximum factor; the minimum is its reciprocal.
const MAX_SCALE: f64 = 64.0;

impl Resize {
    pub(super) fn is_in_range(&self) -> bool {
        let is_number = !matches!(self.interpolation, Interpolation::Cubic { a } if !a.is_finite());
        let fits = match self.target {
            Target::Scale(scales) => {
                scales.iter().all(|s| (1.0 / MAX_SCALE..=MAX_SCALE).contains(s))
            }
            Target::Size(size) => are_within(MAX_SIZE_PX, &size),
            Target::Like => true,
        };
        is_number && fits
    }

    /// Rows (axis 0) or columns (axis 1) of the result; `like` is the side of the second input.
    pub(super) fn side(&self, input: usize, like: Option<usize>, axis: usize) -> Option<usize> {
        match self.target {
            Target::Scale(scales) => Some((input as f64 * scales[axis]).floor() as usize),
            Target::Size(size) => Some(size[axis]),
            Target::Like => like,
        }
    }

    /// What every output on an axis reads, when `input` pixels become `output` pixels.
    pub fn taps(&self, axis: usize, input: usize, output: usize) -> Vec<Taps> {
        let scale = match self.target {
            Target::Scale(scales) => scales[axis],
            Target::Size(_) | Target::Like => output as f64 / input as f64,
        };
        let last = input.saturating_sub(1);
        let inside = |at: f64| at.clamp(0.0, last as f64) as usize;
        let at = |x: usize| {
            let position = self.position(x as f64, (input as f64, output as f64), scale);
            match self.interpolation {
                Interpolation::Nearest(rounding) => {
                    let nearest = match rounding {
                        Rounding::Floor => position.floor(),
                        Rounding::Ceil => position.ceil(),
                        Rounding::PreferFloor => (position - 0.5).ceil(),
                        Rounding::PreferCeil => (position + 0.5).floor(),
                    };
                    [(inside(nearest), 1.0), (0, 0.0), (0, 0.0), (0, 0.0)]
                }
                Interpolation::Linear => {
                    let position = position.clamp(0.0, last as f64);
                    let (before, part) = (position.floor(), position.fract());
                    [(inside(before), 1.0 - part), (inside(before + 1.0), part), (0, 0.0), (0, 0.0)]
                }
                Interpolation::Cubic { a } => {
                    let (before, part) = (position.floor(), position - position.floor());
                    [-1.0, 0.0, 1.0, 2.0].map(|step: f64| {
                        (inside(before + step), keys_weight((part - step).abs(), a))
                    })
                }
            }
        };
        (0..output).map(at).collect()
    }

    /// The position of output `x` on an input of `input` pixels.
    fn position(&self, x: f64, (input, output): (f64, f64), scale: f64) -> f64 {
        match self.coordinates {
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if output <= 1.0 => 0.0,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::HalfPixelSymmetric => {
                let middle = input / 2.0 * (1.0 - output / (scale * input));
                middle + (x + 0.5) / scale - 0.5
            }
            Coordinates::TensorflowHalfPixel => (x + 0.5) / scale,
            Coordinates::AlignCorners => x * (input - 1.0) / (output - 1.0),
            Coordinates::Asymmetric => x / scale,
        }
    }
}

/// Keys' kernel at a distance (R. Keys, Cubic convolution interpolation for digital image processing, 1981).
fn keys_weight(d: f64, a: f64) -> f64 {
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resize(interpolation: Interpolation, coordinates: Coordinates, scale: f64) -> Resize {
        Resize { interpolation, coordinates, target: Target::Scale([scale; 2]) }
    }

    fn nearest(resize: &Resize, input: usize, output: usize) -> Vec<usize> {
        resize.taps(0, input, output).iter().map(|taps| taps[0].0).collect()
    }

    #[test]
    fn doubling_takes_every_pixel_twice() {
        let floor = Interpolation::Nearest(Rounding::Floor);
        let doubled = resize(floor, Coordinates::Asymmetric, 2.0);
        assert_eq!(nearest(&doubled, 3, 6), [0, 0, 1, 1, 2, 2]);
        let half =
            resize(Interpolation::Nearest(Rounding::PreferFloor), Coordinates::HalfPixel, 2.0);
        assert_eq!(nearest(&half, 3, 6), [0, 0, 1, 1, 2, 2]);
        let other = resize(floor, Coordinates::HalfPixel, 2.0);
        assert_eq!(nearest(&other, 3, 6), [0, 0, 0, 1, 1, 2]);
    }

    #[test]
    fn weights_add_up_to_one() {
        for interpolation in [Interpolation::Linear, Interpolation::Cubic { a: -0.75 }] {
            for coordinates in [
                Coordinates::HalfPixel,
                Coordinates::AlignCorners,
                Coordinates::Asymmetric,
                Coordinates::HalfPixelSymmetric,
            ] {
                for (input, output) in [(1, 1), (5, 12), (7, 3), (4, 9)] {
                    let scale = output as f64 / input as f64;
                    let taps = resize(interpolation, coordinates, scale).taps(1, input, output);
                    for taps in taps {
                        let sum: f64 = taps.iter().map(|tap| tap.1).sum();
                        assert!((sum - 1.0).abs() < 1e-12, "{coordinates:?}: {taps:?}");
                        assert!(taps.iter().all(|tap| tap.0 < input));
                    }
                }
            }
        }
    }

    #[test]
    fn corners_are_mapped_to_corners() {
        let linear = resize(Interpolation::Linear, Coordinates::AlignCorners, 2.0);
        let taps = linear.taps(0, 3, 5);
        assert_eq!(taps[0][0], (0, 1.0));
        assert_eq!(taps[1][..2], [(0, 0.5), (1, 0.5)]);
        assert_eq!(taps[4][0], (2, 1.0));
    }
}
