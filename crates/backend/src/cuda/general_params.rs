//! Builds the parameter blocks of the launches of general graphs.

use super::{
    kernel_params::{ParamsMaker, int},
    params::{KernelParams::*, *},
};
use plan::cuda::{
    Attention, AttentionPart, ConstantId, GeneralConv, GeneralOp, MapId, Move, Pointwise,
    ReduceKind, Slice,
};
use values::numeric::NumberFormat;

impl ParamsMaker<'_> {
    /// Address of a constant.
    fn constant(&self, constant: ConstantId) -> u64 {
        self.at(self.layout.constants[constant])
    }

    /// Address of the flag after the paintings; 0 if no launch records overflows.
    pub fn overflow(&self) -> u64 {
        if self.plan.notes_overflow {
            self.at(self.layout.painting + self.plan.painting_bytes())
        } else {
            0
        }
    }

    /// Addresses of scales, shifts and slopes by channel; 0 for an operation that has none.
    fn by_channel(&self, change: &Pointwise) -> [u64; 3] {
        let [scale, shift] = change.affine.map_or([None; 2], |affine| affine.map(Some));
        [scale, shift, change.slopes].map(|id| id.map_or(0, |id| self.constant(id)))
    }

    /// Channels of a map without padding.
    fn real(&self, map: MapId) -> i32 {
        int(self.plan.maps[map].shape.channels)
    }

    /// The parameter block of a launch of a general graph.
    pub fn general(&self, op: &GeneralOp) -> KernelParams {
        match *op {
            GeneralOp::Conv(ref conv) => GeneralConv(self.general_conv(conv)),
            GeneralOp::Pointwise { from, to, statistics, change } => {
                GeneralPointwise(self.pointwise(from, to, statistics, &change))
            }
            GeneralOp::Combine { a, b, to, arithmetic } => {
                let (height, width, channels) = self.size(to);
                let (a_height, a_width, a_stored) = self.size(a);
                let (b_height, b_width, b_stored) = self.size(b);
                GeneralCombine(GeneralCombineParams {
                    a: self.map(a),
                    b: self.map(b),
                    to: self.map(to),
                    overflow: self.overflow(),
                    a_width,
                    a_height,
                    a_channels: self.real(a),
                    a_stored,
                    b_width,
                    b_height,
                    b_channels: self.real(b),
                    b_stored,
                    width,
                    height,
                    channels,
                    real: self.real(to),
                    arithmetic: arithmetic as i32,
                    spare: 0,
                })
            }
            GeneralOp::LayerNorm { from, to, affine: [scale, shift], eps } => {
                let (pixels, channels) = self.pixels(to);
                GeneralLayerNorm(GeneralLayerNormParams {
                    from: self.map(from),
                    to: self.map(to),
                    scale: self.constant(scale),
                    shift: self.constant(shift),
                    overflow: self.overflow(),
                    pixels: int(self.plan.batch) * pixels,
                    channels,
                    real: self.real(to),
                    eps,
                })
            }
            GeneralOp::Positions { from, to, table } => {
                let (height, width, channels) = self.size(to);
                GeneralPositions(GeneralPositionsParams {
                    from: self.map(from),
                    to: self.map(to),
                    table: self.constant(table),
                    overflow: self.overflow(),
                    width,
                    height,
                    channels,
                    real: self.real(to),
                })
            }
            GeneralOp::Attention(ref read, part) => {
                KernelParams::Attention(self.attention(read, part))
            }
            GeneralOp::TokenLinear { from, to, residual, weights, bias, inputs, is_gelu, eps } => {
                let (pixels, to_pitch) = self.pixels(to);
                let (_, from_pitch) = self.pixels(from);
                TokenLinear(TokenLinearParams {
                    from: self.map(from),
                    weights: self.constant(weights),
                    residual: self.map_or_null(residual),
                    to: self.map(to),
                    bias: self.constant(bias),
                    overflow: self.overflow(),
                    tokens: int(self.plan.batch) * pixels,
                    channels: self.real(from),
                    from_pitch,
                    weight_pitch: int(inputs),
                    to_pitch,
                    is_gelu: i32::from(is_gelu),
                    eps: eps.unwrap_or_default(),
                    has_norm: i32::from(eps.is_some()),
                })
            }
            GeneralOp::Move(ref op) => GeneralMove(self.moved(op)),
            GeneralOp::Resize { from, to, tables: [rows, columns], taps } => {
                let (in_height, in_width, channels) = self.size(from);
                let (out_height, out_width, _) = self.size(to);
                GeneralResize(GeneralResizeParams {
                    from: self.map(from),
                    to: self.map(to),
                    rows: self.constant(rows),
                    columns: self.constant(columns),
                    overflow: self.overflow(),
                    in_height,
                    in_width,
                    out_height,
                    out_width,
                    channels,
                    taps: int(taps),
                })
            }
            GeneralOp::Pool { from, to, pool, is_mean, counts_padding } => {
                let (in_height, in_width, channels) = self.size(from);
                let (out_height, out_width, _) = self.size(to);
                GeneralPool(GeneralPoolParams {
                    from: self.map(from),
                    to: self.map(to),
                    in_height,
                    in_width,
                    out_height,
                    out_width,
                    channels,
                    kernel_y: int(pool.kernel[0]),
                    kernel_x: int(pool.kernel[1]),
                    stride_y: int(pool.stride[0]),
                    stride_x: int(pool.stride[1]),
                    top: int(pool.sides.top),
                    left: int(pool.sides.left),
                    limit_y: in_height + int(pool.sides.bottom),
                    limit_x: in_width + int(pool.sides.right),
                    is_mean: i32::from(is_mean),
                    counts: i32::from(counts_padding),
                    spare: 0,
                })
            }
            GeneralOp::ReducePartial { map, parts, strips, kind } => {
                let (pixels, channels) = self.pixels(map);
                GeneralReducePartial(GeneralReducePartialParams {
                    map: self.map(map),
                    parts: self.map(parts),
                    pixels,
                    channels,
                    strips: int(strips.count),
                    strip_pixels: int(strips.pixels),
                    is_largest: i32::from(kind == ReduceKind::Largest),
                    spare: 0,
                })
            }
            GeneralOp::ReduceFinish { of, parts, to, strips, kind } => {
                let (pixels, channels) = self.pixels(of);
                GeneralReduceFinish(GeneralReduceFinishParams {
                    parts: self.map(parts),
                    to: self.map(to),
                    pixels,
                    channels,
                    real: self.real(of),
                    strips: int(strips.count),
                    strip_pixels: int(strips.pixels),
                    kind: kind as i32,
                    batch: int(self.plan.batch),
                    spare: 0,
                })
            }
        }
    }

    fn attention(&self, read: &Attention, part: AttentionPart) -> AttentionParams {
        let first = |Slice { map, first }: Slice| {
            let bytes = first * self.plan.format().storage.bytes();
            self.map(map) + bytes as u64
        };
        let (query_tokens, query_pitch) = self.pixels(read.queries.map);
        let (key_tokens, key_pitch) = self.pixels(read.keys.map);
        let (_, value_pitch) = self.pixels(read.values.map);
        let (to, scores) = match part {
            AttentionPart::Whole { to } => (Some(to), None),
            AttentionPart::Scores { scores } | AttentionPart::Softmax { scores } => {
                (None, Some(scores))
            }
            AttentionPart::Product { scores, to } => (Some(to), Some(scores)),
        };
        let root = (read.head_size as f64).sqrt();
        AttentionParams {
            queries: first(read.queries),
            keys: first(read.keys),
            values: first(read.values),
            to: self.map_or_null(to),
            scores: self.map_or_null(scores),
            overflow: self.overflow(),
            query_tokens,
            key_tokens,
            query_pitch,
            key_pitch,
            value_pitch,
            to_pitch: to.map_or(0, |to| self.pixels(to).1),
            heads: int(read.heads),
            head_size: int(read.head_size),
            batch: int(self.plan.batch),
            scale: (std::f64::consts::LOG2_E / root) as f32,
        }
    }

    fn general_conv(&self, conv: &GeneralConv) -> GeneralConvParams {
        let (in_height, in_width, in_stored) = self.size(conv.from);
        let (out_height, out_width, out_stored) = self.size(conv.to);
        let [scale, shift, slopes] = self.by_channel(&conv.after);
        let function = conv.after.function;
        GeneralConvParams {
            from: self.map(conv.from),
            weights: self.constant(conv.weights),
            to: self.map(conv.to),
            phases: self.constant(conv.phases),
            taps: self.constant(conv.taps),
            bias: self.constant(conv.bias),
            scale,
            shift,
            slopes,
            overflow: self.overflow(),
            batch: int(self.plan.batch),
            in_height,
            in_width,
            in_stored,
            out_height,
            out_width,
            out_channels: self.real(conv.to),
            out_stored,
            stride_y: int(conv.stride[0]),
            stride_x: int(conv.stride[1]),
            step_y: int(conv.step[0]),
            step_x: int(conv.step[1]),
            edge: conv.edge as i32,
            group_in: int(conv.group[0]),
            group_out: int(conv.group[1]),
            function: function.code,
            first: function.numbers[0],
            second: function.numbers[1],
            factor: conv.factor,
            in_channels: self.real(conv.from),
        }
    }

    fn pointwise(
        &self,
        from: MapId,
        to: MapId,
        statistics: Option<(MapId, f32)>,
        change: &Pointwise,
    ) -> GeneralPointwiseParams {
        let (height, width, channels) = self.size(to);
        let [scale, shift, slopes] = self.by_channel(change);
        let mean = statistics.map_or(0, |(map, _)| self.map(map));
        // Variances follow the means of all images.
        let means_bytes = 4 * self.plan.batch * self.plan.maps[to].stored_channels;
        GeneralPointwiseParams {
            from: self.map(from),
            to: self.map(to),
            mean,
            variance: statistics.map_or(0, |_| mean + means_bytes as u64),
            scale,
            shift,
            slopes,
            overflow: self.overflow(),
            width,
            height,
            channels,
            real: self.real(to),
            function: change.function.code,
            first: change.function.numbers[0],
            second: change.function.numbers[1],
            eps: statistics.map_or(0.0, |(_, eps)| eps),
        }
    }

    fn moved(&self, op: &Move) -> GeneralMoveParams {
        let units = |stored: i32| stored / int(op.unit_channels);
        let (in_height, in_width, in_stored) = self.size(op.from);
        let (out_height, out_width, out_stored) = self.size(op.to);
        let fill = match self.plan.format().storage {
            NumberFormat::Fp16 => u32::from(half::f16::from_f32(op.fill).to_bits()) * 0x1_0001,
            NumberFormat::Bf16 => u32::from(half::bf16::from_f32(op.fill).to_bits()) * 0x1_0001,
            NumberFormat::Fp32 | NumberFormat::Fp16x2 | NumberFormat::Tf32 => op.fill.to_bits(),
            NumberFormat::Int8 => u32::from_ne_bytes([op.fill as i8 as u8; 4]),
        };
        GeneralMoveParams {
            from: self.map(op.from),
            to: self.map(op.to),
            in_height,
            in_width,
            in_units: units(in_stored),
            out_height,
            out_width,
            out_units: units(out_stored),
            first: int(op.first),
            count: int(op.count),
            real: int(op.real),
            source: int(op.source),
            kind: op.kind as i32,
            edge: op.edge as i32,
            top: op.offset[0],
            left: op.offset[1],
            block: int(op.block),
            block_units: int(op.block_units),
            fill,
            spare: 0,
        }
    }
}
