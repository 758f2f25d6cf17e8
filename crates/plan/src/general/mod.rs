//! The walk of a graph that becomes one plain launch for each node, or a few, on any GPU.
//!
//! `baseline` launches every node separately. `fused` computes padding while a convolution loads. It also computes the
//! affine step and the function after a convolution, or the function after a norm, while these store, if nothing else
//! reads the map between them. Attention reads its channels from a larger map.
//!
//! A [`Placement`] is what a device adds: where maps and constants are stored, which kernel runs a launch, and launches
//! that only it has. The walk knows no kernels, grids and addresses.

mod constant;
mod convolution;
mod launch;
mod moves;
mod row_partition;
mod tokens;
mod window;

pub use constant::{Constant, ConstantId, ConstantValues, ConvWeights, Part, WeightOrder};
pub use launch::{
    Attention, AttentionPart, Edge, GeneralConv, GeneralOp, Move, MoveKind, PointFunction,
    Pointwise, ReduceKind, Slice,
};
pub use row_partition::RowPartition;

use crate::{Nodes, PlanError};
use network::graph::{Arithmetic, Conv, GraphError, NodeId, Op};
use values::{numeric::NumberFormat, tensor::Shape};

/// Index of a map in a plan's list.
pub type MapId = usize;

/// Divides the photo's levels, or sums over them, where a norm cancels the factor: values in 16 bits then stay small.
/// Exact in every format.
pub const PHOTO_DIVISOR: f32 = 256.0;

/// A map in a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapBuffer {
    /// Shape of one image.
    pub shape: Shape,
    pub stored_channels: usize,
    /// First byte in the arena.
    pub offset: usize,
    /// For the whole batch.
    pub bytes: usize,
}

/// What a launch costs, for one image.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Values that it reads.
    pub read: usize,
    /// Values that it writes.
    pub written: usize,
    /// Floating-point operations of the whole batch.
    pub flops: u64,
}

/// A device's part of a plan.
pub trait Placement: Sized {
    type Error: From<PlanError>;

    /// Images that are painted at once.
    fn batch(&self) -> usize;

    /// The format of maps and weights.
    fn storage(&self) -> NumberFormat;

    /// Channels as stored: padded with zeros.
    fn stored_channels(&self, channels: usize) -> usize;

    /// Channels that are moved together.
    fn pack_channels(&self) -> usize;

    /// The maps so far.
    fn maps(&self) -> &[MapBuffer];

    /// Adds a map that the next launch writes.
    fn map(&mut self, shape: Shape) -> MapId {
        let stored = self.stored_channels(shape.channels);
        let values = self.batch() * shape.height * shape.width * stored;
        let bytes = values * self.storage().bytes();
        self.buffer(shape, stored, bytes)
    }

    /// Adds a buffer that the next launch writes, with this many channels and bytes.
    fn buffer(&mut self, shape: Shape, channels: usize, bytes: usize) -> MapId;

    fn constant(&mut self, values: ConstantValues) -> ConstantId;

    /// The order of a convolution's weights.
    fn weight_order(&self, conv: &Conv) -> WeightOrder;

    /// How a map of this many pixels is cut into strips that are reduced separately.
    fn strips(&self, pixels: usize) -> RowPartition;

    /// Appends the launch that turns the photo's bytes into a map.
    fn load_photo(&mut self, layer: &str, to: MapId);

    /// Appends the launch that doubles rows and columns.
    fn upsample(&mut self, layer: &str, from: MapId, to: MapId);

    /// Appends the launch that turns a map into a picture of this many rows and columns.
    fn store_picture(&mut self, layer: &str, from: MapId, photo: (usize, usize));

    /// Appends a launch. Attention and linear layers on tokens never come here.
    fn launch(&mut self, layer: &str, op: GeneralOp, cost: Cost);

    /// Appends the launches of attention between this many queries and keys. `flops` is for one of its two products.
    ///
    /// # Errors
    /// The device's.
    fn attention(
        planner: &mut Planner<'_, Self>,
        id: NodeId,
        read: Attention,
        tokens: (usize, usize),
        flops: u64,
    ) -> Result<(), Self::Error>;

    /// Appends launches that only this device has. Returns false if it has none for the node.
    ///
    /// # Errors
    /// The device's.
    fn special(planner: &mut Planner<'_, Self>, id: NodeId) -> Result<bool, Self::Error>;
}

/// True if a picture of `photo`'s rows and columns can be cut from a map.
pub const fn covers(map: Shape, photo: (usize, usize)) -> bool {
    map.height >= photo.0 && map.width >= photo.1
}

/// A plan while it is built.
pub struct Planner<'p, P> {
    pub placement: P,
    pub nodes: &'p Nodes<'p>,
    pub photo: (usize, usize),
    pub is_fused: bool,
    /// The maps of the nodes so far; for statistics, the map with their values.
    pub kept: Vec<Option<MapId>>,
    /// Nodes that another launch computes: that of a later convolution, or one before them.
    pub is_folded: Vec<bool>,
}

