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

mod convolution;
mod fast_conv;
mod launch;
mod moves;
mod specialised;
mod token_linear;
mod tokens;
mod window;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;

pub(super) use fast_conv::FastConvs;
pub use launch::{
    Attention, AttentionPart, Edge, GeneralConv, GeneralOp, Move, MoveKind, PointFunction,
    Pointwise, ReduceKind, Slice,
};

use fast_conv::FastConv;
use specialised::covers;
pub(super) use specialised::unlike_specialised;
use token_linear::TokenLinear;

use super::{
    Builder, Constant, ConstantId, ConstantValues, CudaOp, CudaPlanError, CudaPlanResult, CudaStep,
    MapId, Part, stored_channels, suffix,
};
use crate::{Nodes, PlanError};
use network::graph::{Arithmetic, GraphError, NodeId, Op};
use values::mode::{Mode, Precision, Variant};

/// Maximum number of CTAs in the second and third dimension of a grid: rows of a map, and frames.
const MAX_ROWS: u32 = 65_535;

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
        let mut planner = Planner {
            builder: self,
            nodes,
            photo,
            is_fused: fast.is_some(),
            kept: vec![None; count],
            is_folded: vec![false; count],
            fast_convs: vec![None; count],
            token_linears: vec![None; count],
        };
        if let Some(fast) = fast {
            planner.choose_token_linears();
            planner.choose_fast_convs(fast);
        }
        (0..count).try_for_each(|id| planner.node(id))?;
        let is_launched = |step: &CudaStep| step.grid.1.max(step.grid.2) <= MAX_ROWS;
        match self.steps.iter().find(|step| !is_launched(step)) {
            Some(step) => Err(PlanError::NoKernel { node: step.layer.clone() }.into()),
            None => Ok(()),
        }
    }
}

/// A plan while it is built.
struct Planner<'p, 'b> {
    builder: &'p mut Builder<'b>,
    nodes: &'p Nodes<'p>,
    photo: (usize, usize),
    is_fused: bool,
    /// The maps of the nodes so far; for statistics, the map with their values.
    kept: Vec<Option<MapId>>,
    /// Nodes that another launch computes: that of a later convolution, or one before them.
    is_folded: Vec<bool>,
    /// The convolutions that the kernels of Johnson's networks compute, until they are planned.
    fast_convs: Vec<Option<FastConv>>,
    /// The linear layers on tokens, until they are planned.
    token_linears: Vec<Option<TokenLinear>>,
}

