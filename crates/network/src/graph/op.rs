//! The operations of networks that make pictures, as data.
//!
//! Names and meanings are those of PyTorch and ONNX. The crate `oracle` defines what each operation
//! computes. [`super::shape`] defines the size of its map.

use serde::{Deserialize, Serialize};

use super::{
    MAX_CHANNELS, MAX_KERNEL_PX, MAX_MAP_SIDE_PX, MAX_MARGIN_PX,
    attributes::{
        Arithmetic, BlockOrder, Conv, Function, PadMode, Pool, Sides, SizeRule, are_within,
    },
    resize::{MAX_SIZE_PX, Resize, Target},
};
use values::tensor::Shape;

/// The operation of a node. Maps are channels x rows x columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// The photo's red, green and blue, 0 to 255. No inputs.
    Photo,
    /// A map of any values that the caller passes when the graph runs. No inputs. The maps that a graph reads are its
    /// nodes of this kind in their order ([`Graph::inputs`](super::Graph::inputs)). All of them have the same rows and
    /// columns.
    Input { channels: usize },
    /// A map of trained values that does not depend on the input. No inputs.
    Constant(Shape),
    /// Passes a map through and allows only these sizes, for a network that runs at no others.
    Sized(SizeRule),
    /// Adds values around a map.
    Pad { mode: PadMode, sides: Sides },
    /// Adds zeros around a map so that a window returns one output per stride, rounded up: TensorFlow's `SAME`.
    PadSame {
        /// Rows and columns that a window covers.
        reach: [usize; 2],
        /// Pixels from window to window.
        stride: [usize; 2],
        /// An odd number of zeros has one more after the map; otherwise one more before it.
        is_same_upper: bool,
    },
    /// Convolution without padding, with a bias per output channel.
    Conv2d(Conv),
    /// Transposed convolution, with a bias per output channel. Every input value adds the kernel, multiplied by the
    /// value, to the output around its position. Then the sides are cropped.
    ConvTranspose2d {
        conv: Conv,
        /// Pixels to crop on each side.
        cut: Sides,
        /// Additional rows and columns below and to the right that no kernel reaches; less than a stride.
        extra: [usize; 2],
    },
    /// Mean and biased variance of every channel. Only norms read them.
    InstanceStatistics,
    /// `(x - mean) / sqrt(variance + eps) * scale + shift`; scale and shift are per channel. Inputs: the map and its
    /// statistics.
    InstanceNorm { eps: f64 },
    /// `(x - mean) / sqrt(variance + eps) * scale + shift`. Mean and biased variance are those of each pixel over its
    /// channels; scale and shift are per channel.
    LayerNorm { eps: f64 },
    /// Softmax attention. Each pixel of the first map becomes the weighted mean of the third map's pixels. The weights
    /// are `exp(query . key / sqrt(channels of a head))`, normalized. Inputs: queries, keys, values; keys and values
    /// may come from another map than the queries. Adjacent channels form a head.
    Attention {
        /// Number of heads that the channels are divided into.
        heads: usize,
    },
    /// Adds a position encoding: the row in the first half of the channels, the column in the second half. Each is
    /// pairs of sine and cosine whose wavelengths range from 2 pi to 20,000 pi pixels.
    Positions,
    /// `x * scale + shift`, both per channel: a batch norm at inference, or arithmetic with constants.
    Affine,
    /// Negative values become zero.
    Relu,
    /// Multiplies negative values by a slope per channel.
    Prelu,
    /// Applies a function to every value.
    Function(Function),
    /// The sum of two maps of the same size.
    Add,
    /// Combines two maps value by value. A single channel, row or column is broadcast to all of the other map's.
    Combine(Arithmetic),
    /// Concatenates the channels of several maps.
    Concat {
        /// Number of maps.
        count: usize,
    },
    /// A contiguous range of channels.
    Channels { first: usize, count: usize },
    /// Removes pixels on each side of a map.
    Crop(Sides),
    /// Doubles rows and columns, nearest neighbour.
    Upsample,
    /// Changes the number of rows and columns. If the size is that of another map, this map is the second input.
    Resize(Resize),
    /// Turns channels into blocks of pixels.
    DepthToSpace {
        /// Side of a block, in pixels.
        block: usize,
        order: BlockOrder,
    },
    /// Turns blocks of pixels into channels: channel `(y * block + x) * channels + c`.
    SpaceToDepth {
        /// Side of a block, in pixels.
        block: usize,
    },
    /// The largest value of every window. Padding does not count.
    MaxPool(Pool),
    /// The mean of every window.
    AveragePool {
        pool: Pool,
        /// Padding counts as zeros in the mean.
        counts_padding: bool,
    },
    /// The mean of every channel.
    SpatialMean,
    /// The largest value of every channel.
    SpatialMax,
    /// Values clamped to 0 to 255, rounded to nearest, and cropped to the photo's size at the top left.
    Picture,
}

