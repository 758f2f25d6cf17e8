//! What a step of a CPU plan does: its operation, its convolution's algorithm, and its maps by index.

use super::{MapId, general::GeneralOp};
use crate::tensor::Shape;

/// Index of a convolution in [`CpuPlan::convs`](super::CpuPlan::convs).
pub type ConvId = usize;

/// Where a fused convolution's input comes from and what happens to it on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gather {
    /// The photo's bytes.
    Photo,
    /// A raw convolution output: scale, shift and ReLU of its norm are applied while loading.
    NormRelu {
        /// The raw output.
        map: MapId,
        /// The convolution that made it.
        conv: ConvId,
        /// Where the result is kept as the residual stream, if it is needed again.
        keep: Option<MapId>,
    },
    /// The residual stream plus the normalised raw output, formed while loading.
    NormAdd {
        /// The raw output.
        map: MapId,
        /// The convolution that made it.
        conv: ConvId,
        /// The residual stream so far.
        skip: MapId,
        /// Where the sum is kept, if it is needed again.
        keep: Option<MapId>,
    },
}

/// Which of Winograd's algorithms, by a convolution's output pixels for each pixel of its input, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// One: F(4x4, 3x3), a quarter of the multiplications.
    Plain,
    /// Two, the map is doubled first: 0.17 of the multiplications of 3x3 weights on the large map.
    Doubled,
    /// One for two: 0.6 of the multiplications.
    Strided,
}

/// How a fused convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Implicit matrix product over staged rows; an upsampling happens while staging.
    Direct,
    /// 3x3 by one of Winograd's algorithms.
    Winograd(TileKind),
    /// 5x5 to 9x9 from the photo or to the picture: blocks of 3x3 weights by Winograd's F(3x3, 3x3), 0.31 of the
    /// multiplications.
    BlockedWinograd,
    /// Upsampling and 3x3 as four 2x2 convolutions on the small map: 2.25 times fewer operations.
    FourPhase,
    /// To three channels: all kernel columns at once as the columns of one product, shifted sums
    /// afterwards.
    ShiftedColumns,
}

impl Algorithm {
    /// Name in timing tables, with the kernel side.
    pub(super) fn label(self, kernel: usize) -> String {
        match self {
            Self::Direct => format!("direct {kernel}x{kernel}"),
            Self::Winograd(TileKind::Plain) => "winograd 4x4".to_owned(),
            Self::Winograd(TileKind::Doubled) => "winograd 4x4 doubled".to_owned(),
            Self::Winograd(TileKind::Strided) => "winograd 3x3 at stride 2".to_owned(),
            Self::BlockedWinograd => format!("winograd 3x3 for {kernel}x{kernel}"),
            Self::FourPhase => "four-phase 2x2".to_owned(),
            Self::ShiftedColumns => format!("shifted columns {kernel}x{kernel}"),
        }
    }
}

/// What the CPU backend executes.
#[derive(Clone, Debug, PartialEq)]
pub enum CpuOp {
    /// A step of a general plan; such a plan has no others.
    General(GeneralOp),
    /// Bytes to f32.
    Load { to: MapId },
    /// Nearest neighbour, twice the size.
    Upsample { from: MapId, to: MapId },
    /// Reflection padding by half the kernel of `conv`.
    Pad {
        /// The convolution that is padded for.
        conv: ConvId,
        from: MapId,
        to: MapId,
    },
    /// im2col and matrix product, with bias.
    Im2col {
        conv: ConvId,
        /// Read (padded).
        from: MapId,
        to: MapId,
    },
    /// Mean and variance of every channel.
    Statistics { conv: ConvId, map: MapId },
    /// Subtract the mean, divide by the deviation, scale and shift; in place.
    Normalise { conv: ConvId, map: MapId },
    /// In place.
    Relu { map: MapId },
    /// `to += from`
    Add { from: MapId, to: MapId },
    /// f32 to bytes.
    Store { from: MapId },
    /// A whole layer: gather, convolution, statistics; the last one writes the picture.
    Fused {
        conv: ConvId,
        algorithm: Algorithm,
        /// Its input.
        gather: Gather,
        /// Its raw output; the picture when `None`.
        to: Option<MapId>,
    },
}

/// One step of a plan: one kernel over one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Layer that the step belongs to: `conv1`, `res1.conv2`.
    pub layer: String,
    /// The kernel's name in the timing table: `winograd 4x4`.
    pub kernel: String,
    /// What the backend executes.
    pub op: CpuOp,
    /// Output of the step.
    pub output: Shape,
    /// Floating-point operations as the layer defines them (2 per multiply-add, direct form), so
    /// that variants are compared by equal work. Zero for steps that only move or normalise.
    pub flops: u64,
    /// Bytes that the step has to read and write at least: inputs, weights and outputs, once each.
    pub bytes: u64,
}
