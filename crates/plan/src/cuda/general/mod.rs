//! Plans of graphs that the specialised kernels cannot compute: one plain launch for each node, or a few.
//!
//! Runs in fp32, fp16 and bf16. `baseline` launches every node separately. `fused` computes padding while a convolution
//! loads. It also computes the affine step and the function after a convolution, or the function after a norm, while
//! these store, if nothing else reads the map between them. Attention reads its channels from a larger map. All maps
//! are stored as in the other plans, channels-last and padded with zeros to a multiple of 16, so that photo, picture
//! and upsampling use the same kernels.
//!
//! fp16: maps and weights are stored in 16 bits, and sums are accumulated in 32. The photo's levels are loaded
//! unchanged, because fp16 represents them exactly. A convolution's sums over levels are divided by 256 if only a norm
//! reads them, which cancels the factor. If a launch computes a value that fp16 still cannot represent (65520 and
//! more), it records this, and the session refuses the frame.
//!
//! tf32 and mixed are only available in `fused`. Maps are stored in fp32. The convolutions that the kernels of
//! Johnson's networks compute multiply in tf32 or fp16. Everything else, including linear layers, is computed in fp32.
//! In mixed, every launch records values that fp16 cannot represent.

mod fast_conv;
mod token_linear;
mod tokens;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;

pub(super) use fast_conv::FastConvs;

use fast_conv::FastConv;
use token_linear::TokenLinear;

use super::{Builder, CudaOp, CudaPlanError, CudaPlanResult, CudaStep, stored_channels, suffix};
use crate::{
    Nodes, PlanError,
    general::{
        Attention, AttentionPart, Constant, ConstantId, ConstantValues, Cost, GeneralOp, MapBuffer,
        MapId, Placement, Planner, RowPartition, WeightOrder,
    },
};
use network::graph::{Conv, NodeId, Op};
use values::{
    mode::{Mode, Precision, Variant},
    numeric::NumberFormat,
    tensor::Shape,
};

/// Maximum number of CTAs in the second and third dimension of a grid: rows of a map, and frames.
const MAX_ROWS: u32 = 65_535;
/// Pixels per tile of a convolution.
const TILE_PIXELS: usize = 128;
/// Maximum number of channels per tile. Narrower tiles have 16 or 32.
const MAX_TILE_CHANNELS: usize = 64;
/// Pixels per CTA of a norm over channels, one warp each.
const WARPS: usize = 8;
/// Bytes of every pixel that a CTA of a reduction processes.
const REDUCED_BYTES: usize = 64;
/// Channels that a CTA of the second launch of a reduction processes.
const FINISHED_CHANNELS: usize = 32;

pub(super) const fn has_mode(mode: Mode) -> bool {
    match mode.variant {
        _ if matches!(mode.precision, Precision::Fp16x2 | Precision::Int8) => false,
        Variant::Baseline => !matches!(mode.precision, Precision::Tf32 | Precision::Mixed),
        Variant::FusedNorm => false,
        Variant::Fused => true,
    }
}

impl Builder<'_> {
    /// Plans one launch for every node. Fused, there are fewer, and other kernels may compute some convolutions.
    pub(super) fn plan_general(
        &mut self,
        nodes: &Nodes<'_>,
        photo: (usize, usize),
        fast: Option<&FastConvs>,
    ) -> CudaPlanResult {
        let count = nodes.shapes.len();
        let placement = CudaPlacement {
            builder: self,
            fast_convs: vec![None; count],
            token_linears: vec![None; count],
        };
        let mut planner = Planner::new(placement, nodes, photo, fast.is_some());
        if let Some(fast) = fast {
            planner.choose_token_linears();
            planner.choose_fast_convs(fast);
        }
        planner.plan()?;
        let is_launched = |step: &CudaStep| step.grid.1.max(step.grid.2) <= MAX_ROWS;
        match self.steps.iter().find(|step| !is_launched(step)) {
            Some(step) => Err(PlanError::NoKernel { node: step.layer.clone() }.into()),
            None => Ok(()),
        }
    }
}

/// Kernels, grids and memory of a CUDA device.
struct CudaPlacement<'p, 'b> {
    builder: &'p mut Builder<'b>,
    /// The convolutions that the kernels of Johnson's networks compute, until they are planned.
    fast_convs: Vec<Option<FastConv>>,
    /// The linear layers on tokens, until they are planned.
    token_linears: Vec<Option<TokenLinear>>,
}

