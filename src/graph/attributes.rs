//! What operations are made of: margins, kernels, windows, functions.

use serde::{Deserialize, Serialize};

use super::{MAX_CHANNELS, MAX_KERNEL_PX};

/// Pixels on each side of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sides {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Sides {
    /// As many on every side.
    pub const fn all(px: usize) -> Self {
        Self { top: px, left: px, bottom: px, right: px }
    }

    /// The pixels of every side, where they are the same.
    pub const fn uniform(&self) -> Option<usize> {
        let Self { top, left, bottom, right } = *self;
        if top == left && top == bottom && top == right { Some(top) } else { None }
    }

    /// Rows above and below, and columns left and right, together.
    pub const fn sums(&self) -> [usize; 2] {
        [self.top + self.bottom, self.left + self.right]
    }

    /// Rows above and below (axis 0), or columns left and right (axis 1).
    pub(super) const fn of_axis(&self, axis: usize) -> [usize; 2] {
        if axis == 0 { [self.top, self.bottom] } else { [self.left, self.right] }
    }

    pub(super) const fn largest(&self) -> usize {
        let tall = if self.top > self.bottom { self.top } else { self.bottom };
        let wide = if self.left > self.right { self.left } else { self.right };
        if tall > wide { tall } else { wide }
    }
}

/// What stands beyond the edge of a padded map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PadMode {
    /// The map mirrored at its edge, which is not repeated.
    Reflect,
    /// The edge, repeated.
    Replicate,
    /// One value.
    Constant(f64),
}

/// A convolution's extent. Pairs are rows, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conv {
    /// Channels read.
    pub in_channels: usize,
    /// Channels made.
    pub out_channels: usize,
    /// Sides of the kernel, in pixels.
    pub kernel: [usize; 2],
    /// Pixels from output to output; of a transposed convolution, from input to input.
    pub stride: [usize; 2],
    /// Pixels from one weight of the kernel to the next.
    pub dilation: [usize; 2],
    /// Parts into which channels are cut; each output channel reads the inputs of its part only.
    pub groups: usize,
}

impl Conv {
    /// The usual one: a square kernel without gaps that reads all channels.
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

    /// Kernel side and stride, in pixels, of a convolution that [`Conv::square`] makes.
    pub const fn as_square(&self) -> Option<(usize, usize)> {
        let [rows, columns] = self.kernel;
        let [down, right] = self.stride;
        let is_plain = self.dilation[0] == 1 && self.dilation[1] == 1 && self.groups == 1;
        if rows == columns && down == right && is_plain { Some((rows, down)) } else { None }
    }

    /// Rows and columns between the first and the last pixel that one output reads, both counted.
    pub const fn reach(&self) -> [usize; 2] {
        [(self.kernel[0] - 1) * self.dilation[0] + 1, (self.kernel[1] - 1) * self.dilation[1] + 1]
    }

    pub(super) fn is_in_range(&self) -> bool {
        let channels = 1..=MAX_CHANNELS;
        let pixels = |sides: [usize; 2]| sides.iter().all(|px| (1..=MAX_KERNEL_PX).contains(px));
        channels.contains(&self.in_channels)
            && channels.contains(&self.out_channels)
            && pixels(self.kernel)
            && pixels(self.stride)
            && pixels(self.dilation)
            && channels.contains(&self.groups)
            && self.in_channels.is_multiple_of(self.groups)
            && self.out_channels.is_multiple_of(self.groups)
    }
}

/// The window of a pooling. Pairs are rows, then columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pool {
    /// Sides of the window, in pixels.
    pub kernel: [usize; 2],
    /// Pixels from window to window.
    pub stride: [usize; 2],
    /// Pixels beyond the edge over which windows may reach.
    pub sides: Sides,
    /// Whether a last window that reaches beyond the padding counts.
    pub is_ceil: bool,
}

impl Pool {
    /// Blocks of so many rows and columns, side by side.
    pub const fn blocks(px: usize) -> Self {
        Self { kernel: [px; 2], stride: [px; 2], sides: Sides::all(0), is_ceil: false }
    }

    pub(super) fn is_in_range(&self) -> bool {
        let pixels = |sides: [usize; 2]| sides.iter().all(|px| (1..=MAX_KERNEL_PX).contains(px));
        // Else a window could hold nothing but padding.
        let [rows, columns] = self.kernel;
        let fits = self.sides.top.max(self.sides.bottom) < rows
            && self.sides.left.max(self.sides.right) < columns;
        pixels(self.kernel) && pixels(self.stride) && fits
    }
}

/// Rows and columns that a map may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SizeRule {
    /// Multiples of a number of pixels.
    MultipleOf(usize),
    /// These only.
    Exactly([usize; 2]),
}

impl SizeRule {
    /// Whether a map may have this number of rows (axis 0) or columns (axis 1).
    pub const fn allows_side(&self, side: usize, axis: usize) -> bool {
        match *self {
            Self::MultipleOf(px) => side.is_multiple_of(px),
            Self::Exactly(size) => side == size[axis],
        }
    }

    /// The rule of maps that are so many `times` as large.
    pub const fn times(self, times: usize) -> Self {
        match self {
            Self::MultipleOf(px) => Self::MultipleOf(px * times),
            Self::Exactly([rows, columns]) => Self::Exactly([rows * times, columns * times]),
        }
    }
}

/// What becomes of every value by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Function {
    /// Negative values times a slope.
    LeakyRelu {
        /// The slope.
        slope: f64,
    },
    /// `alpha * (exp(x) - 1)` for negative values.
    Elu {
        /// The limit, negated.
        alpha: f64,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `clamp(alpha * x + beta, 0, 1)`
    HardSigmoid {
        /// The slope.
        alpha: f64,
        /// The value at zero.
        beta: f64,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// Values below and above two limits become these.
    Clip {
        /// The least value.
        least: f64,
        /// The largest value.
        most: f64,
    },
    /// The square root.
    Sqrt,
    /// `1 / x`
    Reciprocal,
    /// Without the sign.
    Abs,
    /// `exp(x)`
    Exp,
    /// `ln(1 + exp(x))`
    Softplus,
    /// The error function.
    Erf,
    /// `x / 2 * (1 + erf(x / sqrt(2)))`
    Gelu,
}

impl Function {
    /// The numbers that it is written with.
    pub(super) const fn numbers(&self) -> [f64; 2] {
        match *self {
            Self::LeakyRelu { slope } => [slope, 0.0],
            Self::Elu { alpha } => [alpha, 0.0],
            Self::HardSigmoid { alpha, beta } => [alpha, beta],
            Self::Clip { least, most } => [least, most],
            Self::Sigmoid
            | Self::Tanh
            | Self::Sqrt
            | Self::Reciprocal
            | Self::Abs
            | Self::Exp
            | Self::Softplus
            | Self::Erf
            | Self::Gelu => [0.0; 2],
        }
    }

    /// What it is called.
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
        }
    }
}

/// How two maps become one, value by value.
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

/// Where a channel of a block of pixels comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BlockOrder {
    /// Channel `(y * block + x) * channels + c`: ONNX's DCR.
    BlockFirst,
    /// Channel `(c * block + y) * block + x`: PyTorch's pixel shuffle, ONNX's CRD.
    ChannelFirst,
}
