//! The steps of general graphs, each with everything that its kernel's parameters are made of.

use crate::{
    graph::{Arithmetic, BlockOrder, Function, Op, PadMode, Pool},
    plan::cuda::{ConstantId, MapId, RowPartition},
};

/// What stands beyond the edge of a map; numbers as in `kernels/general.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Edge {
    /// Zeros, or the value that a map is filled up with.
    Outside = 0,
    /// The map mirrored.
    Mirrored = 1,
    /// The edge, repeated.
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

/// What becomes of a value by itself: its number in `kernels/general.cuh`, and the numbers that it is written with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointFunction {
    pub code: i32,
    pub numbers: [f32; 2],
}

impl PointFunction {
    /// The value itself.
    pub const NONE: Self = Self { code: 0, numbers: [0.0; 2] };

    /// That of an operation; `None` for an operation of another kind.
    pub(super) const fn of(op: &Op) -> Option<Self> {
        let (code, numbers) = match op {
            Op::Relu => (1, [0.0; 2]),
            Op::Function(function) => match *function {
                Function::LeakyRelu { slope } => (2, [slope, 0.0]),
                Function::Elu { alpha } => (3, [alpha, 0.0]),
                Function::Sigmoid => (4, [0.0; 2]),
                Function::HardSigmoid { alpha, beta } => (5, [alpha, beta]),
                Function::Tanh => (6, [0.0; 2]),
                Function::Clip { least, most } => (7, [least, most]),
                Function::Sqrt => (8, [0.0; 2]),
                Function::Reciprocal => (9, [0.0; 2]),
                Function::Abs => (10, [0.0; 2]),
                Function::Exp => (11, [0.0; 2]),
                Function::Softplus => (12, [0.0; 2]),
                Function::Erf => (13, [0.0; 2]),
                Function::Gelu => (14, [0.0; 2]),
            },
            _ => return None,
        };
        Some(Self { code, numbers: [numbers[0] as f32, numbers[1] as f32] })
    }
}

/// What becomes of a value by its channel and by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pointwise {
    /// Scales and shifts by channel, first.
    pub affine: Option<[ConstantId; 2]>,
    /// Slopes of negative values by channel, in place of a function.
    pub slopes: Option<ConstantId>,
    pub function: PointFunction,
}

impl Pointwise {
    /// The value itself.
    pub const NONE: Self = Self { affine: None, slopes: None, function: PointFunction::NONE };
}

/// A convolution of any shape, transposed or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneralConv {
    pub from: MapId,
    pub to: MapId,
    pub weights: ConstantId,
    pub bias: ConstantId,
    /// Eight numbers for each set of outputs that read the same taps: first tap, taps, first row and column, rows and
    /// columns.
    pub phases: ConstantId,
    /// Four numbers for each tap: rows and columns from the output's own place, and which of the kernel's.
    pub taps: ConstantId,
    /// Rows and columns of the input from output to output of a phase.
    pub stride: [usize; 2],
    /// Rows and columns of the output from output to output of a phase.
    pub step: [usize; 2],
    /// What stands beyond the input's edge.
    pub edge: Edge,
    /// Inputs and outputs of a group.
    pub group: [usize; 2],
    /// Factor on the sums, for a map that only a norm reads.
    pub factor: f32,
    /// What is done to the sums.
    pub after: Pointwise,
}

/// Where a [`Move`] takes values from; numbers as in `kernels/general_move.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MoveKind {
    /// The same channel, some rows and columns away.
    Places = 0,
    /// A block of pixels from channels, as [`BlockOrder::BlockFirst`].
    BlockFirst = 1,
    /// The same, as [`BlockOrder::ChannelFirst`].
    ChannelFirst = 2,
    /// Channels from a block of pixels.
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

