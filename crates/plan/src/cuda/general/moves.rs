//! The launches that move values to other positions: padding, cropping, channels, blocks of pixels.

use super::{
    Planner,
    launch::{Edge, GeneralOp, Move, MoveKind},
};
use crate::cuda::{CudaPlanResult, MapId, stored_channels};
use network::graph::{NodeId, PadMode};

impl Planner<'_, '_> {
    /// True if the convolutions that read a padding compute it.
    pub fn is_folded_pad(&self, id: NodeId) -> bool {
        let is_known =
            |(mode, _)| mode == PadMode::Constant(0.0) || Edge::from(mode) != Edge::Outside;
        self.is_fused
            && self.nodes.is_padding_of_convs(id)
            && self.nodes.padding(id).is_some_and(is_known)
    }

    pub fn pad(&mut self, id: NodeId) -> CudaPlanResult {
        let (mode, sides) = self.nodes.padding(id).ok_or_else(|| self.no_kernel(id))?;
        let fill = match mode {
            PadMode::Constant(value) => value as f32,
            PadMode::Reflect | PadMode::Replicate => 0.0,
        };
        let offset = [sides.top as i32, sides.left as i32];
        self.whole_move(id, Edge::from(mode), offset, fill)
    }

    /// Moves all channels of a map by some rows and columns.
    pub fn whole_move(
        &mut self,
        id: NodeId,
        edge: Edge,
        offset: [i32; 2],
        fill: f32,
    ) -> CudaPlanResult {
        let from = self.input_map(id)?;
        let shape = self.nodes.shapes[id];
        let to = self.made(id);
        // Padding channels move as well, unless they would be filled with another value.
        let stored = stored_channels(shape.channels);
        let real = if fill == 0.0 { stored } else { shape.channels };
        let unit_channels = self.unit(&[real]);
        let op = Move {
            unit_channels,
            edge,
            offset,
            count: stored / unit_channels,
            real: real / unit_channels,
            fill,
            ..Self::plain_move(from, to)
        };
        self.moved(id, op);
        Ok(())
    }

    /// Channels that are moved together if channel ranges start and end at multiples of `all`.
    fn unit(&self, all: &[usize]) -> usize {
        let pack = self.pack_channels();
        if all.iter().all(|channels| channels.is_multiple_of(pack)) { pack } else { 1 }
    }

    /// A move between these maps, without its units.
    fn plain_move(from: MapId, to: MapId) -> Move {
        Move { from, to, block: 1, block_units: 1, ..Move::default() }
    }

    fn moved(&mut self, id: NodeId, op: Move) {
        let shape = self.builder.maps[op.to].shape;
        let bits = 8 * op.unit_channels * self.builder.format.storage.bytes();
        let grid = self.builder.grid(shape.height, shape.width * op.count);
        let values = op.real * op.unit_channels * shape.height * shape.width;
        // Moves copy bits, whatever the format.
        let entry = format!("general_move_{bits}");
        self.launch(id, GeneralOp::Move(op), entry, grid, (values, values));
    }

    /// Copies `count` channels from one map to another, and fills the padding channels.
    pub fn channels(
        &mut self,
        id: NodeId,
        (from, source): (MapId, usize),
        (to, first): (MapId, usize),
        count: usize,
    ) {
        let made = self.builder.maps[to];
        let is_last = first + count == made.shape.channels;
        let end = if is_last { made.stored_channels } else { first + count };
        let unit_channels = self.unit(&[source, first, count]);
        let op = Move {
            unit_channels,
            source: source / unit_channels,
            first: first / unit_channels,
            real: count / unit_channels,
            count: (end - first) / unit_channels,
            ..Self::plain_move(from, to)
        };
        self.moved(id, op);
    }

    pub fn concat(&mut self, id: NodeId) -> CudaPlanResult {
        let to = self.made(id);
        let mut first = 0;
        for &input in &self.nodes.node(id).inputs {
            let from = self.map(id, input)?;
            let count = self.nodes.shapes[input].channels;
            self.channels(id, (from, 0), (to, first), count);
            first += count;
        }
        Ok(())
    }

    /// Turns channels into blocks of pixels, or back. `channels` is the number of channels of a pixel in a block.
    pub fn blocks(
        &mut self,
        id: NodeId,
        kind: MoveKind,
        block: usize,
        channels: usize,
    ) -> CudaPlanResult {
        let from = self.input_map(id)?;
        let shape = self.nodes.shapes[id];
        let to = self.made(id);
        let unit_channels = match kind {
            MoveKind::ChannelFirst => 1,
            _ => self.unit(&[channels]),
        };
        let op = Move {
            unit_channels,
            kind,
            count: stored_channels(shape.channels) / unit_channels,
            real: shape.channels / unit_channels,
            block,
            block_units: channels / unit_channels,
            ..Self::plain_move(from, to)
        };
        self.moved(id, op);
        Ok(())
    }
}
