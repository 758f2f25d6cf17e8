//! The launches of transformers: norms and position encodings of tokens, and attention between them.

use super::{
    ConstantValues, Placement, Planner,
    launch::{Attention, GeneralOp, Slice},
};
use network::graph::NodeId;

impl<P: Placement> Planner<'_, P> {
    pub fn layer_norm(&mut self, id: NodeId, eps: f64) -> Result<(), P::Error> {
        let from = self.input_map(id)?;
        let affine = self.scale_and_shift(id);
        let shape = self.nodes.shapes[id];
        let to = self.made(id);
        let op = GeneralOp::LayerNorm { from, to, affine, eps: eps as f32 };
        self.launch(id, op, shape.len());
        Ok(())
    }

    pub fn positions(&mut self, id: NodeId) -> Result<(), P::Error> {
        let from = self.input_map(id)?;
        let shape = self.nodes.shapes[id];
        let table = self.placement.constant(ConstantValues::Positions {
            half: shape.channels / 2,
            height: shape.height,
            width: shape.width,
        });
        let to = self.made(id);
        let op = GeneralOp::Positions { from, to, table };
        self.launch(id, op, shape.len());
        Ok(())
    }

    /// The first of the channels that a node selects, if the attentions that read them read them in place.
    pub fn folded_slice(&self, id: NodeId) -> Option<usize> {
        self.nodes
            .slice_of_attention(id)
            .filter(|_| self.is_fused)
            .filter(|first| first.is_multiple_of(self.placement.pack_channels()))
    }

    /// The channels that an attention reads from a node's map.
    fn slice(&self, reader: NodeId, id: NodeId) -> Result<Slice, P::Error> {
        let first = self.folded_slice(id);
        let source = first.map_or(id, |_| self.nodes.input(id));
        Ok(Slice { map: self.map(reader, source)?, first: first.unwrap_or_default() })
    }

    pub fn attention(&mut self, id: NodeId, heads: usize) -> Result<(), P::Error> {
        let [queries, keys, values] = self.nodes.node(id).inputs[..] else {
            return Err(self.no_kernel(id));
        };
        let shapes = &self.nodes.shapes;
        let tokens = |node: NodeId| shapes[node].height * shapes[node].width;
        let (asking, answering) = (tokens(queries), tokens(keys));
        let channels = shapes[id].channels;
        let flops = ((2 * self.placement.batch() * asking * channels) as u64)
            .saturating_mul(answering as u64);
        let read = Attention {
            queries: self.slice(id, queries)?,
            keys: self.slice(id, keys)?,
            values: self.slice(id, values)?,
            heads,
            head_size: channels / heads,
        };
        P::attention(self, id, read, (asking, answering), flops)
    }
}