impl<'p> Planner<'p, '_> {
    /// Plans the launches of a node, unless another launch computes it.
    fn node(&mut self, id: NodeId) -> CudaPlanResult {
        if self.is_folded[id]
            || self.token_linear(id)?
            || self.fast_conv(id)?
            || self.is_folded_pad(id)
            || self.folded_slice(id).is_some()
        {
            return Ok(());
        }
        let node = self.nodes.node(id);
        match node.op {
            Op::Photo => {
                let to = self.made(id);
                self.builder.load_photo(self.layer(id), to, 1.0);
            }
            Op::Upsample => {
                let from = self.input_map(id)?;
                let to = self.builder.upsample(self.layer(id), from);
                self.kept[id] = Some(to);
            }
            Op::Conv2d(_) | Op::ConvTranspose2d { .. } => self.conv(id)?,
            Op::Sized(_) => self.kept[id] = Some(self.input_map(id)?),
            Op::Pad { .. } | Op::PadSame { .. } => self.pad(id)?,
            Op::Crop(sides) => {
                let offset = [-(sides.top as i32), -(sides.left as i32)];
                self.whole_move(id, Edge::Outside, offset, 0.0)?;
            }
            Op::Concat { .. } => self.concat(id)?,
            Op::Channels { first, count } => {
                let from = self.input_map(id)?;
                let to = self.made(id);
                self.channels(id, (from, first), (to, 0), count);
            }
            Op::DepthToSpace { block, order } => {
                self.blocks(id, MoveKind::from(order), block, self.nodes.shapes[id].channels)?;
            }
            Op::SpaceToDepth { block } => {
                let channels = self.nodes.shapes[node.inputs[0]].channels;
                self.blocks(id, MoveKind::ToChannels, block, channels)?;
            }
            Op::InstanceNorm { eps } => self.norm(id, eps)?,
            Op::LayerNorm { eps } => self.layer_norm(id, eps)?,
            Op::Attention { heads } => self.attention(id, heads)?,
            Op::Positions => self.positions(id)?,
            Op::Affine | Op::Relu | Op::Prelu | Op::Function(_) => {
                let from = self.input_map(id)?;
                let change = self.pointwise(id).ok_or_else(|| self.no_kernel(id))?;
                let (last, change) = match node.op {
                    Op::Affine => self.folded_after(id, change),
                    _ => (id, change),
                };
                self.change((id, last), from, None, change);
            }
            Op::Add => self.combine(id, Arithmetic::Sum)?,
            Op::Combine(arithmetic) => self.combine(id, arithmetic)?,
            Op::Resize(resize) => self.resize(id, &resize)?,
            Op::MaxPool(pool) | Op::AveragePool { pool, .. } => {
                let from = self.input_map(id)?;
                let (is_mean, counts_padding) = match node.op {
                    Op::AveragePool { counts_padding, .. } => (true, counts_padding),
                    _ => (false, false),
                };
                let to = self.made(id);
                let op = GeneralOp::Pool { from, to, pool, is_mean, counts_padding };
                self.by_pack(id, op, "pool", self.nodes.shapes[node.inputs[0]].len());
            }
            Op::InstanceStatistics => self.reduce(id, ReduceKind::Statistics)?,
            Op::SpatialMean => self.reduce(id, ReduceKind::Mean)?,
            Op::SpatialMax => self.reduce(id, ReduceKind::Largest)?,
            Op::Picture => self.picture(id)?,
            // The only map that is uploaded to the device is the photo.
            Op::Input { .. } | Op::Constant(_) => return Err(self.no_kernel(id)),
        }
        Ok(())
    }

    /// The layer name under which a node's time is reported.
    fn layer(&self, id: NodeId) -> &'p str {
        let node = self.nodes.node(id);
        if node.layer.is_empty() { &node.name } else { &node.layer }
    }

    fn no_kernel(&self, id: NodeId) -> CudaPlanError {
        self.nodes.no_kernel(id).into()
    }

    /// The map of a node that `reader` reads.
    fn map(&self, reader: NodeId, id: NodeId) -> CudaPlanResult<MapId> {
        self.kept[id].ok_or_else(|| self.no_kernel(reader))
    }

    /// The map of a node's first input.
    fn input_map(&self, id: NodeId) -> CudaPlanResult<MapId> {
        self.map(id, self.nodes.input(id))
    }

    /// The map of a node, which the next step writes.
    fn made(&mut self, id: NodeId) -> MapId {
        let map = self.builder.map(self.nodes.shapes[id]);
        self.kept[id] = Some(map);
        map
    }

    fn constant(&mut self, values: ConstantValues) -> ConstantId {
        let constant = Constant::new(values, self.builder.format.storage);
        self.builder.constants.push(constant);
        self.builder.constants.len() - 1
    }

    /// Channels in 16 bytes.
    fn pack_channels(&self) -> usize {
        16 / self.builder.format.storage.bytes()
    }

    /// Appends a launch that reads and writes this many values of one image.
    fn step(
        &mut self,
        id: NodeId,
        op: GeneralOp,
        entry: &str,
        grid: (u32, u32, u32),
        values: (usize, usize),
    ) -> &mut CudaStep {
        let entry = format!("general_{entry}{}", self.suffix());
        self.launch(id, op, entry, grid, values)
    }

    /// The suffix of the names of kernels for maps of this plan.
    fn suffix(&self) -> String {
        format!("_{}", suffix(self.builder.format.storage))
    }

    /// Appends a launch like [`Self::step`], but with the full name of the entry point.
    fn launch(
        &mut self,
        id: NodeId,
        op: GeneralOp,
        entry: String,
        grid: (u32, u32, u32),
        values: (usize, usize),
    ) -> &mut CudaStep {
        let (reads, to) = op.maps();
        for map in reads.into_iter().chain([to]) {
            self.builder.reads(map);
        }
        let file = (op.file(), entry);
        self.builder.step(self.layer(id), file, CudaOp::General(op), grid, values)
    }

    /// Appends a launch with one thread for every 16 bytes of the map that it makes.
    fn by_pack(&mut self, id: NodeId, op: GeneralOp, entry: &str, read: usize) {
        let (_, to) = op.maps();
        let grid = self.builder.pack_grid(to);
        self.step(id, op, entry, grid, (read, self.builder.maps[to].shape.len()));
    }

    /// What an affine step, a function or slopes do; `None` for any other node.
    fn pointwise(&mut self, id: NodeId) -> Option<Pointwise> {
        let mut change = Pointwise::default();
        match self.nodes.op(id) {
            Op::Affine => change.affine = Some(self.scale_and_shift(id)),
            Op::Prelu => change.slopes = Some(self.by_channel(id, Part::Weight)),
            op => change.function = PointFunction::of(op)?,
        }
        Some(change)
    }

    fn scale_and_shift(&mut self, id: NodeId) -> [ConstantId; 2] {
        [Part::Weight, Part::Bias].map(|part| self.by_channel(id, part))
    }

    /// The values of a node by channel.
    fn by_channel(&mut self, id: NodeId, part: Part) -> ConstantId {
        self.constant(ConstantValues::Channels {
            node: self.nodes.node(id).name.clone(),
            part,
            count: stored_channels(self.nodes.shapes[id].channels),
        })
    }

    /// Plans the launch of the nodes from `id` to `last`.
    fn change(
        &mut self,
        (id, last): (NodeId, NodeId),
        from: MapId,
        statistics: Option<(MapId, f32)>,
        change: Pointwise,
    ) {
        let to = self.made(last);
        let op = GeneralOp::Pointwise { from, to, statistics, change };
        self.by_pack(id, op, "pointwise", self.nodes.shapes[id].len());
    }

    fn norm(&mut self, id: NodeId, eps: f64) -> CudaPlanResult {
        let [map, statistics] = self.nodes.node(id).inputs[..] else {
            return Err(self.no_kernel(id));
        };
        let from = self.map(id, map)?;
        let values = self.map(id, statistics)?;
        let factor = f64::from(self.factor(map));
        let affine = Some(self.scale_and_shift(id));
        let change = Pointwise { affine, ..Pointwise::default() };
        let eps = (eps * factor * factor) as f32;
        let (last, change) = self.folded_after(id, change);
        self.change((id, last), from, Some((values, eps)), change);
        Ok(())
    }

    fn combine(&mut self, id: NodeId, arithmetic: Arithmetic) -> CudaPlanResult {
        let [a, b] = self.nodes.node(id).inputs[..] else {
            return Err(self.no_kernel(id));
        };
        let shapes = &self.nodes.shapes;
        let read = shapes[a].len() + shapes[b].len();
        let (a, b) = (self.map(id, a)?, self.map(id, b)?);
        let to = self.made(id);
        let op = GeneralOp::Combine { a, b, to, arithmetic };
        self.by_pack(id, op, "combine", read);
        Ok(())
    }

    fn picture(&mut self, id: NodeId) -> CudaPlanResult {
        let from = self.input_map(id)?;
        let shape = self.nodes.shapes[self.nodes.input(id)];
        if !covers(shape, self.photo) {
            let (node, shapes) = (self.nodes.node(id).name.clone(), shape.to_string());
            return Err(PlanError::from(GraphError::Shapes { node, shapes }).into());
        }
        self.builder.store_picture(self.layer(id), from, self.photo, self.photo);
        Ok(())
    }
}
