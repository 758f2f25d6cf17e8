//! What a step of a CPU plan does: its operation, the algorithm of its convolution, and its maps by index.

use super::{MapId, general::GeneralOp};
use crate::Source;
use values::tensor::Shape;

/// Index of a convolution in [`CpuPlan::convs`](super::CpuPlan::convs).
pub type ConvId = usize;

/// The variants of Winograd's algorithms, by the number of output pixels per input pixel in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileKind {
    /// One output per input: F(4x4, 3x3), a quarter of the multiplications.
    Plain,
    /// Two outputs per input, because the map is upsampled by 2: 0.17 of the multiplications of 3x3 weights on the
    /// large map.
    Doubled,
    /// One output per two inputs (stride 2): 0.6 of the multiplications.
    Strided,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Implicit matrix product over staged rows. An upsampling happens while staging.
    Direct,
    /// 3x3 by one of Winograd's algorithms.
    Winograd(TileKind),
    /// 5x5 to 9x9 from the photo or to the picture: blocks of 3x3 weights by Winograd's F(3x3, 3x3), 0.31 of the
    /// multiplications.
    BlockedWinograd,
    /// Upsampling and 3x3 as four 2x2 convolutions on the small map: 2.25 times fewer operations.
    FourPhase,
    /// To three channels: all kernel columns at once as the columns of one product, followed by shifted sums.
    ShiftedColumns,
}

impl Algorithm {
    /// Name in timing tables, including the kernel side.
    pub fn label(self, kernel: usize) -> String {
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

/// An operation of the CPU backend.
#[derive(Clone, Debug, PartialEq)]
pub enum CpuOp {
    /// A step over maps as nodes of the graph have them. A general plan has no other steps.
    General(GeneralOp),
    /// im2col and matrix product, with bias.
    Im2col {
        conv: ConvId,
        /// Padded.
        from: MapId,
        to: MapId,
    },
    /// Mean and variance of every channel.
    Statistics { conv: ConvId, map: MapId },
    /// Subtracts the mean, divides by the standard deviation, scales and shifts; in place.
    Normalise { conv: ConvId, map: MapId },
    /// A whole layer: loading, convolution, statistics. The last layer writes the picture.
    Fused {
        conv: ConvId,
        algorithm: Algorithm,
        source: Source,
        /// The raw output; the layer makes the picture when `None`.
        to: Option<MapId>,
    },
}

/// One step of a plan: one kernel over one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The layer's name: `conv1`, `res1.conv2`.
    pub layer: String,
    /// The kernel's name in the timing table: `winograd 4x4`.
    pub kernel: String,
    pub op: CpuOp,
    pub output: Shape,
    /// Floating-point operations as the layer defines them (2 per multiply-add, direct form), so that variants are
    /// compared by equal work. Zero for steps that only move or normalise values.
    pub flops: u64,
    /// Minimum bytes that the step has to read and write: inputs, weights and outputs, once each.
    pub bytes: u64,
}
