//! The steps of general graphs, each with everything from which its kernel's parameters are built.

use crate::cuda::{ConstantId, MapId, RowPartition};
use network::graph::{Arithmetic, BlockOrder, Function, Op, PadMode, Pool};

/// The border beyond the edge of a map. The numbers are those of `kernels/general.cuh`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Edge {
    /// Zeros, or the fill value of a map.
    #[default]
    Outside = 0,
    /// The map is mirrored.
    Mirrored = 1,
    /// The edge is repeated.
    Repeated = 2,
}

impl From<PadMode> for Edge {
    fn from(mode: PadMode) -> Self {
        match mode {
            PadMode::Reflect => Self::Mirrored,
            PadMode::Replicate => Self::Repeated,
            PadMode::Constant(_) => Self::Outside,
        }
    }
}

/// A function of a value: its number in `kernels/general.cuh`, and its parameters. The default is the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PointFunction {
    pub code: i32,
    pub numbers: [f32; 2],
}

impl PointFunction {
    /// The function of an operation; `None` for an operation of another kind, and for a function without kernel.
    pub fn of(op: &Op) -> Option<Self> {
        let function = match op {
            Op::Relu => return Some(Self { code: 1, ..Self::default() }),
            Op::Function(function) => function,
            _ => return None,
        };
        let code = match function {
            Function::LeakyRelu { .. } => 2,
            Function::Elu { .. } => 3,
            Function::Sigmoid => 4,
            Function::HardSigmoid { .. } => 5,
            Function::Tanh => 6,
            Function::Clip { .. } => 7,
            Function::Sqrt => 8,
            Function::Reciprocal => 9,
            Function::Abs => 10,
            Function::Exp => 11,
            Function::Softplus => 12,
            Function::Erf => 13,
            Function::Gelu => 14,
            Function::Log | Function::Round | Function::Floor => return None,
        };
        Some(Self { code, numbers: function.numbers().map(|number| number as f32) })
    }
}

/// An elementwise operation: by channel first, then a function. The default is the identity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pointwise {
    /// Scales and shifts by channel, applied first.
    pub affine: Option<[ConstantId; 2]>,
    /// Slopes of negative values by channel, instead of a function.
    pub slopes: Option<ConstantId>,
    pub function: PointFunction,
}

/// A convolution of any shape, transposed or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneralConv {
    pub from: MapId,
    pub to: MapId,
    pub weights: ConstantId,
    pub bias: ConstantId,
    /// Eight numbers for each set of outputs that read the same taps: first tap, number of taps, first row and column,
    /// rows and columns.
    pub phases: ConstantId,
    /// Four numbers for each tap: rows and columns from the output's own position, and the position in the kernel.
    pub taps: ConstantId,
    /// Rows and columns of the input from one output to the next in a phase.
    pub stride: [usize; 2],
    /// Rows and columns of the output from one output to the next in a phase.
    pub step: [usize; 2],
    /// The border beyond the edge of the input.
    pub edge: Edge,
    /// Inputs and outputs per group.
    pub group: [usize; 2],
    /// Factor on the sums, for a map that only a norm reads.
    pub factor: f32,
    /// Applied to the sums.
    pub after: Pointwise,
}

/// Where a [`Move`] reads values. The numbers are those of `kernels/general_move.cu`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum MoveKind {
    /// The same channel, at a distance of some rows and columns.
    #[default]
    Places = 0,
    /// Channels become a block of pixels, as [`BlockOrder::BlockFirst`].
    BlockFirst = 1,
    /// Channels become a block of pixels, as [`BlockOrder::ChannelFirst`].
    ChannelFirst = 2,
    /// A block of pixels becomes channels.
    ToChannels = 3,
}

impl From<BlockOrder> for MoveKind {
    fn from(order: BlockOrder) -> Self {
        match order {
            BlockOrder::BlockFirst => Self::BlockFirst,
            BlockOrder::ChannelFirst => Self::ChannelFirst,
        }
    }
}

/// Copies values to other positions unchanged. All channels are counted in units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Move {
    pub from: MapId,
    pub to: MapId,
    /// Channels that are moved together: 16 bytes of them, or a single one.
    pub unit_channels: usize,
    /// Where values are read.
    pub kind: MoveKind,
    /// The border beyond the edge.
    pub edge: Edge,
    /// Number of rows and columns by which values move down and to the right.
    pub offset: [i32; 2],
    /// First unit that is written.
    pub first: usize,
    /// Number of units that are written.
    pub count: usize,
    /// Number of these units that exist; the rest is filled with zeros.
    pub real: usize,
    /// First unit that is read.
    pub source: usize,
    /// Side of a block, in pixels.
    pub block: usize,
    /// Units of a pixel in a block.
    pub block_units: usize,
    /// Value outside the map.
    pub fill: f32,
}

/// A reduction of whole channels. The numbers are those of `kernels/general_window.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ReduceKind {
    /// Mean and biased variance, in fp32.
    Statistics = 0,
    /// The mean, as a map.
    Mean = 1,
    /// The maximum, as a map.
    Largest = 2,
}

/// Channels of a map, starting at `first`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    pub map: MapId,
    pub first: usize,
}

