//! Parameter blocks of the convolutions: one layer per launch, or a chain of several layers in one launch.

use crate::plan::cuda::MAX_CHAINED;

params! {
    /// Of `conv_*`.
    ConvParams = 1848 in "conv_params.cuh" {
        /// Raw map of the previous layer, or the photo in RGBA8.
        input: u64,
        /// (batch, `in_channels`): gamma / standard deviation of the previous norm; 0: none.
        in_scale: u64,
        /// (batch, `in_channels`).
        in_mean: u64,
        /// One per input channel.
        in_beta: u64,
        /// Residual stream that is added after the norm; 0: none.
        skip: u64,
        /// Where the normalised input is kept as residual stream; 0: nowhere.
        keep: u64,
        /// In the order in which the main loop reads them.
        weights: u64,
        /// One per output channel; 0: none.
        bias: u64,
        /// Raw map, or the painting in RGBA8.
        output: u64,
        /// The painting before rounding, planar; 0: RGBA8 is written.
        output_floats: u64,
        /// RGBA8 from which the painting's alpha is copied.
        photo: u64,
        /// (batch, channel tiles, CTAs + groups, 3, tile channels): count, mean, squares.
        partials: u64,
        /// (batch, channel tiles, groups + 1), or if CTAs exchange statistics (batch, channel tiles, tile channels,
        /// CTAs, 4): zero before and after every launch.
        tickets: u64,
        /// One per output channel.
        gamma: u64,
        /// One per output channel.
        beta: u64,
        /// (batch, out_channels): what the next layer applies; 0: no statistics.
        out_scale: u64,
        /// (batch, out_channels).
        out_mean: u64,
        /// Set if a value of the picture is not a number; 0: not recorded.
        overflow: u64,
        /// Rows of the stored input, or of the photo.
        in_height: i32,
        /// Columns of the stored input, or of the photo.
        in_width: i32,
        /// Stored channels of the input.
        in_channels: i32,
        /// Rows of the output.
        out_height: i32,
        /// Columns of the output.
        out_width: i32,
        /// Stored channels of the output.
        out_channels: i32,
        /// Rows that are computed, in each phase.
        grid_height: i32,
        /// Columns that are computed, in each phase.
        grid_width: i32,
        /// Tiles across.
        tiles_x: i32,
        /// Tiles down.
        tiles_y: i32,
        /// Input pixels from one output to the next.
        stride: i32,
        /// The first tap of (y, x) reads (y, x) * stride - origin.
        origin: i32,
        /// Taps down.
        taps_y: i32,
        /// Taps across.
        taps_x: i32,
        /// 1, or 4: the output is twice the grid.
        phases: i32,
        /// Channels that are in shared memory at once.
        chunk_channels: i32,
        chunks: i32,
        /// Rows of the input tile.
        tile_rows: i32,
        /// Columns of the input tile.
        tile_columns: i32,
        /// Bytes from pixel to pixel in shared memory; on Hopper from cell plane to cell plane.
        pitch: i32,
        /// EDGE_REFLECT or EDGE_REPLICATE.
        edge: i32,
        /// 1: the input is upsampled by 2 while it is gathered.
        upsample: i32,
        /// 1: ReLU while it is gathered.
        relu: i32,
        /// 1: ReLU after the bias, before values are stored.
        out_relu: i32,
        /// Kernel side of a layer that reads or makes the picture.
        photo_kernel: i32,
        /// Rows of the photo from which alpha is copied.
        photo_height: i32,
        /// Columns of the photo from which alpha is copied.
        photo_width: i32,
        /// Groups of CTAs: a group's statistics are merged first; 0: all CTAs are on the device at once and exchange
        /// theirs.
        merge_groups: i32,
        /// Output channels without padding.
        norm_channels: i32,
        /// Stages of the weights' ring. Only Hopper's main loop uses this and all `walk*`.
        ring_stages: i32,
        /// Bytes between core matrices along the channels.
        walk_across: i32,
        /// Bytes between core matrices along the pixels.
        walk_down: i32,
        /// Bytes from tap to tap downwards.
        walk_row: i32,
        /// Bytes from 64 output pixels to the next 64.
        walk_tile: i32,
        /// Blocks of weights of a phase.
        walk_blocks: i32,
        /// Added to the variance.
        eps: f32,
        /// A standard deviation up to this share of the mean counts as a rounding error.
        flat_share: f32,
        /// Factor on the photo's levels.
        photo_scale: f32,
        /// Bytes of the input tile in shared memory, on Hopper.
        tile_bytes: i32,
        /// 1: tiles are processed from the last to the first.
        backwards: i32,
        /// The phases of a tile are divided among 2^split CTAs, each of which then has only one tile; on Hopper.
        split: i32,
        /// 1: each CTA processes its tiles from the last to the first; for the large tiles on Hopper.
        turned: i32,
        /// Where each step of a phase starts in the tile, in units of 16 bytes.
        walk: [[u32; 32]; 12],
    }

    /// The parameters that differ between the layers of a chain.
    ChainLayer = 64 in "chain_params.cuh" {
        /// Raw map of the previous layer.
        input: u64,
        /// Residual stream that is added after the norm; 0: none.
        skip: u64,
        /// Where the normalised input is kept as residual stream; 0: nowhere.
        keep: u64,
        /// In the order in which the main loop reads them.
        weights: u64,
        /// Raw map.
        output: u64,
        /// One per output channel.
        gamma: u64,
        /// One per output channel.
        beta: u64,
        /// 1: ReLU while the input is gathered.
        relu: i32,
        /// Padding.
        spare: i32,
    }

    /// A layer before a chain that has another shape: its shape and the norm before it.
    LeadingLayer = 88 in "chain_params.cuh" {
        /// (batch, `in_channels`): gamma / standard deviation of the previous norm; 0: none.
        in_scale: u64,
        /// (batch, `in_channels`).
        in_mean: u64,
        /// One per input channel.
        in_beta: u64,
        /// Rows of the stored input.
        in_height: i32,
        /// Columns of the stored input.
        in_width: i32,
        /// Stored channels of the input.
        in_channels: i32,
        /// Input pixels from one output to the next.
        stride: i32,
        /// The first tap of (y, x) reads (y, x) * stride - origin.
        origin: i32,
        /// Channels of the input tile.
        chunk_channels: i32,
        /// Rows of the input tile.
        tile_rows: i32,
        /// Columns of the input tile.
        tile_columns: i32,
        /// Bytes from cell plane to cell plane.
        pitch: i32,
        /// EDGE_REFLECT or EDGE_REPLICATE.
        edge: i32,
        /// 1: the input is upsampled by 2 while it is gathered.
        upsample: i32,
        /// Bytes between core matrices along the channels.
        walk_across: i32,
        /// Bytes between core matrices along the pixels.
        walk_down: i32,
        /// Bytes from 64 output pixels to the next 64.
        walk_tile: i32,
        /// Blocks of weights.
        walk_blocks: i32,
        /// Where its steps start in `walk` of `all`.
        walk_first: i32,
    }

    /// Parameters of the entry points that compute several layers one after another.
    ChainParams = 4000 in "chain_params.cuh" {
        /// Shape of every layer except a leading one, the norm before the first layer if none leads, and the statistics
        /// after the last layer.
        all: ConvParams,
        /// In order; only the first `count` are used.
        layers: [ChainLayer; MAX_CHAINED],
        /// Statistics that the CTAs of an image exchange between layers; used if there are several CTAs.
        exchange: u64,
        /// Number of layers.
        count: i32,
        /// Padding.
        spare: i32,
        /// The first layer, if it has another shape.
        leading: LeadingLayer,
    }
}