/// Values at other places, unchanged. All channels are counted in units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    pub from: MapId,
    pub to: MapId,
    /// Channels that are moved together: 16 bytes of them, or one.
    pub unit_channels: usize,
    /// Where values come from.
    pub kind: MoveKind,
    /// What stands beyond the edge.
    pub edge: Edge,
    /// Rows and columns by which values move down and to the right.
    pub offset: [i32; 2],
    /// First unit that is written.
    pub first: usize,
    /// Units that are written.
    pub count: usize,
    /// Units of them that exist; zeros fill up the rest.
    pub real: usize,
    /// First unit that is read.
    pub source: usize,
    /// Side of a block, in pixels.
    pub block: usize,
    /// Units of a pixel in a block.
    pub block_units: usize,
    /// What stands outside.
    pub fill: f32,
}

/// What is taken of whole channels; numbers as in `kernels/general_window.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ReduceKind {
    /// Mean and biased variance, in fp32.
    Statistics = 0,
    /// The mean, as a map.
    Mean = 1,
    /// The largest value, as a map.
    Largest = 2,
}

/// Channels of a map from `first` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    pub map: MapId,
    pub first: usize,
}

/// What a launch of attention makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionPart {
    /// All of it.
    Whole { to: MapId },
    /// The scores of every query for every key.
    Scores { scores: MapId },
    /// Weights in place of scores, and their sums.
    Softmax { scores: MapId },
    /// The weighted means of values.
    Product { scores: MapId, to: MapId },
}

/// What attention reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Queries of all heads.
    pub queries: Slice,
    /// Keys of all heads.
    pub keys: Slice,
    /// Values of all heads.
    pub values: Slice,
    /// Heads, which share the channels.
    pub heads: usize,
    /// Channels of a head.
    pub head_size: usize,
}

/// One launch of a general graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GeneralOp {
    /// A convolution.
    Conv(GeneralConv),
    /// Values by themselves.
    Pointwise {
        from: MapId,
        to: MapId,
        /// Statistics by which values are normalised first, and what is added to the variance.
        statistics: Option<(MapId, f32)>,
        /// What becomes of them.
        change: Pointwise,
    },
    /// The norm of every pixel over its channels.
    LayerNorm {
        from: MapId,
        to: MapId,
        /// Scales and shifts by channel.
        affine: [ConstantId; 2],
        /// Added to the variance.
        eps: f32,
    },
    /// Adds where a pixel lies.
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
        /// Added behind it.
        residual: Option<MapId>,
        /// Weights, with the norm's scale in them.
        weights: ConstantId,
        /// Biases, with the norm's shift in them.
        bias: ConstantId,
        /// Inputs of an output, as the weights have them.
        inputs: usize,
        /// Whether GELU follows.
        is_gelu: bool,
        /// What the layer norm in front adds to the variance; `None` where there is none.
        eps: Option<f32>,
    },
    /// Two maps, value by value.
    Combine {
        /// First.
        a: MapId,
        /// Second.
        b: MapId,
        to: MapId,
        arithmetic: Arithmetic,
    },
    /// Values at other places.
    Move(Move),
    /// Another number of rows and columns.
    Resize {
        from: MapId,
        to: MapId,
        /// What each row and column reads.
        tables: [ConstantId; 2],
        /// Places that each reads.
        taps: usize,
    },
    /// The largest value or the mean of windows.
    Pool {
        from: MapId,
        to: MapId,
        pool: Pool,
        /// Whether it is the mean.
        is_mean: bool,
        /// Whether padding counts in it.
        counts_padding: bool,
    },
    /// What is taken of strips of whole channels.
    ReducePartial {
        map: MapId,
        /// Written: two fp32 values for each strip and channel.
        parts: MapId,
        strips: RowPartition,
        /// What is taken.
        kind: ReduceKind,
    },
    /// What is taken of whole channels, from their strips.
    ReduceFinish {
        /// What the strips are of.
        of: MapId,
        parts: MapId,
        to: MapId,
        strips: RowPartition,
        /// What is taken.
        kind: ReduceKind,
    },
}

impl GeneralOp {
    /// The maps that it reads, and the one that it writes.
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

    /// The kernel's source file, without its ending.
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

    /// Whether the kernel itself waits for the launch before, on Hopper.
    pub(in crate::plan::cuda) fn waits_for_launch_before(file: &str) -> bool {
        matches!(
            file,
            "token_linear" | "token_linear_wgmma" | "attention_flash" | "attention_wgmma"
        )
    }
}
