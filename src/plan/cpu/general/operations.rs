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
/// Index of a resize in [`GeneralParts::resizes`](super::GeneralParts::resizes).
pub type ResizeId = usize;

/// Index of a node in [`GeneralParts::constants`](super::GeneralParts::constants).
pub type ConstantId = usize;

/// An elementwise operation: each result depends only on values at the same position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointwise {
    /// `x * scale + shift`, for each channel.
    Affine { values: ChannelValuesId },
    /// `(x - mean) * scale + shift`, for each channel.
    Norm {
        /// Means, followed by variances.
        statistics: MapId,
        /// Where the step stores each channel's `scale / sqrt(variance + eps)`.
        scales: MapId,
        values: ChannelValuesId,
        /// Added to the variance.
        eps: f64,
    },
    /// `(x - mean) / sqrt(variance + eps) * scale + shift`, with mean and variance of the pixel.
    LayerNorm {
        values: ChannelValuesId,
        /// Added to the variance.
        eps: f64,
    },
    /// Adds sines and cosines of the pixel's row and column.
    Positions,
    /// Negative values become zero.
    Relu,
    /// Multiplies negative values by a slope, for each channel.
    Prelu {
        /// The node with the slopes.
        values: ChannelValuesId,
    },
    /// A function of the value.
    Function(Function),
    /// The sum with a map of the same size.
    Add { map: MapId },
}

impl Pointwise {
    /// A short name, for the names of kernels.
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

    /// Whether zero stays zero. If so, padding channels also stay zero.
    pub fn keeps_zero(&self) -> bool {
        match self {
            Self::Function(function) => match *function {
                Function::Clip { least, most } => least <= 0.0 && most >= 0.0,
                Function::Sigmoid
                | Function::HardSigmoid { .. }
                | Function::Reciprocal
                | Function::Exp
                | Function::Softplus
                | Function::Log => false,
                _ => true,
            },
            // Scales, shifts and slopes of padding channels are zero.
            _ => true,
        }
    }

    /// The additional map that is read.
    pub const fn operand(&self) -> Option<MapId> {
        match *self {
            Self::Add { map } => Some(map),
            Self::Norm { statistics, .. } => Some(statistics),
            _ => None,
        }
    }
}

/// The source position of every pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Index {
    /// Adds values around a map.
    Pad { mode: PadMode, sides: Sides },
    /// Removes the sides of a map.
    Crop(Sides),
    /// Every pixel becomes four.
    Upsample,
}

/// A reduction of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Mean and biased variance, stored as two pixels.
    Statistics,
    Mean,
    /// The maximum.
    Max,
}

/// A reduction of each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The maximum.
    Max,
    /// The mean.
    Mean {
        /// Whether padding counts, as zeros.
        counts_padding: bool,
    },
}

/// An operation of a general plan. Every operation writes whole pixels, and padding channels are zero.
#[derive(Clone, Debug, PartialEq)]
pub enum GeneralOp {
    /// Converts the photo's bytes to a map.
    Load { to: MapId },
    /// Copies a map that is passed in.
    LoadMap {
        /// Its index among the maps that are passed in.
        input: usize,
        to: MapId,
    },
    /// Copies a map of trained values.
    LoadConstant { constant: ConstantId, to: MapId },
    /// A convolution of any kind, with its bias.
    Conv {
        conv: GeneralConvId,
        from: MapId,
        to: MapId,
        /// Operations on its values before they leave the cache.
        epilogue: Vec<Pointwise>,
    },
    /// A chain of elementwise operations.
    Pointwise {
        from: MapId,
        /// Written; the same as the input if no later step reads that.
        to: MapId,
        /// In order.
        chain: Vec<Pointwise>,
    },
    /// Combines two maps value by value. A single channel, row or column is repeated.
    Combine {
        arithmetic: Arithmetic,
        /// The first map and the second.
        from: [MapId; 2],
        to: MapId,
    },
    /// Packs keys and values in the order in which attention reads them.
    PackKeys {
        attention: Attention,
        /// Keys and values.
        from: [HeadChannels; 2],
        to: MapId,
    },
    /// Softmax attention with packed keys and values.
    Attention {
        attention: Attention,
        /// The queries.
        from: HeadChannels,
        /// The packed keys and values.
        packed: MapId,
        to: MapId,
    },
    /// Reduces every channel to one or two values.
    Reduce {
        reduction: Reduction,
        from: MapId,
        /// Each task's part of the result.
        parts: MapId,
        to: MapId,
    },
    /// Copies pixels from other positions.
    Index { index: Index, from: MapId, to: MapId },
    /// Concatenates the channels of several maps.
    Concat { from: Vec<MapId>, to: MapId },
    /// Copies neighbouring channels, as many as the output map has.
    Channels { first: usize, from: MapId, to: MapId },
    /// Changes the number of rows and columns.
    Resize { resize: ResizeId, from: MapId, to: MapId },
    /// Turns channels into blocks of pixels.
    DepthToSpace {
        /// Side of a block, in pixels.
        block: usize,
        /// Which channel goes to which pixel.
        order: BlockOrder,
        from: MapId,
        to: MapId,
    },
    /// Turns blocks of pixels into channels.
    SpaceToDepth {
        /// Side of a block, in pixels.
        block: usize,
        from: MapId,
        to: MapId,
    },
    /// Reduces every window to a value.
    Pool { pool: Pool, pooling: Pooling, from: MapId, to: MapId },
    /// Writes the top left of a map as bytes.
    Store { from: MapId },
    /// Writes a whole map as the result.
    StoreMap { from: MapId },
}
