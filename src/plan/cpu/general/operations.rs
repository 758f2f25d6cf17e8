//! What a step of a general plan does, with its maps by index.

use super::{
    super::MapId,
    attention::{Attention, HeadChannels},
};
use crate::graph::{Arithmetic, BlockOrder, Function, PadMode, Pool, Sides};

/// Index of a convolution in [`GeneralParts::convs`](super::GeneralParts::convs).
pub type GeneralConvId = usize;
/// Index of a node in [`GeneralParts::channel_nodes`](super::GeneralParts::channel_nodes).
pub type ChannelValuesId = usize;
/// Index of a change of size in [`GeneralParts::resizes`](super::GeneralParts::resizes).
pub type ResizeId = usize;

/// Index of a node in [`GeneralParts::constants`](super::GeneralParts::constants).
pub type ConstantId = usize;

/// What becomes of every value from the values at its own place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointwise {
    /// `x * scale + shift`, by channel.
    Affine { values: ChannelValuesId },
    /// `(x - mean) * scale + shift`, by channel.
    Norm {
        /// Means, and behind them variances.
        statistics: MapId,
        /// Where the step keeps each channel's `scale / sqrt(variance + eps)`.
        scales: MapId,
        values: ChannelValuesId,
        /// Added to the variance.
        eps: f64,
    },
    /// `(x - mean) / sqrt(variance + eps) * scale + shift`, mean and variance of the pixel.
    LayerNorm {
        values: ChannelValuesId,
        /// Added to the variance.
        eps: f64,
    },
    /// Sines and cosines of the pixel's row and column are added.
    Positions,
    /// Negative values become zero.
    Relu,
    /// Negative values times a slope, by channel.
    Prelu {
        /// Whose slopes.
        values: ChannelValuesId,
    },
    /// A function of the value alone.
    Function(Function),
    /// The sum with a map of the same size.
    Add { map: MapId },
}

impl Pointwise {
    /// In a word or two, for the names of kernels.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Affine { .. } => "affine",
            Self::Norm { .. } => "normalise",
            Self::LayerNorm { .. } => "layer norm",
            Self::Positions => "positions",
            Self::Relu => "relu",
            Self::Prelu { .. } => "prelu",
            Self::Function(function) => function.name(),
            Self::Add { .. } => "add",
        }
    }

    /// Whether zero stays zero: then so do the channels that are only stored.
    pub fn keeps_zero(&self) -> bool {
        match self {
            Self::Function(function) => match *function {
                Function::Clip { least, most } => least <= 0.0 && most >= 0.0,
                Function::Sigmoid
                | Function::HardSigmoid { .. }
                | Function::Reciprocal
                | Function::Exp
                | Function::Softplus => false,
                _ => true,
            },
            // Scales, shifts and slopes of channels that are only stored are zero.
            _ => true,
        }
    }

    /// The map that is read besides.
    pub const fn operand(&self) -> Option<MapId> {
        match *self {
            Self::Add { map } => Some(map),
            Self::Norm { statistics, .. } => Some(statistics),
            _ => None,
        }
    }
}

/// Which pixel a pixel is a copy of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Index {
    /// Values around a map.
    Pad { mode: PadMode, sides: Sides },
    /// A map without its sides.
    Crop(Sides),
    /// Every pixel becomes four.
    Upsample,
}

/// What becomes of every channel as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Mean and biased variance: two pixels.
    Statistics,
    Mean,
    /// The largest value.
    Max,
}

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Its largest value.
    Max,
    /// Its mean.
    Mean {
        /// Whether padding counts, as zeros.
        counts_padding: bool,
    },
}

/// What a step of a general plan executes. Every step writes whole pixels: channels that are only stored are zero.
#[derive(Clone, Debug, PartialEq)]
pub enum GeneralOp {
    /// The photo's bytes as a map.
    Load { to: MapId },
    /// A map that is handed in.
    LoadMap {
        /// Its place among those that are.
        input: usize,
        to: MapId,
    },
    /// A map of trained values.
    LoadConstant { constant: ConstantId, to: MapId },
    /// A convolution of any kind, with its bias.
    Conv {
        conv: GeneralConvId,
        from: MapId,
        to: MapId,
        /// What is done with its values before they leave the cache.
        epilogue: Vec<Pointwise>,
    },
    /// Every value by itself.
    Pointwise {
        from: MapId,
        /// Written; the same map where nothing reads that later.
        to: MapId,
        /// In order.
        chain: Vec<Pointwise>,
    },
    /// Two maps value by value; a single channel, row or column stands for all.
    Combine {
        arithmetic: Arithmetic,
        /// Read: the first map and the second.
        from: [MapId; 2],
        to: MapId,
    },
    /// Keys and values, in the order in which attention reads them.
    PackKeys {
        attention: Attention,
        /// Read: keys and values.
        from: [HeadChannels; 2],
        to: MapId,
    },
    /// Softmax attention to packed keys and values.
    Attention {
        attention: Attention,
        /// Read: queries.
        from: HeadChannels,
        /// Read: keys and values.
        packed: MapId,
        to: MapId,
    },
    /// One or two values of every channel.
    Reduce {
        reduction: Reduction,
        from: MapId,
        /// Each task's part of the result.
        parts: MapId,
        to: MapId,
    },
    /// Pixels at other places.
    Index { index: Index, from: MapId, to: MapId },
    /// The channels of some maps, one map behind the other.
    Concat { from: Vec<MapId>, to: MapId },
    /// Neighbouring channels, as many as the written map has.
    Channels { first: usize, from: MapId, to: MapId },
    /// Another number of rows and columns.
    Resize { resize: ResizeId, from: MapId, to: MapId },
    /// Channels become blocks of pixels.
    DepthToSpace {
        /// Side of a block, in pixels.
        block: usize,
        /// Which channel goes where.
        order: BlockOrder,
        from: MapId,
        to: MapId,
    },
    /// Blocks of pixels become channels.
    SpaceToDepth {
        /// Side of a block, in pixels.
        block: usize,
        from: MapId,
        to: MapId,
    },
    /// A value of every window.
    Pool {
        pool: Pool,
        /// Which value.
        pooling: Pooling,
        from: MapId,
        to: MapId,
    },
    /// The top left of a map, as bytes.
    Store { from: MapId },
    /// A whole map, as it is handed out.
    StoreMap { from: MapId },
}
