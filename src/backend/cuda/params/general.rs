//! Parameter blocks of the kernels of general graphs.

params! {
    /// Of `general_conv_*`.
    GeneralConvParams = 160 in "general_conv.cu" {
        /// Map (n, in_height, in_width, in_stored).
        from: u64,
        /// Weights in the order of the entry.
        weights: u64,
        /// Map (n, out_height, out_width, out_stored) to write.
        to: u64,
        /// Eight numbers per phase.
        phases: u64,
        /// Four numbers per tap.
        taps: u64,
        /// fp32 (out_stored).
        bias: u64,
        /// fp32 (out_stored), or 0.
        scale: u64,
        /// fp32 (out_stored), if there is a scale.
        shift: u64,
        /// fp32 (out_stored), or 0.
        slopes: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        batch: i32,
        /// Rows of `from`.
        in_height: i32,
        /// Columns of `from`.
        in_width: i32,
        /// Channels of `from`, padding included.
        in_stored: i32,
        /// Rows of `to`.
        out_height: i32,
        /// Columns of `to`.
        out_width: i32,
        /// Channels of `to`, without padding.
        out_channels: i32,
        /// Channels of `to`, padding included.
        out_stored: i32,
        /// Rows of `from` from one output to the next in a phase.
        stride_y: i32,
        /// Columns of `from` from one output to the next in a phase.
        stride_x: i32,
        /// Rows of `to` from one output to the next in a phase.
        step_y: i32,
        /// Columns of `to` from one output to the next in a phase.
        step_x: i32,
        /// The border beyond the edge of `from`.
        edge: i32,
        /// Inputs per group.
        group_in: i32,
        /// Outputs per group.
        group_out: i32,
        /// The function that is applied to the sums.
        function: i32,
        /// The function's first parameter.
        first: f32,
        /// The function's second parameter.
        second: f32,
        /// Factor on the sums.
        factor: f32,
        /// Channels of `from`, without padding.
        in_channels: i32,
    }

    /// Of `general_pointwise_*`.
    GeneralPointwiseParams = 96 in "general_pointwise.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write; may be `from`.
        to: u64,
        /// fp32 (n, channels), or 0.
        mean: u64,
        /// fp32 (n, channels), if there is a mean.
        variance: u64,
        /// fp32 (channels), or 0.
        scale: u64,
        /// fp32 (channels), if there is a scale.
        shift: u64,
        /// fp32 (channels), or 0.
        slopes: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
        /// Channels, without padding.
        real: i32,
        /// The function that is applied to the values.
        function: i32,
        /// The function's first parameter.
        first: f32,
        /// The function's second parameter.
        second: f32,
        /// Added to the variance.
        eps: f32,
    }

    /// Of `general_combine_*`.
    GeneralCombineParams = 88 in "general_pointwise.cu" {
        /// Map (n, a_height, a_width, a_stored).
        a: u64,
        /// Map (n, b_height, b_width, b_stored).
        b: u64,
        /// Map (n, height, width, channels) to write.
        to: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Width of `a`, or 1.
        a_width: i32,
        /// Height of `a`, or 1.
        a_height: i32,
        /// Channels of `a`, without padding: `real`, or 1.
        a_channels: i32,
        /// Channels of `a`, padding included.
        a_stored: i32,
        /// Width of `b`, or 1.
        b_width: i32,
        /// Height of `b`, or 1.
        b_height: i32,
        /// Channels of `b`, without padding: `real`, or 1.
        b_channels: i32,
        /// Channels of `b`, padding included.
        b_stored: i32,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
        /// Channels, without padding.
        real: i32,
        /// Sum, difference, product or quotient.
        arithmetic: i32,
        spare: i32,
    }

    /// Of `general_layer_norm_*`.
    GeneralLayerNormParams = 56 in "general_tokens.cu" {
        /// Map (pixels, channels).
        from: u64,
        /// Map to write.
        to: u64,
        /// fp32 (channels).
        scale: u64,
        /// fp32 (channels).
        shift: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Pixels of all images.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Channels, without padding.
        real: i32,
        /// Added to the variance.
        eps: f32,
    }

    /// Of `general_positions_*`.
    GeneralPositionsParams = 48 in "general_tokens.cu" {
        /// Map (n, height, width, channels).
        from: u64,
        /// Map to write.
        to: u64,
        /// fp32 (height + width, real / 2).
        table: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Width in pixels.
        width: i32,
        /// Height in pixels.
        height: i32,
        /// Channels, padding included.
        channels: i32,
        /// Channels, without padding.
        real: i32,
    }

    /// Of `general_move_*`.
    GeneralMoveParams = 88 in "general_move.cu" {
        /// Map (n, in_height, in_width, in_units).
        from: u64,
        /// Map (n, out_height, out_width, out_units) to write.
        to: u64,
        /// Rows of `from`.
        in_height: i32,
        /// Columns of `from`.
        in_width: i32,
        /// Units of a pixel of `from`.
        in_units: i32,
        /// Rows of `to`.
        out_height: i32,
        /// Columns of `to`.
        out_width: i32,
        /// Units of a pixel of `to`.
        out_units: i32,
        /// First unit that is written.
        first: i32,
        /// Units that are written.
        count: i32,
        /// Number of these units that are read; the rest is filled with zeros.
        real: i32,
        /// First unit that is read.
        source: i32,
        /// Where values come from.
        kind: i32,
        /// The border beyond the edge of `from`.
        edge: i32,
        /// Rows by which values move down.
        top: i32,
        /// Columns by which values move to the right.
        left: i32,
        /// Side of a block, in pixels.
        block: i32,
        /// Units of a pixel in a block.
        block_units: i32,
        /// Bits of the value outside the map.
        fill: u32,
        spare: i32,
    }

    /// Of `general_resize_*`.
    GeneralResizeParams = 64 in "general_window.cu" {
        /// Map (n, in_height, in_width, channels).
        from: u64,
        /// Map (n, out_height, out_width, channels) to write.
        to: u64,
        /// Four positions and weights for each output row.
        rows: u64,
        /// Four positions and weights for each output column.
        columns: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Rows of `from`.
        in_height: i32,
        /// Columns of `from`.
        in_width: i32,
        /// Rows of `to`.
        out_height: i32,
        /// Columns of `to`.
        out_width: i32,
        /// Channels, padding included.
        channels: i32,
        /// Number of positions that are used per axis: 1, 2 or 4.
        taps: i32,
    }

    /// Of `general_pool_*`.
    GeneralPoolParams = 80 in "general_window.cu" {
        /// Map (n, in_height, in_width, channels).
        from: u64,
        /// Map (n, out_height, out_width, channels) to write.
        to: u64,
        /// Rows of `from`.
        in_height: i32,
        /// Columns of `from`.
        in_width: i32,
        /// Rows of `to`.
        out_height: i32,
        /// Columns of `to`.
        out_width: i32,
        /// Channels, padding included.
        channels: i32,
        /// Rows of a window.
        kernel_y: i32,
        /// Columns of a window.
        kernel_x: i32,
        /// Rows from one window to the next.
        stride_y: i32,
        /// Columns from one window to the next.
        stride_x: i32,
        /// Rows of padding before the map.
        top: i32,
        /// Columns of padding before the map.
        left: i32,
        /// Rows of the map and of the padding after it.
        limit_y: i32,
        /// Columns of the map and of the padding after it.
        limit_x: i32,
        /// Whether to compute the mean instead of the maximum.
        is_mean: i32,
        /// Whether padding counts in the mean.
        counts: i32,
        spare: i32,
    }

    /// Of `general_reduce_partial_*`.
    GeneralReducePartialParams = 40 in "general_window.cu" {
        /// Map (n, pixels, channels).
        map: u64,
        /// fp32 (n, strips, channels, 2) to write.
        parts: u64,
        /// Pixels per image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips per image.
        strips: i32,
        /// Pixels per strip.
        strip_pixels: i32,
        /// Whether to compute the maximum.
        is_largest: i32,
        spare: i32,
    }

    /// Of `general_reduce_finish_*`.
    GeneralReduceFinishParams = 48 in "general_window.cu" {
        /// fp32 (n, strips, channels, 2), from the previous launch.
        parts: u64,
        /// Statistics, fp32 (2, n, channels), or map (n, 1, 1, channels) to write.
        to: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Channels, without padding.
        real: i32,
        /// Strips of an image.
        strips: i32,
        /// Pixels of a strip.
        strip_pixels: i32,
        /// The kind of reduction.
        kind: i32,
        batch: i32,
        spare: i32,
    }
}
