//! The steps of a CUDA plan, each with everything that its kernel's parameters are made of.

use super::{Chunking, ConvId, GeneralOp, MainLoop, MapId, ResidentNorm, RowPartition, Tile};
use crate::numeric::{NumberFormat, NumericFormat};

/// Most working memory of a library's convolution beyond one more copy of its input, weights and output, in
/// bytes: algorithms that reorder a map need such a copy, and a little more.
const SPARE_WORKSPACE_BYTES: usize = 16 << 20;

/// A convolution without padding over channels-last maps: filters are (output channel, row, column,
/// input channel), all channels as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvolutionShape {
    pub batch: usize,
    /// Rows of the padded input, in pixels.
    pub height: usize,
    /// Columns of the padded input, in pixels.
    pub width: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    /// Pixels from output to output.
    pub stride: usize,
    /// How values are stored, multiplied and added up.
    pub format: NumericFormat,
}

impl ConvolutionShape {
    /// Rows and columns of the output, in pixels.
    pub const fn output_size(&self) -> (usize, usize) {
        (
            (self.height - self.kernel) / self.stride + 1,
            (self.width - self.kernel) / self.stride + 1,
        )
    }

    const fn value_bytes(&self) -> usize {
        self.format.storage.bytes()
    }

    /// Bytes of the input.
    pub const fn input_bytes(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels * self.value_bytes()
    }

    /// Bytes of the filters.
    pub const fn weight_bytes(&self) -> usize {
        self.out_channels * self.kernel * self.kernel * self.in_channels * self.value_bytes()
    }

    /// Bytes of the output.
    pub const fn output_bytes(&self) -> usize {
        let (height, width) = self.output_size();
        self.batch * height * width * self.out_channels * self.value_bytes()
    }

    /// Most working memory that an algorithm may take, in bytes.
    pub const fn most_workspace_bytes(&self) -> usize {
        self.input_bytes() + self.weight_bytes() + self.output_bytes() + SPARE_WORKSPACE_BYTES
    }
}

/// One convolution by the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LibraryConv {
    pub conv: ConvId,
    /// Padded input.
    pub from: MapId,
    /// Output, without bias.
    pub to: MapId,
    /// The convolution's shape and formats.
    pub shape: ConvolutionShape,
}

/// How a convolution's weights are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taps {
    /// The kernel as it is.
    Direct,
    /// Four 2x2 kernels on the small map, one for each phase of the doubled one.
    FourPhase,
    /// For the layer that reads the photo: the colours of a whole row of the kernel are the channels, three a
    /// pixel, and the kernel's rows are the taps.
    PhotoRows,
    /// For the layer that reads the photo: the colours of a whole column of the kernel are the channels, of one row more
    /// than it has, and the kernel's columns are the taps. So two rows of the output are made of the same channels.
    PhotoColumns,
    /// For the layer that makes the picture: each column of the kernel gives three output channels, its rows
    /// are the taps, and the columns' sums are added afterwards, each shifted by its column.
    ShiftedColumns,
}

impl Taps {
    /// Rows of the output that are columns of one product, those of a row behind those of the one above.
    pub const fn rows_together(self, main_loop: MainLoop) -> usize {
        match (self, main_loop) {
            (Self::PhotoColumns, _) | (Self::ShiftedColumns, MainLoop::Wgmma) => 2,
            _ => 1,
        }
    }

    /// Taps down and across of a product, where a row of the output has so many: where several rows are multiplied
    /// together, of all that one of them needs.
    pub const fn of_product(
        self,
        (down, across): (usize, usize),
        main_loop: MainLoop,
    ) -> (usize, usize) {
        match self {
            Self::ShiftedColumns => (down + self.rows_together(main_loop) - 1, across),
            // Where the photo's rows are channels there is one row of taps.
            _ => (down, across),
        }
    }
}

/// Where a convolution reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The photo in RGBA8.
    Photo,
    /// A map as it is.
    Map(MapId),
    /// A raw convolution output: the scale and shift of its norm are applied while loading.
    Normalised {
        /// The raw output.
        map: MapId,
        /// The convolution that made it.
        conv: ConvId,
        /// Whether a ReLU follows.
        relu: bool,
        /// The residual stream that is added.
        skip: Option<MapId>,
        /// Where the result is kept as residual stream.
        keep: Option<MapId>,
    },
}

/// Where a convolution writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A map.
    Map(MapId),
    /// The painting.
    Picture,
}

