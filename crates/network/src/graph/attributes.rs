//! Attributes of operations: margins, kernels, windows, functions.

use serde::{Deserialize, Serialize};

use super::{MAX_CHANNELS, MAX_KERNEL_PX};
use values::tensor::Shape;

/// True if all numbers are from 1 to `most`.
pub(super) fn are_within(most: usize, numbers: &[usize]) -> bool {
    numbers.iter().all(|number| (1..=most).contains(number))
}

/// Pixels on each side of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sides {
    pub top: usize,
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

impl Sides {
    /// The same number of pixels on every side.
    pub const fn all(px: usize) -> Self {
        Self { top: px, left: px, bottom: px, right: px }
    }

    /// Rows above and below, and columns left and right.
    pub const fn of_ends([top, bottom]: [usize; 2], [left, right]: [usize; 2]) -> Self {
        Self { top, left, bottom, right }
    }

    /// The number of pixels, if all sides are equal.
    pub const fn uniform(&self) -> Option<usize> {
        let Self { top, left, bottom, right } = *self;
        if top == left && top == bottom && top == right { Some(top) } else { None }
    }

    /// Sum of the rows above and below, and sum of the columns left and right.
    pub const fn sums(&self) -> [usize; 2] {
        [self.top + self.bottom, self.left + self.right]
    }

    /// Rows above and below (axis 0), or columns left and right (axis 1).
    pub const fn of_axis(&self, axis: usize) -> [usize; 2] {
        if axis == 0 { [self.top, self.bottom] } else { [self.left, self.right] }
    }

    pub(super) fn largest(&self) -> usize {
        self.top.max(self.bottom).max(self.left).max(self.right)
    }
}

/// The values beyond the edge of a padded map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PadMode {
    /// The map mirrored at its edge; the edge is not repeated.
    Reflect,
    /// The edge pixel, repeated.
    Replicate,
    Constant(f64),
}

/// The size of a convolution. Pairs are rows, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conv {
    pub in_channels: usize,
    pub out_channels: usize,
    /// In pixels.
    pub kernel: [usize; 2],
    /// Pixels from output to output, or from input to input if transposed.
    pub stride: [usize; 2],
    /// Pixels from one weight of the kernel to the next.
    pub dilation: [usize; 2],
    /// Number of channel groups; each output channel reads only the inputs of its group.
    pub groups: usize,
}

impl Conv {
    /// A convolution with a square kernel, the same stride on both axes, no dilation and one group.
    pub const fn square(
        in_channels: usize,
        out_channels: usize,
        kernel_px: usize,
        stride_px: usize,
    ) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: [kernel_px; 2],
            stride: [stride_px; 2],
            dilation: [1; 2],
            groups: 1,
        }
    }

    /// Kernel side and stride, in pixels, if [`Conv::square`] can make this convolution.
    pub const fn as_square(&self) -> Option<(usize, usize)> {
        let [rows, columns] = self.kernel;
        let [down, right] = self.stride;
        let is_plain = self.dilation[0] == 1 && self.dilation[1] == 1 && self.groups == 1;
        if rows == columns && down == right && is_plain { Some((rows, down)) } else { None }
    }

    /// Rows and columns from the first to the last pixel that one output reads, both included.
    pub const fn reach(&self) -> [usize; 2] {
        [(self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1]
    }

    /// Number of weights, without biases; the largest number if a file declares more.
    pub const fn weight_count(&self) -> usize {
        let inputs = self.in_channels / self.groups;
        let [rows, columns] = self.kernel;
        inputs.saturating_mul(self.out_channels).saturating_mul(rows).saturating_mul(columns)
    }

    /// Number of multiply-adds of the direct form: every weight is multiplied by every pixel of `map`, the output, or
    /// the input if it is transposed.
    pub const fn multiply_adds(&self, map: Shape) -> u64 {
        (self.weight_count() as u64).saturating_mul(map.height.saturating_mul(map.width) as u64)
    }

    pub(super) fn is_in_range(&self) -> bool {
        are_within(MAX_CHANNELS, &[self.in_channels, self.out_channels, self.groups])
            && are_within(MAX_KERNEL_PX, [self.kernel, self.stride, self.dilation].as_flattened())
            && self.in_channels.is_multiple_of(self.groups)
            && self.out_channels.is_multiple_of(self.groups)
    }
}

