//! Working memory of one task: a ring buffer of staged input rows (normalised and padded copies), and the computed row.

use super::{
    Algorithm, Blocks, CHANNEL_ALIGNMENT, CpuVariant, PANEL_COLUMNS, STRIDED_POINTS, TILE_COLUMNS,
    TILE_SLACK, TileKind, WINOGRAD_POINTS, WINOGRAD_TILES, padded_channels, point_len,
};
use crate::ConvLayer;

/// Sizes of the staged rows, their ring and the output row, in values (f32, or bytes in int8), for the algorithms that
/// stage rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staging {
    /// Pixels of one staged row, including the slack for full register tiles.
    pub columns: usize,
    /// Channels of one staged pixel.
    pub channels: usize,
    /// Staged rows that are needed at the same time.
    pub rows: usize,
    /// Pixels of one computed row, including register-tile slack.
    pub out_columns: usize,
    /// Values of one computed pixel.
    pub out_channels: usize,
}

impl Staging {
    /// The staging of a fused convolution.
    pub fn of(conv: &ConvLayer, algorithm: Algorithm, variant: CpuVariant) -> Self {
        let channels = variant.packed_inputs(conv);
        let out_channels = padded_channels(conv.out_channels).next_multiple_of(PANEL_COLUMNS);
        let k = conv.kernel;
        let out_columns = TILE_COLUMNS + TILE_SLACK;
        let direct = Self {
            columns: (out_columns - 1) * conv.stride + k,
            channels,
            rows: k,
            out_columns,
            out_channels,
        };
        match algorithm {
            Algorithm::FourPhase => Self { columns: out_columns + 2, rows: 3, ..direct },
            Algorithm::ShiftedColumns => Self {
                columns: out_columns + k - 1,
                out_columns: out_columns + k - 1,
                out_channels: (3 * k).next_multiple_of(PANEL_COLUMNS),
                ..direct
            },
            _ => direct,
        }
    }

    /// Values of one staged row.
    pub const fn row_len(&self) -> usize {
        self.columns * self.channels
    }

    /// Values of the ring of staged rows.
    pub const fn ring_len(&self) -> usize {
        // Vectors are loaded and stored whole, so a few values after the last pixel are accessed.
        self.rows * self.row_len() + CHANNEL_ALIGNMENT
    }

    /// The ring's share of a task's working memory, in f32.
    pub const fn ring_floats(&self, is_bytes: bool) -> usize {
        if is_bytes { self.ring_len().div_ceil(4) } else { self.ring_len() }
    }

    /// Values of one computed row.
    pub const fn out_len(&self) -> usize {
        self.out_columns * self.out_channels
    }
}

/// Values of the points of a task's tiles, transformed and multiplied, plus the pixels of one tile.
pub const fn tiles_scratch(points: usize, inputs: usize, pixels: usize) -> usize {
    let both = point_len(WINOGRAD_TILES, inputs) + point_len(WINOGRAD_TILES, PANEL_COLUMNS);
    points * both + pixels * PANEL_COLUMNS
}

/// Scratch of one worker for a fused layer, in f32: its working memory and the running statistics.
pub fn fused_scratch(conv: &ConvLayer, algorithm: Algorithm, variant: CpuVariant) -> usize {
    let (inputs, outputs) = (padded_channels(conv.in_channels), padded_channels(conv.out_channels));
    let statistics = 4 * outputs.next_multiple_of(PANEL_COLUMNS);
    let work = match (algorithm, Blocks::of(conv)) {
        (Algorithm::BlockedWinograd, Some(blocks)) => blocks.scratch(conv),
        (Algorithm::Winograd(TileKind::Strided), _) => tiles_scratch(STRIDED_POINTS, inputs, 9),
        // With upsampling, there are fewer points.
        (Algorithm::Winograd(_), _) => tiles_scratch(WINOGRAD_POINTS, inputs, 16),
        _ => {
            let staging = Staging::of(conv, algorithm, variant);
            staging.ring_floats(variant == CpuVariant::FusedInt8) + staging.out_len()
        }
    };
    work + statistics
}
