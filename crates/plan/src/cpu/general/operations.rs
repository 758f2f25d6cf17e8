//! What a step does: operations of the graph with the maps, by index, that they read and write.

use super::{
    super::MapId,
    attention::{Attention, HeadChannels},
};
use network::graph::{Function, Op, PadMode};

/// The name of an operation in the names of kernels.
pub const fn kernel_name(op: &Op) -> &'static str {
    match op {
        Op::Photo => "load",
        Op::Input { .. } => "take in",
        Op::Picture => "store",
        Op::Pad { mode: PadMode::Reflect, .. } => "reflect pad",
        Op::Pad { mode: PadMode::Replicate, .. } => "replicate pad",
        Op::Pad { mode: PadMode::Constant(_), .. } => "constant pad",
        Op::Combine(_) => "combine",
        Op::InstanceStatistics => "mean and variance",
        Op::InstanceNorm { .. } => "normalise",
        Op::SpatialMax => "largest",
        other => other.name(),
    }
}

/// An elementwise operation: each result depends only on values at the same position, and for some operations on the
/// whole pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pointwise {
    pub op: Op,
    /// The trained values of the operation, if it has any: the index of its node in
    /// [`GeneralParts::channel_nodes`](super::GeneralParts::channel_nodes).
    pub values: usize,
    /// The other map that it reads: the addend, or a norm's means followed by its variances.
    pub operand: Option<MapId>,
    /// Where the step of a norm stores each channel's `scale / sqrt(variance + eps)`.
    pub scales: MapId,
}

impl Pointwise {
    /// An operation with another map, without trained values.
    pub const fn new(op: Op, operand: Option<MapId>) -> Self {
        Self { op, values: 0, operand, scales: 0 }
    }

    /// True if zero stays zero. If so, padding channels also stay zero.
    pub fn keeps_zero(&self) -> bool {
        match self.op {
            Op::Function(function) => match function {
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
}

/// What a step does. Every step writes whole pixels, and padding channels are zero.
#[derive(Clone, Debug, PartialEq)]
pub enum GeneralOp {
    /// A node, row by row: one that loads or stores pixels or maps, moves values, combines maps, resizes or pools.
    /// [`Op::Pad`] and [`Op::Crop`] also stand for the other operations of their kind.
    Node {
        op: Op,
        /// The maps of its inputs; for a resize without the one whose size it takes.
        from: Vec<MapId>,
        /// The map that it makes; for the picture, the map that is stored.
        to: MapId,
        /// Its index among the maps that are passed in, or among the plan's resizes or constants.
        part: usize,
    },
    /// A convolution of any kind, with its bias.
    Conv {
        /// Index in [`GeneralParts::convs`](super::GeneralParts::convs).
        conv: usize,
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
    /// Reduces every channel to its mean, its maximum, or mean and biased variance as two pixels.
    Reduce {
        op: Op,
        from: MapId,
        /// Each task's part of the result.
        parts: MapId,
        to: MapId,
    },
    /// Writes a whole map as the result.
    StoreMap { from: MapId },
}
