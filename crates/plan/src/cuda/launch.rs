//! The steps of a CUDA plan, each with everything from which its kernel's parameters are built.

use super::{
    Chunking, ConvId, GeneralOp, MainLoop, MapId, ResidentNorm, RowPartition, Source, Tile,
};
use network::graph::Op;
use values::numeric::{NumberFormat, NumericFormat};

/// Maximum working memory of a library's convolution in addition to one more copy of its input, weights and output, in
/// bytes. Algorithms that reorder a map need such a copy and a little more.
const SPARE_WORKSPACE_BYTES: usize = 16 << 20;

/// A convolution without padding over channels-last maps. Filters are (output channel, row, column, input channel),
/// with all channels as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvolutionShape {
    pub batch: usize,
    /// Rows of the padded input.
    pub height: usize,
    /// Columns of the padded input.
    pub width: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    pub stride: usize,
    /// How values are stored, multiplied and added up.
    pub format: NumericFormat,
}

impl ConvolutionShape {
    /// Rows and columns of the output.
    pub const fn output_size(&self) -> (usize, usize) {
        (
            (self.height - self.kernel) / self.stride + 1,
            (self.width - self.kernel) / self.stride + 1,
        )
    }

    const fn value_bytes(&self) -> usize {
        self.format.storage.bytes()
    }

    pub const fn input_bytes(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels * self.value_bytes()
    }

    pub const fn weight_bytes(&self) -> usize {
        self.out_channels * self.kernel * self.kernel * self.in_channels * self.value_bytes()
    }

    pub const fn output_bytes(&self) -> usize {
        let (height, width) = self.output_size();
        self.batch * height * width * self.out_channels * self.value_bytes()
    }

    /// Maximum working memory of an algorithm.
    pub const fn most_workspace_bytes(&self) -> usize {
        self.input_bytes() + self.weight_bytes() + self.output_bytes() + SPARE_WORKSPACE_BYTES
    }
}

/// One convolution computed by the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LibraryConv {
    pub conv: ConvId,
    /// Padded input.
    pub from: MapId,
    /// Output, without bias.
    pub to: MapId,
    pub shape: ConvolutionShape,
}

/// The order of a convolution's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taps {
    /// The unchanged kernel.
    Direct,
    /// Four 2x2 kernels on the small map, one for each phase of the upsampled map.
    FourPhase,
    /// For the layer that reads the photo: the colours of a whole kernel row are the channels, three per pixel, and the
    /// kernel's rows are the taps.
    PhotoRows,
    /// For the layer that reads the photo: the colours of a whole kernel column, and of one more row, are the channels,
    /// and the kernel's columns are the taps. Two output rows are therefore computed from the same channels.
    PhotoColumns,
    /// For the layer that makes the picture: each kernel column corresponds to three output channels, and its rows are
    /// the taps. The columns' sums are added afterwards, each shifted by its column.
    ShiftedColumns,
}

impl Taps {
    /// Number of output rows that are columns of one product. The columns of each row follow those of the row above.
    pub const fn rows_together(self, main_loop: MainLoop) -> usize {
        match (self, main_loop) {
            (Self::PhotoColumns, _) | (Self::ShiftedColumns, MainLoop::Wgmma) => 2,
            _ => 1,
        }
    }

    /// Taps down and across of a product, given the taps of one output row. If several rows are multiplied together,
    /// the product includes all taps that one of them needs.
    pub const fn of_product(
        self,
        (down, across): (usize, usize),
        main_loop: MainLoop,
    ) -> (usize, usize) {
        match self {
            Self::ShiftedColumns => (down + self.rows_together(main_loop) - 1, across),
            // If the photo's rows are channels, there is one row of taps.
            _ => (down, across),
        }
    }
}

/// The output of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Map(MapId),
    Picture,
}

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
    pub main_loop: MainLoop,
    /// Format of the operands.
    pub operand: NumberFormat,
    /// How channels pass through shared memory.
    pub chunking: Chunking,
    /// Stages of the weights' ring.
    pub ring_stages: usize,
    /// Rows and columns of the input tile, in pixels.
    pub input_tile: (usize, usize),
    /// Input pixels from one output to the next.
    pub stride: usize,
    /// Distance of the first tap before the output's position, in pixels; below zero if it is after it.
    pub origin: isize,
    /// Positions outside the map repeat the edge instead of being mirrored.
    pub replicate: bool,
    /// The input is upsampled by 2 while loading.
    pub upsample: bool,
    /// Tiles are processed from the last to the first.
    pub backwards: bool,
    /// Each CTA processes its tiles from the last to the first.
    pub turned: bool,
    /// The phases of a tile are divided among 2^split CTAs, each of which then has only one tile.
    pub split: usize,
    /// The convolution's bias is added (always for the picture).
    pub bias: bool,
    /// Factor on the bias: that on the levels, if the input is scaled.
    pub bias_scale: f32,
    /// Rows and columns that are computed, for each phase.
    pub grid: (usize, usize),
    /// Tiles down and across.
    pub tiles: (usize, usize),
    /// CTAs for each image and tile of channels; number of tiles of channels.
    pub ctas: (usize, usize),
    pub source: Source,
    pub target: Target,
    /// Statistics are collected for the norm that follows.
    pub statistics: bool,
    /// Its CTAs, all of which are on the device at once, exchange their statistics. Otherwise the last CTAs merge them.
    pub polls: bool,
    /// Added to the variance; smaller for a layer whose input is scaled down.
    pub eps: f32,
    /// A standard deviation up to this share of the mean is a rounding error of equal values. The map then counts as
    /// flat.
    pub flat_share: f32,
    /// Factor on the photo's levels.
    pub photo_scale: f32,
    /// ReLU follows the bias before the values are stored.
    pub out_relu: bool,
    /// It belongs to a general graph: it reads an unchanged map, with padding and upsampling, and its weights include
    /// the affine steps around it.
    pub is_general: bool,
}

