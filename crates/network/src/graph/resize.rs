//! Resizing of maps: ONNX's `Resize` and PyTorch's `interpolate`, as data and as tables of what each output reads.

use serde::{Deserialize, Serialize};

use super::{
    MAX_MARGIN_PX,
    attributes::{PadMode, are_within},
};
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
    /// None: the map is cropped or padded at its end, or at both ends so that the middles coincide.
    Fit { beyond: PadMode, is_centred: bool },
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
    /// The rows (axis 0) or columns (axis 1) of the second input.
    LikeOnAxis(usize),
    /// The next multiples of these numbers.
    MultipleOf([usize; 2]),
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
        let is_number = match self.interpolation {
            Interpolation::Cubic { a } => a.is_finite(),
            Interpolation::Fit { beyond: PadMode::Constant(value), .. } => value == 0.0,
            _ => true,
        };
        let fits = match self.target {
            Target::Scale(scales) => {
                scales.iter().all(|s| (1.0 / MAX_SCALE..=MAX_SCALE).contains(s))
            }
            Target::Size(size) => are_within(MAX_SIZE_PX, &size),
            Target::Like | Target::LikeOnAxis(0 | 1) => true,
            Target::LikeOnAxis(_) => false,
            Target::MultipleOf(px) => are_within(MAX_MARGIN_PX, &px),
        };
        is_number && fits
    }

    /// Rows (axis 0) or columns (axis 1) of the result; `like` is the side of the second input.
    pub(super) fn side(&self, input: usize, like: Option<usize>, axis: usize) -> Option<usize> {
        let made = match self.target {
            Target::Scale(scales) => (input as f64 * scales[axis]).floor() as usize,
            Target::Size(size) => size[axis],
            Target::LikeOnAxis(other) if other != axis => input,
            Target::Like | Target::LikeOnAxis(_) => like?,
            Target::MultipleOf(px) => input.next_multiple_of(px[axis]),
        };
        // Reflection reaches at most the far edge.
        let is_reflected =
            matches!(self.interpolation, Interpolation::Fit { beyond: PadMode::Reflect, .. });
        let before = self.before(input, made);
        let after = made as isize - input as isize - before;
        (!is_reflected || before.max(after) < input as isize).then_some(made)
    }

    /// The number of pixels by which a map is padded at its start; negative if it is cropped there.
    fn before(&self, input: usize, output: usize) -> isize {
        match self.interpolation {
            Interpolation::Fit { is_centred: true, .. } => (output as isize - input as isize) / 2,
            _ => 0,
        }
    }

    /// What every output on an axis reads, when `input` pixels become `output` pixels.
    pub fn taps(&self, axis: usize, input: usize, output: usize) -> Vec<Taps> {
        let scale = match self.target {
            Target::Scale(scales) => scales[axis],
            _ => output as f64 / input as f64,
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
                Interpolation::Fit { beyond, .. } => {
                    let at = (x as isize - self.before(input, output)) as f64;
                    let (at, weight) = match beyond {
                        PadMode::Constant(_) => (at, f64::from(at >= 0.0 && at <= last as f64)),
                        PadMode::Replicate => (at, 1.0),
                        PadMode::Reflect => (last as f64 - (last as f64 - at.abs()).abs(), 1.0),
                    };
                    [(inside(at), weight), (0, 0.0), (0, 0.0), (0, 0.0)]
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
    fn maps_are_fitted_at_the_end_or_around_the_middle() {
        use PadMode::{Constant, Reflect, Replicate};
        let at = |beyond, is_centred, input, output| {
            let resize = Resize {
                interpolation: Interpolation::Fit { beyond, is_centred },
                coordinates: Coordinates::Asymmetric,
                target: Target::Like,
            };
            let is_possible = resize.side(input, Some(output), 0).is_some();
            let taps = resize.taps(0, input, output).into_iter();
            is_possible.then(|| taps.map(|t| if t[0].1 == 0.0 { 9 } else { t[0].0 }).collect())
        };
        assert_eq!(at(Reflect, false, 5, 3), Some(vec![0, 1, 2]));
        assert_eq!(at(Reflect, true, 6, 3), Some(vec![1, 2, 3]));
        assert_eq!(at(Reflect, false, 3, 5), Some(vec![0, 1, 2, 1, 0]));
        assert_eq!(at(Reflect, true, 3, 6), Some(vec![1, 0, 1, 2, 1, 0]));
        assert_eq!(at(Reflect, false, 3, 6), None);
        assert_eq!(at(Replicate, true, 2, 5), Some(vec![0, 0, 1, 1, 1]));
        assert_eq!(at(Constant(0.0), true, 2, 5), Some(vec![9, 0, 1, 9, 9]));
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
