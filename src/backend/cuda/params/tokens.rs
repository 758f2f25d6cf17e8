//! Parameter blocks of the kernels for tokens: attention and linear layers.

params! {
    /// Of `attention_*`.
    AttentionParams = 88 in "attention_params.cuh" {
        /// First channel of the queries in a map (n, query_tokens, query_pitch).
        queries: u64,
        /// First channel of the keys in a map (n, key_tokens, key_pitch).
        keys: u64,
        /// First channel of the values in a map (n, key_tokens, value_pitch).
        values: u64,
        /// Map (n, query_tokens, to_pitch) to write; 0 if scores are written instead.
        to: u64,
        /// fp32 (n, heads, query_tokens, key_tokens rounded up to 4) and (n, heads, query_tokens); 0 for kernels that
        /// store no scores.
        scores: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Number of queries.
        query_tokens: i32,
        /// Number of keys.
        key_tokens: i32,
        /// Channels of a token of queries, as stored.
        query_pitch: i32,
        /// Channels of a token of keys, as stored.
        key_pitch: i32,
        /// Channels of a token of values, as stored.
        value_pitch: i32,
        /// Channels of a token of `to`, as stored.
        to_pitch: i32,
        heads: i32,
        /// Channels of a head.
        head_size: i32,
        batch: i32,
        /// Factor on the products of queries and keys: log2(e) / sqrt(head_size), because weights are powers of two.
        scale: f32,
    }

    /// Of `token_linear_*`.
    TokenLinearParams = 80 in "token_params.cuh" {
        /// Map (tokens, from_pitch).
        from: u64,
        /// In the kernel's order.
        weights: u64,
        /// Map (tokens, to_pitch), or 0.
        residual: u64,
        /// Map (tokens, to_pitch) to write; may be the residual.
        to: u64,
        /// fp32 (to_pitch). For a norm on Hopper, followed by the sums of every output's weights.
        bias: u64,
        /// Set if a value does not fit the map; unused for f32.
        overflow: u64,
        /// Of all images.
        tokens: i32,
        /// Inputs, without padding.
        channels: i32,
        /// Inputs, padding included.
        from_pitch: i32,
        /// `from_pitch` rounded up to a multiple of 64 bytes, or of 64 inputs on Hopper.
        weight_pitch: i32,
        /// Outputs, padding included.
        to_pitch: i32,
        /// Whether GELU follows.
        is_gelu: i32,
        /// Added to the variance.
        eps: f32,
        /// Whether the weights multiply the layer norm of the map instead of the map; unused by Hopper's kernels.
        has_norm: i32,
    }
}