/// An operation of the CUDA backend.
// A plan has at most some hundred operations, so being `Copy` is worth the memory.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CudaOp {
    /// A convolution with everything that is folded into it.
    Conv(ConvLaunch),
    /// A convolution that a library computes, without its bias.
    LibraryConv(LibraryConv),
    /// Adds a convolution's bias, in place.
    Bias {
        conv: ConvId,
        map: MapId,
        /// Factor on the bias: that on the levels, if the input is scaled.
        scale: f32,
    },
    /// Converts bytes to values, times a factor.
    LoadPhoto { to: MapId, scale: f32 },
    /// A node of the graph, as it is: padding by reflection, upsampling, ReLU, or the sum of two maps.
    Node {
        op: Op,
        from: MapId,
        other: Option<MapId>,
        /// The map itself if it is changed in place.
        to: MapId,
    },
    /// Sums of strips of a map, or what follows from them: means, or with the variance 1 / sqrt(variance + eps).
    Statistics {
        conv: ConvId,
        map: MapId,
        strips: RowPartition,
        /// Sums of squared distances from the mean instead of sums of values.
        of_variance: bool,
        /// It adds up the sums of all strips.
        finishes: bool,
        /// Added to the variance; 0 for means and sums.
        eps: f32,
    },
    /// Subtracts the mean and divides by the standard deviation, in place.
    Normalise { conv: ConvId, map: MapId },
    /// Scale and shift of the norm, in place.
    Affine { conv: ConvId, map: MapId },
    /// Statistics of a whole norm, converted to scale and shift.
    NormStatistics {
        conv: ConvId,
        map: MapId,
        strips: RowPartition,
        /// How it runs in one launch with the step that applies it; `None` for two launches.
        resident: Option<ResidentNorm>,
        /// Added to the variance.
        eps: f32,
    },
    /// Applies scale and shift, then ReLU or the residual, in place.
    NormApply {
        conv: ConvId,
        map: MapId,
        residual: Option<MapId>,
        /// ReLU follows.
        relu: bool,
        /// Pixels per CTA.
        strip_pixels: usize,
    },
    /// The whole norm in one pass over memory, in place.
    NormPlane {
        conv: ConvId,
        map: MapId,
        residual: Option<MapId>,
        /// ReLU follows.
        relu: bool,
        /// 16-byte groups of channels per CTA.
        group_packs: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// Converts values to bytes.
    StorePicture { from: MapId },
    /// A launch of a general graph.
    General(GeneralOp),
}

/// One launch.
#[derive(Clone, Debug, PartialEq)]
pub struct CudaStep {
    /// The layer's name.
    pub layer: String,
    /// Source file of the kernel, without its extension; empty for a library's kernel.
    pub file: String,
    /// Entry point of the kernel, or the library and what it does.
    pub entry: String,
    pub op: CudaOp,
    /// CTAs in three dimensions. A library ignores this and the next two fields.
    pub grid: (u32, u32, u32),
    /// Threads per CTA.
    pub block: u32,
    /// Dynamic shared memory.
    pub shared_bytes: u32,
    /// Floating-point operations of the layer as defined (direct form), for the whole batch.
    pub flops: u64,
    /// Minimum bytes that must be read and written, for the whole batch.
    pub bytes: u64,
}

impl CudaStep {
    /// True if the kernel itself waits for the previous launch, so that it may start while that is ending.
    pub fn may_begin_early(&self) -> bool {
        match &self.op {
            CudaOp::Conv(launch) => matches!(launch.main_loop, MainLoop::Wgmma),
            CudaOp::General(_) => matches!(
                self.file.as_str(),
                "token_linear" | "token_linear_wgmma" | "attention_flash" | "attention_wgmma"
            ),
            _ => false,
        }
    }
}