/// The window of a pooling operation. Pairs are rows, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pool {
    /// In pixels.
    pub kernel: [usize; 2],
    /// Pixels from window to window.
    pub stride: [usize; 2],
    /// Padding in pixels that windows may cover.
    pub sides: Sides,
    /// Keeps a last window that reaches beyond the padding, as ONNX's `ceil_mode`.
    pub is_ceil: bool,
}

impl Pool {
    /// Adjacent blocks of `px` rows and columns.
    pub const fn blocks(px: usize) -> Self {
        Self { kernel: [px; 2], stride: [px; 2], sides: Sides::all(0), is_ceil: false }
    }

    pub(super) fn is_in_range(&self) -> bool {
        are_within(MAX_KERNEL_PX, [self.kernel, self.stride].as_flattened())
            && self.has_short_sides()
    }

    /// True if every window covers more than padding.
    pub fn has_short_sides(&self) -> bool {
        let is_short =
            |axis: usize| self.sides.of_axis(axis).iter().all(|&px| px < self.kernel[axis]);
        is_short(0) && is_short(1)
    }
}

/// The rows and columns that a map may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SizeRule {
    /// Multiples of this number of pixels.
    MultipleOf(usize),
    /// Only these rows and columns.
    Exactly([usize; 2]),
}

impl SizeRule {
    /// True if a map may have this number of rows (axis 0) or columns (axis 1).
    pub const fn allows_side(&self, side: usize, axis: usize) -> bool {
        match *self {
            Self::MultipleOf(px) => side.is_multiple_of(px),
            Self::Exactly(size) => side == size[axis],
        }
    }

    /// The rule for maps that are `times` as large.
    pub const fn times(self, times: usize) -> Self {
        match self {
            Self::MultipleOf(px) => Self::MultipleOf(px * times),
            Self::Exactly([rows, columns]) => Self::Exactly([rows * times, columns * times]),
        }
    }
}

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Function {
    /// Multiplies negative values by `slope`.
    LeakyRelu {
        slope: f64,
    },
    /// `alpha * (exp(x) - 1)` for negative values.
    Elu {
        alpha: f64,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `clamp(alpha * x + beta, 0, 1)`
    HardSigmoid {
        alpha: f64,
        beta: f64,
    },
    Tanh,
    /// Clamps to the range from `least` to `most`.
    Clip {
        least: f64,
        most: f64,
    },
    Sqrt,
    /// `1 / x`
    Reciprocal,
    /// The absolute value.
    Abs,
    /// `exp(x)`
    Exp,
    /// `ln(1 + exp(x))`
    Softplus,
    /// The error function.
    Erf,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`
    Gelu,
    /// The natural logarithm.
    Log,
    /// The nearest integer; of two, the even one.
    Round,
    /// The largest integer that is not larger.
    Floor,
}

impl Function {
    /// The function's parameters.
    pub const fn numbers(&self) -> [f64; 2] {
        match *self {
            Self::LeakyRelu { slope } => [slope, 0.0],
            Self::Elu { alpha } => [alpha, 0.0],
            Self::HardSigmoid { alpha, beta } => [alpha, beta],
            Self::Clip { least, most } => [least, most],
            _ => [0.0; 2],
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::LeakyRelu { .. } => "leaky relu",
            Self::Elu { .. } => "elu",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid { .. } => "hard sigmoid",
            Self::Tanh => "tanh",
            Self::Clip { .. } => "clip",
            Self::Sqrt => "sqrt",
            Self::Reciprocal => "reciprocal",
            Self::Abs => "abs",
            Self::Exp => "exp",
            Self::Softplus => "softplus",
            Self::Erf => "erf",
            Self::Gelu => "gelu",
            Self::Log => "log",
            Self::Round => "round",
            Self::Floor => "floor",
        }
    }
}

/// How two maps are combined, value by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Arithmetic {
    /// `a + b`
    Sum,
    /// `a - b`
    Difference,
    /// `a * b`
    Product,
    /// `a / b`
    Quotient,
}

/// The order of the channels that become a block of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BlockOrder {
    /// Channel `(y * block + x) * channels + c`: ONNX's DCR.
    BlockFirst,
    /// Channel `(c * block + y) * block + x`: PyTorch's pixel shuffle, ONNX's CRD.
    ChannelFirst,
}