/// One convolution launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvLaunch {
    pub conv: ConvId,
    /// Output tile of a CTA.
    pub tile: Tile,
    /// Order of the weights.
    pub taps: Taps,
    /// Taps down and across.
    pub tap_grid: (usize, usize),
    /// Phases of the output that a CTA computes one after another: 1 or 4.
    pub phases: usize,
    /// How it is multiplied.
    pub main_loop: MainLoop,
    /// What is multiplied.
    pub operand: NumberFormat,
    /// How channels go through shared memory.
    pub chunking: Chunking,
    /// Stages of the weights' ring.
    pub ring_stages: usize,
    /// Rows and columns of the input tile, in pixels.
    pub input_tile: (usize, usize),
    /// Pixels from output to output.
    pub stride: usize,
    /// Pixels by which the first tap lies before.
    pub origin: usize,
    /// Whether positions outside repeat the edge instead of being mirrored.
    pub replicate: bool,
    /// Whether the input is doubled while loading.
    pub upsample: bool,
    /// Whether tiles are taken from the last one on.
    pub backwards: bool,
    /// Whether each CTA takes its tiles from its last one on.
    pub turned: bool,
    /// The phases of a tile are divided among 2^split CTAs, each of which has but one tile then.
    pub split: usize,
    /// Whether the convolution's bias is added (always for the picture).
    pub bias: bool,
    /// Factor on the bias: that on the levels, where the input is scaled.
    pub bias_scale: f32,
    /// Rows and columns that are computed, a phase each.
    pub grid: (usize, usize),
    /// Tiles down and across.
    pub tiles: (usize, usize),
    /// CTAs for an image and a tile of channels; tiles of channels.
    pub ctas: (usize, usize),
    /// Where it reads.
    pub source: Source,
    /// Where it writes.
    pub target: Target,
    /// Whether statistics are gathered for the norm behind.
    pub statistics: bool,
    /// Whether its CTAs, all of them on the device at once, tell each other their statistics; else the last ones merge them.
    pub polls: bool,
    /// Added to the variance; smaller for a layer whose input is scaled down.
    pub eps: f32,
    /// A standard deviation up to this share of the mean is rounding of equal values, so that the map counts as
    /// flat.
    pub flat_share: f32,
    /// Factor on the photo's levels.
    pub photo_scale: f32,
    /// Whether a ReLU follows the bias before the values are stored.
    pub out_relu: bool,
    /// Whether it is of a general graph: reads a map as it is, with padding and doubling, and has the affine steps
    /// around it in its weights.
    pub is_general: bool,
}

/// What the CUDA backend executes.
// A plan has at most some hundred of them; that they are copied freely is worth the bytes.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CudaOp {
    /// A convolution with all that is folded into it.
    Conv(ConvLaunch),
    /// A convolution that a library computes, without its bias.
    LibraryConv(LibraryConv),
    /// Adds a convolution's bias; in place.
    Bias {
        conv: ConvId,
        map: MapId,
        /// Factor on the bias: that on the levels, where the input is scaled.
        scale: f32,
    },
    /// Bytes to values, times a factor.
    LoadPhoto {
        to: MapId,
        /// Factor.
        scale: f32,
    },
    /// Reflection padding.
    Pad {
        from: MapId,
        to: MapId,
        /// Pixels on every side.
        margin: usize,
    },
    /// Nearest neighbour, twice the size.
    Upsample { from: MapId, to: MapId },
    /// Sums of strips.
    MeanPartial { conv: ConvId, map: MapId, strips: RowPartition },
    /// Means from sums.
    MeanFinish {
        conv: ConvId,
        /// What the sums are of.
        map: MapId,
        strips: RowPartition,
    },
    /// Sums of squared distances of strips.
    VariancePartial { conv: ConvId, map: MapId, strips: RowPartition },
    /// 1 / sqrt(variance + eps) from sums.
    VarianceFinish {
        conv: ConvId,
        /// What the sums are of.
        map: MapId,
        strips: RowPartition,
        /// Added to the variance.
        eps: f32,
    },
    /// Subtracts the mean, divides by the deviation; in place.
    Normalise { conv: ConvId, map: MapId },
    /// Scale and shift of the norm; in place.
    Affine { conv: ConvId, map: MapId },
    /// In place.
    Relu { map: MapId },
    /// `map += addend`
    Add { map: MapId, addend: MapId },
    /// Statistics of a whole norm, folded into scale and shift.
    NormStatistics {
        conv: ConvId,
        map: MapId,
        strips: RowPartition,
        /// How it runs in one launch with the step that applies it; `None` for two.
        resident: Option<ResidentNorm>,
        /// Added to the variance.
        eps: f32,
    },
    /// Applies scale and shift, then ReLU or the residual; in place.
    NormApply {
        conv: ConvId,
        map: MapId,
        residual: Option<MapId>,
        /// Whether a ReLU follows.
        relu: bool,
        /// Pixels of a CTA.
        strip_pixels: usize,
    },
    /// The whole norm in one pass over memory; in place.
    NormPlane {
        conv: ConvId,
        map: MapId,
        residual: Option<MapId>,
        /// Whether a ReLU follows.
        relu: bool,
        /// 16-byte groups of channels of a CTA.
        group_packs: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// Values to bytes.
    StorePicture { from: MapId },
    /// A launch of a general graph.
    General(GeneralOp),
}

/// One launch.
#[derive(Clone, Debug, PartialEq)]
pub struct CudaStep {
    /// Layer that it belongs to.
    pub layer: String,
    /// Source file of the kernel, without its ending; empty for a library's.
    pub file: String,
    /// Entry of the kernel, or the library and what it does.
    pub entry: String,
    /// What is executed.
    pub op: CudaOp,
    /// CTAs in three dimensions; a library decides on its own, here and in the next two.
    pub grid: (u32, u32, u32),
    /// Threads of a CTA.
    pub block: u32,
    /// Dynamic shared memory, in bytes.
    pub shared_bytes: u32,
    /// Floating-point operations of the layer as defined (direct form), for the whole batch.
    pub flops: u64,
    /// Bytes that have to be read and written at least, for the whole batch.
    pub bytes: u64,
}

impl CudaStep {
    /// Whether the kernel itself waits for the launch before, so that it may begin while that one ends.
    pub fn may_begin_early(&self) -> bool {
        match &self.op {
            CudaOp::Conv(launch) => matches!(launch.main_loop, MainLoop::Wgmma),
            CudaOp::General(_) => GeneralOp::waits_for_launch_before(&self.file),
            _ => false,
        }
    }
}