/// The kind of an operation. Determines how it can be fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Comes from outside the network.
    Input,
    /// Each value depends on the input values at the same position.
    Pointwise,
    /// Moves values to other positions, unchanged.
    Index,
    /// Each value depends on neighbours in the same channel.
    Window,
    /// Sums over a whole map.
    Reduce,
    /// Sums products over channels and neighbours.
    Contract,
    /// Leaves the network.
    Output,
}

/// The channels, rows or columns that all maps have.
pub(super) fn equal(inputs: &[usize]) -> Option<usize> {
    inputs.first().copied().filter(|first| inputs.iter().all(|other| other == first))
}

/// The channels, rows or columns of two combined maps. A single one is broadcast.
pub(super) fn broadcast(inputs: &[usize]) -> Option<usize> {
    match *inputs {
        [a, 1] | [1, a] => Some(a),
        _ => equal(inputs),
    }
}

/// True if a number is finite in single precision, in which devices compute.
fn is_single(number: f64) -> bool {
    (number as f32).is_finite()
}

impl Op {
    /// The name in lists of operations.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Input { .. } => "input",
            Self::Constant(_) => "constant",
            Self::Sized(_) => "size",
            Self::Pad { .. } | Self::PadSame { .. } => "pad",
            Self::Conv2d(_) => "convolution",
            Self::ConvTranspose2d { .. } => "transposed convolution",
            Self::InstanceStatistics => "statistics",
            Self::InstanceNorm { .. } => "instance norm",
            Self::LayerNorm { .. } => "layer norm",
            Self::Attention { .. } => "attention",
            Self::Positions => "positions",
            Self::Affine => "affine",
            Self::Relu => "relu",
            Self::Prelu => "prelu",
            Self::Function(function) => function.name(),
            Self::Add => "add",
            Self::Combine(Arithmetic::Sum) => "sum",
            Self::Combine(Arithmetic::Difference) => "difference",
            Self::Combine(Arithmetic::Product) => "product",
            Self::Combine(Arithmetic::Quotient) => "quotient",
            Self::Concat { .. } => "concat",
            Self::Channels { .. } => "channels",
            Self::Crop(_) => "crop",
            Self::Upsample => "upsample",
            Self::Resize(_) => "resize",
            Self::DepthToSpace { .. } => "depth to space",
            Self::SpaceToDepth { .. } => "space to depth",
            Self::MaxPool(_) => "max pool",
            Self::AveragePool { .. } => "average pool",
            Self::SpatialMean => "mean",
            Self::SpatialMax => "maximum",
            Self::Picture => "picture",
        }
    }

    /// Reflects `margin_px` pixels on every side.
    pub const fn reflect(margin_px: usize) -> Self {
        Self::Pad { mode: PadMode::Reflect, sides: Sides::all(margin_px) }
    }

    /// The margin, if [`Op::reflect`] can make this operation.
    pub const fn reflected_px(&self) -> Option<usize> {
        match self {
            Self::Pad { mode: PadMode::Reflect, sides } => sides.uniform(),
            _ => None,
        }
    }

    /// The pixels that it reflects on every side, or minus those that it removes, if [`Op::reflect`] or a crop of equal
    /// sides can make this operation.
    pub fn margin_px(&self) -> Option<isize> {
        match self {
            Self::Crop(sides) => sides.uniform().map(|px| -(px as isize)),
            _ => self.reflected_px().map(|px| px as isize),
        }
    }

    /// The padding around a map of `height` x `width` pixels, with its mode; `None` for other operations.
    pub fn padding(&self, height: usize, width: usize) -> Option<(PadMode, Sides)> {
        match *self {
            Self::Pad { mode, sides } => Some((mode, sides)),
            Self::PadSame { reach, stride, is_same_upper } => {
                let ends = |side: usize, axis: usize| {
                    let covered = (side.div_ceil(stride[axis]) - 1) * stride[axis] + reach[axis];
                    let zeros = covered.saturating_sub(side);
                    let (less, more) = (zeros / 2, zeros.div_ceil(2));
                    if is_same_upper { [less, more] } else { [more, less] }
                };
                Some((PadMode::Constant(0.0), Sides::of_ends(ends(height, 0), ends(width, 1))))
            }
            _ => None,
        }
    }

    pub const fn class(&self) -> Class {
        match self {
            Self::Photo | Self::Input { .. } | Self::Constant(_) => Class::Input,
            Self::Pad { .. }
            | Self::PadSame { .. }
            | Self::Upsample
            | Self::Concat { .. }
            | Self::Channels { .. }
            | Self::Crop(_)
            | Self::DepthToSpace { .. }
            | Self::SpaceToDepth { .. } => Class::Index,
            Self::Conv2d(_) | Self::ConvTranspose2d { .. } | Self::Attention { .. } => {
                Class::Contract
            }
            Self::InstanceStatistics | Self::SpatialMean | Self::SpatialMax => Class::Reduce,
            Self::Sized(_)
            | Self::InstanceNorm { .. }
            | Self::LayerNorm { .. }
            | Self::Positions
            | Self::Affine
            | Self::Relu
            | Self::Prelu
            | Self::Function(_)
            | Self::Add
            | Self::Combine(_) => Class::Pointwise,
            Self::Resize(_) | Self::MaxPool(_) | Self::AveragePool { .. } => Class::Window,
            Self::Picture => Class::Output,
        }
    }

    pub const fn is_conv(&self) -> bool {
        matches!(self, Self::Conv2d(_))
    }

    /// True if sizes are within the limits of this program and numbers are finite.
    pub fn is_in_range(&self) -> bool {
        let is_short = |sides: Sides| sides.largest() <= MAX_MARGIN_PX;
        let channels = 1..=MAX_CHANNELS;
        match *self {
            Self::Conv2d(conv) => conv.is_in_range(),
            Self::ConvTranspose2d { conv, cut, extra } => {
                let is_less =
                    |axis: usize| extra[axis] < conv.stride[axis].max(conv.dilation[axis]);
                conv.is_in_range() && is_short(cut) && is_less(0) && is_less(1)
            }
            Self::Pad { mode, sides } => {
                // Infinite padding would make the mean of the padded map NaN.
                let is_number = !matches!(mode, PadMode::Constant(value) if !is_single(value));
                is_number && is_short(sides)
            }
            Self::PadSame { reach, stride, .. } => {
                are_within(MAX_MARGIN_PX, [reach, stride].as_flattened())
            }
            Self::Sized(SizeRule::MultipleOf(px)) => are_within(MAX_MARGIN_PX, &[px]),
            Self::Sized(SizeRule::Exactly(size)) => are_within(MAX_SIZE_PX, &size),
            Self::Constant(shape) => {
                channels.contains(&shape.channels)
                    && are_within(MAX_MAP_SIDE_PX, &[shape.height, shape.width])
            }
            Self::Crop(sides) => is_short(sides),
            Self::InstanceNorm { eps } | Self::LayerNorm { eps } => is_single(eps) && eps >= 0.0,
            Self::Attention { heads } => channels.contains(&heads),
            Self::Function(function) => function.numbers().into_iter().all(is_single),
            Self::Input { channels: count } | Self::Concat { count } => channels.contains(&count),
            Self::Channels { first, count } => first < MAX_CHANNELS && channels.contains(&count),
            Self::Resize(resize) => resize.is_in_range(),
            Self::DepthToSpace { block, .. } | Self::SpaceToDepth { block } => {
                are_within(MAX_KERNEL_PX, &[block])
            }
            Self::MaxPool(pool) | Self::AveragePool { pool, .. } => pool.is_in_range(),
            Self::Photo
            | Self::InstanceStatistics
            | Self::Positions
            | Self::Affine
            | Self::Relu
            | Self::Prelu
            | Self::Add
            | Self::Combine(_)
            | Self::Upsample
            | Self::SpatialMean
            | Self::SpatialMax
            | Self::Picture => true,
        }
    }

    /// Number of maps that it reads.
    pub const fn input_count(&self) -> usize {
        match self {
            Self::Photo | Self::Input { .. } | Self::Constant(_) => 0,
            Self::InstanceNorm { .. }
            | Self::Add
            | Self::Combine(_)
            | Self::Resize(Resize { target: Target::Like | Target::LikeOnAxis(_), .. }) => 2,
            Self::Attention { .. } => 3,
            Self::Concat { count } => *count,
            _ => 1,
        }
    }

    /// Channels of its map for inputs with these channels; `None` if it cannot read them.
    pub(super) fn channels(&self, inputs: &[usize]) -> Option<usize> {
        let first = inputs.first().copied();
        let channels = match *self {
            Self::Photo => 3,
            Self::Input { channels } => channels,
            Self::Constant(shape) => shape.channels,
            Self::Conv2d(conv) | Self::ConvTranspose2d { conv, .. } => {
                first.filter(|&first| first == conv.in_channels)?;
                conv.out_channels
            }
            Self::Concat { .. } => inputs.iter().sum(),
            Self::Channels { first: start, count } => {
                first.filter(|&first| start + count <= first)?;
                count
            }
            Self::DepthToSpace { block, .. } => {
                let pixels = block * block;
                first.filter(|first| first.is_multiple_of(pixels))? / pixels
            }
            Self::SpaceToDepth { block } => first? * block * block,
            Self::Combine(_) => broadcast(inputs)?,
            Self::Add | Self::InstanceNorm { .. } => equal(inputs)?,
            Self::Attention { heads } => equal(inputs).filter(|all| all.is_multiple_of(heads))?,
            // Half of the channels for rows, half for columns, in pairs.
            Self::Positions => first.filter(|first| first.is_multiple_of(4))?,
            Self::Picture => first.filter(|&first| first == 3)?,
            Self::Sized(_)
            | Self::Pad { .. }
            | Self::PadSame { .. }
            | Self::LayerNorm { .. }
            | Self::InstanceStatistics
            | Self::Affine
            | Self::Relu
            | Self::Prelu
            | Self::Function(_)
            | Self::Crop(_)
            | Self::Upsample
            | Self::Resize(_)
            | Self::MaxPool(_)
            | Self::AveragePool { .. }
            | Self::SpatialMean
            | Self::SpatialMax => first?,
        };
        Some(channels)
    }
}