type CudaPlanner<'n, 'p, 'b> = Planner<'n, CudaPlacement<'p, 'b>>;

/// The kernel's source file, without its extension.
const fn file(op: &GeneralOp) -> &'static str {
    match op {
        GeneralOp::Conv(_) => "general_conv",
        GeneralOp::Pointwise { .. } | GeneralOp::Combine { .. } => "general_pointwise",
        GeneralOp::LayerNorm { .. } | GeneralOp::Positions { .. } => "general_tokens",
        GeneralOp::Attention(_, part) => match part {
            AttentionPart::Whole { .. } => "attention",
            _ => "attention_naive",
        },
        GeneralOp::TokenLinear { .. } => "token_linear",
        GeneralOp::Move(_) => "general_move",
        GeneralOp::Resize { .. }
        | GeneralOp::Pool { .. }
        | GeneralOp::ReducePartial { .. }
        | GeneralOp::ReduceFinish { .. } => "general_window",
    }
}

impl CudaPlacement<'_, '_> {
    /// The suffix of the names of kernels for maps of this plan.
    fn suffix(&self) -> String {
        format!("_{}", suffix(self.builder.format.storage))
    }

    /// Appends a launch with the name of its entry point.
    fn launch_as(
        &mut self,
        layer: &str,
        op: GeneralOp,
        entry: String,
        grid: (u32, u32, u32),
        values: (usize, usize),
    ) -> &mut CudaStep {
        let (reads, to) = op.maps();
        for map in reads.into_iter().chain([to]) {
            self.builder.reads(map);
        }
        let file = (file(&op), entry);
        self.builder.step(layer, file, CudaOp::General(op), grid, values)
    }

    /// The name of a launch's kernel, without the format of its maps, and its grid.
    fn kernel(&self, op: &GeneralOp) -> (String, (u32, u32, u32)) {
        let builder = &self.builder;
        let by_pack = |name: &str, to: MapId| (name.to_owned(), builder.pack_grid(to));
        match *op {
            GeneralOp::Conv(ref conv) => {
                let map = &builder.maps[conv.to];
                match self.order(conv.weights) {
                    WeightOrder::Grouped => {
                        let units = map.shape.width * map.stored_channels;
                        ("conv_grouped".to_owned(), builder.grid(map.shape.height, units))
                    }
                    WeightOrder::Depthwise => by_pack("conv_depthwise", conv.to),
                    _ => {
                        let (phases, largest_phase) = self.phases(conv.phases);
                        let stored = map.stored_channels;
                        let tile = stored.next_power_of_two().min(MAX_TILE_CHANNELS);
                        let tiles = (builder.batch * largest_phase).div_ceil(TILE_PIXELS) as u32;
                        let grid = (tiles, stored.div_ceil(tile) as u32, phases as u32);
                        (format!("conv_{TILE_PIXELS}x{tile}"), grid)
                    }
                }
            }
            GeneralOp::Pointwise { to, .. } => by_pack("pointwise", to),
            GeneralOp::Combine { to, .. } => by_pack("combine", to),
            GeneralOp::Positions { to, .. } => by_pack("positions", to),
            GeneralOp::Resize { to, .. } => by_pack("resize", to),
            GeneralOp::Pool { to, .. } => by_pack("pool", to),
            GeneralOp::LayerNorm { to, .. } => {
                let shape = builder.maps[to].shape;
                let pixels = builder.batch * shape.height * shape.width;
                ("layer_norm".to_owned(), (pixels.div_ceil(WARPS) as u32, 1, 1))
            }
            GeneralOp::Move(ref op) => {
                let shape = builder.maps[op.to].shape;
                let bits = 8 * op.unit_channels * builder.format.storage.bytes();
                (format!("move_{bits}"), builder.grid(shape.height, shape.width * op.count))
            }
            GeneralOp::ReducePartial { map, strips, .. } => {
                let bytes = builder.maps[map].stored_channels * builder.format.storage.bytes();
                let tiles = bytes.div_ceil(REDUCED_BYTES);
                let grid = (strips.count as u32, tiles as u32, builder.batch as u32);
                ("reduce_partial".to_owned(), grid)
            }
            GeneralOp::ReduceFinish { of, .. } => {
                let channels = builder.maps[of].stored_channels.div_ceil(FINISHED_CHANNELS);
                ("reduce_finish".to_owned(), (channels as u32, builder.batch as u32, 1))
            }
            GeneralOp::Attention(..) | GeneralOp::TokenLinear { .. } => {
                unreachable!("they have launches of their own")
            }
        }
    }