impl<'p, P: Placement> Planner<'p, P> {
    pub fn new(placement: P, nodes: &'p Nodes<'p>, photo: (usize, usize), is_fused: bool) -> Self {
        let count = nodes.shapes.len();
        let (kept, is_folded) = (vec![None; count], vec![false; count]);
        Self { placement, nodes, photo, is_fused, kept, is_folded }
    }

    /// Plans the launches of all nodes.
    ///
    /// # Errors
    /// [`PlanError`] for a node that no kernel computes, and the device's errors.
    pub fn plan(&mut self) -> Result<(), P::Error> {
        (0..self.nodes.shapes.len()).try_for_each(|id| self.node(id))
    }

    /// Plans the launches of a node, unless another launch computes it.
    fn node(&mut self, id: NodeId) -> Result<(), P::Error> {
        if self.is_folded[id]
            || P::special(self, id)?
            || self.is_folded_pad(id)
            || self.folded_slice(id).is_some()
        {
            return Ok(());
        }
        let node = self.nodes.node(id);
        match node.op {
            Op::Photo => {
                let to = self.made(id);
                self.placement.load_photo(self.layer(id), to);
            }
            Op::Upsample => {
                let from = self.input_map(id)?;
                let to = self.made(id);
                self.placement.upsample(self.layer(id), from, to);
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
                self.launch(id, op, self.nodes.shapes[node.inputs[0]].len());
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
    pub fn layer(&self, id: NodeId) -> &'p str {
        let node = self.nodes.node(id);
        if node.layer.is_empty() { &node.name } else { &node.layer }
    }

    pub fn no_kernel(&self, id: NodeId) -> P::Error {
        self.nodes.no_kernel(id).into()
    }

    /// The map of a node that `reader` reads.
    pub fn map(&self, reader: NodeId, id: NodeId) -> Result<MapId, P::Error> {
        self.kept[id].ok_or_else(|| self.no_kernel(reader))
    }

    /// The map of a node's first input.
    fn input_map(&self, id: NodeId) -> Result<MapId, P::Error> {
        self.map(id, self.nodes.input(id))
    }

    /// The map of a node, which the next step writes.
    pub fn made(&mut self, id: NodeId) -> MapId {
        let map = self.placement.map(self.nodes.shapes[id]);
        self.kept[id] = Some(map);
        map
    }

    /// Appends a launch that reads this many values of one image, and writes a whole map.
    fn launch(&mut self, id: NodeId, op: GeneralOp, read: usize) {
        let (_, to) = op.maps();
        let written = self.placement.maps()[to].shape.len();
        self.launch_of(id, op, Cost { read, written, flops: 0 });
    }

    /// Appends a launch with its cost.
    pub fn launch_of(&mut self, id: NodeId, op: GeneralOp, cost: Cost) {
        let layer = self.layer(id);
        self.placement.launch(layer, op, cost);
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
        self.placement.constant(ConstantValues::Channels {
            node: self.nodes.node(id).name.clone(),
            part,
            count: self.placement.stored_channels(self.nodes.shapes[id].channels),
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
        self.launch(id, op, self.nodes.shapes[id].len());
    }

    fn norm(&mut self, id: NodeId, eps: f64) -> Result<(), P::Error> {
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

    fn combine(&mut self, id: NodeId, arithmetic: Arithmetic) -> Result<(), P::Error> {
        let [a, b] = self.nodes.node(id).inputs[..] else {
            return Err(self.no_kernel(id));
        };
        let shapes = &self.nodes.shapes;
        let read = shapes[a].len() + shapes[b].len();
        let (a, b) = (self.map(id, a)?, self.map(id, b)?);
        let to = self.made(id);
        let op = GeneralOp::Combine { a, b, to, arithmetic };
        self.launch(id, op, read);
        Ok(())
    }

    fn picture(&mut self, id: NodeId) -> Result<(), P::Error> {
        let from = self.input_map(id)?;
        let shape = self.nodes.shapes[self.nodes.input(id)];
        if !covers(shape, self.photo) {
            let (node, shapes) = (self.nodes.node(id).name.clone(), shape.to_string());
            return Err(PlanError::from(GraphError::Shapes { node, shapes }).into());
        }
        self.placement.store_picture(self.layer(id), from, self.photo);
        Ok(())
    }
}