/// The part of attention that a launch computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionPart {
    /// All of it.
    Whole { to: MapId },
    /// The scores of every query for every key.
    Scores { scores: MapId },
    /// Replaces scores by weights, and computes the sums of the weights.
    Softmax { scores: MapId },
    /// The weighted means of values.
    Product { scores: MapId, to: MapId },
}

/// The inputs of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Queries of all heads.
    pub queries: Slice,
    /// Keys of all heads.
    pub keys: Slice,
    /// Values of all heads.
    pub values: Slice,
    /// Number of heads, among which the channels are divided.
    pub heads: usize,
    /// Channels of a head.
    pub head_size: usize,
}

/// One launch of a general graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GeneralOp {
    Conv(GeneralConv),
    /// Elementwise operations.
    Pointwise {
        from: MapId,
        to: MapId,
        /// Statistics with which values are first normalised, and the epsilon that is added to the variance.
        statistics: Option<(MapId, f32)>,
        change: Pointwise,
    },
    /// Normalises every pixel over its channels.
    LayerNorm {
        from: MapId,
        to: MapId,
        /// Scales and shifts by channel.
        affine: [ConstantId; 2],
        /// Added to the variance.
        eps: f32,
    },
    /// Adds a position encoding.
    Positions {
        from: MapId,
        to: MapId,
        /// What is added, by row and by column.
        table: ConstantId,
    },
    /// Attention, or a part of it.
    Attention(Attention, AttentionPart),
    /// A linear layer on every pixel.
    TokenLinear {
        from: MapId,
        to: MapId,
        /// Added to the result.
        residual: Option<MapId>,
        /// Weights, multiplied by the norm's scale.
        weights: ConstantId,
        /// Biases, including the contribution of the norm's shift.
        bias: ConstantId,
        /// Inputs per output, as in the weights.
        inputs: usize,
        /// GELU follows.
        is_gelu: bool,
        /// Epsilon of the preceding layer norm; `None` if there is no norm.
        eps: Option<f32>,
    },
    /// Combines two maps value by value.
    Combine {
        a: MapId,
        b: MapId,
        to: MapId,
        arithmetic: Arithmetic,
    },
    /// Copies values to other positions.
    Move(Move),
    /// Changes the number of rows and columns.
    Resize {
        from: MapId,
        to: MapId,
        /// What each row and column reads.
        tables: [ConstantId; 2],
        /// Number of positions that each reads.
        taps: usize,
    },
    /// The maximum or the mean of windows.
    Pool {
        from: MapId,
        to: MapId,
        pool: Pool,
        /// Mean instead of maximum.
        is_mean: bool,
        counts_padding: bool,
    },
    /// Reduces strips of whole channels.
    ReducePartial {
        map: MapId,
        /// Written: two fp32 values for each strip and channel.
        parts: MapId,
        strips: RowPartition,
        kind: ReduceKind,
    },
    /// Reduces whole channels from their strips.
    ReduceFinish {
        /// The map of which the strips are part.
        of: MapId,
        parts: MapId,
        to: MapId,
        strips: RowPartition,
        kind: ReduceKind,
    },
}

impl GeneralOp {
    /// The maps that it reads, and the map that it writes.
    pub fn maps(&self) -> (Vec<MapId>, MapId) {
        match *self {
            Self::Conv(conv) => (vec![conv.from], conv.to),
            Self::Pointwise { from, to, statistics, .. } => {
                let statistics = statistics.map(|(map, _)| map);
                ([from].into_iter().chain(statistics).collect(), to)
            }
            Self::Attention(Attention { queries, keys, values, .. }, part) => match part {
                AttentionPart::Whole { to } => (vec![queries.map, keys.map, values.map], to),
                AttentionPart::Scores { scores } => (vec![queries.map, keys.map], scores),
                AttentionPart::Softmax { scores } => (vec![scores], scores),
                AttentionPart::Product { scores, to } => (vec![scores, values.map], to),
            },
            Self::TokenLinear { from, to, residual, .. } => {
                (std::iter::once(from).chain(residual).collect(), to)
            }
            Self::Combine { a, b, to, .. } => (vec![a, b], to),
            Self::Move(Move { from, to, .. })
            | Self::LayerNorm { from, to, .. }
            | Self::Positions { from, to, .. }
            | Self::Resize { from, to, .. }
            | Self::Pool { from, to, .. } => (vec![from], to),
            Self::ReducePartial { map, parts, .. } => (vec![map], parts),
            Self::ReduceFinish { parts, to, .. } => (vec![parts], to),
        }
    }

    /// The kernel's source file, without its extension.
    pub(super) const fn file(&self) -> &'static str {
        match self {
            Self::Conv(_) => "general_conv",
            Self::Pointwise { .. } | Self::Combine { .. } => "general_pointwise",
            Self::LayerNorm { .. } | Self::Positions { .. } => "general_tokens",
            Self::Attention(_, part) => match part {
                AttentionPart::Whole { .. } => "attention",
                _ => "attention_naive",
            },
            Self::TokenLinear { .. } => "token_linear",
            Self::Move(_) => "general_move",
            Self::Resize { .. }
            | Self::Pool { .. }
            | Self::ReducePartial { .. }
            | Self::ReduceFinish { .. } => "general_window",
        }
    }
}