    /// The order of a convolution's weights.
    fn order(&self, weights: ConstantId) -> WeightOrder {
        match &self.builder.constants[weights].values {
            ConstantValues::Conv { weights, .. } | ConstantValues::Linear { weights, .. } => {
                weights.order
            }
            _ => WeightOrder::Tiled,
        }
    }

    /// Number of a convolution's phases, and of the pixels of the largest.
    fn phases(&self, phases: ConstantId) -> (usize, usize) {
        match &self.builder.constants[phases].values {
            ConstantValues::Integers(all) => {
                let pixels = all.chunks_exact(8).map(|phase| phase[4] as usize * phase[5] as usize);
                (pixels.len(), pixels.max().unwrap_or(0))
            }
            _ => (0, 0),
        }
    }
}

impl CudaPlanner<'_, '_, '_> {
    /// The suffix of the names of kernels for maps of this plan.
    fn suffix(&self) -> String {
        self.placement.suffix()
    }

    /// Appends a launch with the full name of its entry point.
    fn launch_as(
        &mut self,
        id: NodeId,
        op: GeneralOp,
        entry: String,
        grid: (u32, u32, u32),
        values: (usize, usize),
    ) -> &mut CudaStep {
        let layer = self.layer(id);
        self.placement.launch_as(layer, op, entry, grid, values)
    }
}

impl Placement for CudaPlacement<'_, '_> {
    type Error = CudaPlanError;

    fn batch(&self) -> usize {
        self.builder.batch
    }

    fn storage(&self) -> NumberFormat {
        self.builder.format.storage
    }

    fn stored_channels(&self, channels: usize) -> usize {
        stored_channels(channels)
    }

    /// Channels in 16 bytes.
    fn pack_channels(&self) -> usize {
        16 / self.storage().bytes()
    }

    fn maps(&self) -> &[MapBuffer] {
        &self.builder.maps
    }

    fn buffer(&mut self, shape: Shape, channels: usize, bytes: usize) -> MapId {
        self.builder.buffer(shape, channels, bytes)
    }

    fn constant(&mut self, values: ConstantValues) -> ConstantId {
        let constant = Constant::new(values, self.storage());
        self.builder.constants.push(constant);
        self.builder.constants.len() - 1
    }

    fn weight_order(&self, conv: &Conv) -> WeightOrder {
        match conv.groups {
            1 => WeightOrder::Tiled,
            groups if groups == conv.in_channels && groups == conv.out_channels => {
                WeightOrder::Depthwise
            }
            _ => WeightOrder::Grouped,
        }
    }

    fn strips(&self, pixels: usize) -> RowPartition {
        RowPartition::of(pixels, self.builder.limits.multiprocessors)
    }

    fn load_photo(&mut self, layer: &str, to: MapId) {
        self.builder.load_photo(layer, to, 1.0);
    }

    fn upsample(&mut self, layer: &str, from: MapId, to: MapId) {
        self.builder.node_step(layer, Op::Upsample, (from, None), to);
    }

    fn store_picture(&mut self, layer: &str, from: MapId, photo: (usize, usize)) {
        self.builder.store_picture(layer, from, photo, photo);
    }

    fn launch(&mut self, layer: &str, op: GeneralOp, cost: Cost) {
        let (name, grid) = self.kernel(&op);
        // Moves copy bits, whatever the format.
        let suffix = if matches!(op, GeneralOp::Move(_)) { String::new() } else { self.suffix() };
        let entry = format!("general_{name}{suffix}");
        self.launch_as(layer, op, entry, grid, (cost.read, cost.written)).flops = cost.flops;
    }

    fn attention(
        planner: &mut Planner<'_, Self>,
        id: NodeId,
        read: Attention,
        tokens: (usize, usize),
        flops: u64,
    ) -> CudaPlanResult {
        planner.attention_launches(id, read, tokens, flops)
    }

    fn special(planner: &mut Planner<'_, Self>, id: NodeId) -> CudaPlanResult<bool> {
        Ok(planner.token_linear(id)? || planner.fast_conv(id)?)
    }
}
