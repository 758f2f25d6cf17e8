//! A graph's nodes at one size, as all planners look them up.

use super::PlanError;
use network::graph::{Graph, Node, NodeId, Op, PadMode, Sides};
use values::tensor::Shape;

/// The nodes of a graph, with the shape and the readers of every node's map.
pub struct Nodes<'g> {
    pub graph: &'g Graph,
    pub shapes: Vec<Shape>,
    /// In order.
    pub readers: Vec<Vec<NodeId>>,
}

impl<'g> Nodes<'g> {
    pub fn new(graph: &'g Graph, shapes: Vec<Shape>) -> Self {
        Self { graph, shapes, readers: graph.readers() }
    }

    pub fn node(&self, id: NodeId) -> &'g Node {
        &self.graph.nodes()[id]
    }

    pub fn op(&self, id: NodeId) -> &'g Op {
        &self.node(id).op
    }

    /// The node whose map a node reads first.
    pub fn input(&self, id: NodeId) -> NodeId {
        self.node(id).inputs[0]
    }

    /// The padding around the map that a node reads, with its mode; `None` for a node that pads nothing.
    pub fn padding(&self, id: NodeId) -> Option<(PadMode, Sides)> {
        let input = self.shapes[*self.node(id).inputs.first()?];
        self.op(id).padding(input.height, input.width)
    }

    /// The node that reads a map; `None` if there is another one, or none.
    pub fn only_reader(&self, id: NodeId) -> Option<NodeId> {
        match self.readers[id][..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// True if a map is read, and only by operations of a kind.
    pub fn is_only_for(&self, id: NodeId, is_kind: impl Fn(&Op) -> bool) -> bool {
        let readers = &self.readers[id];
        !readers.is_empty() && readers.iter().all(|&reader| is_kind(self.op(reader)))
    }

    /// True if only convolutions read a padding, which can then pad while they load.
    pub fn is_padding_of_convs(&self, id: NodeId) -> bool {
        self.padding(id).is_some() && self.is_only_for(id, Op::is_conv)
    }

    /// The first of the channels that a node selects, if only attention reads them. It can then read them in place.
    pub fn slice_of_attention(&self, id: NodeId) -> Option<usize> {
        match *self.op(id) {
            Op::Channels { first, .. } => {
                let is_attention = |op: &Op| matches!(op, Op::Attention { .. });
                self.is_only_for(id, is_attention).then_some(first)
            }
            _ => None,
        }
    }

    /// The convolution that an instance norm normalises, by the statistics of that convolution. `None` for any other
    /// norm, because kernels support one norm for each convolution.
    pub fn conv_of_norm(&self, norm: NodeId) -> Option<NodeId> {
        let [raw, statistics] = self.node(norm).inputs[..] else {
            return None;
        };
        let is_norm = |&&reader: &&NodeId| {
            matches!(self.op(reader), Op::InstanceNorm { .. }) && self.input(reader) == raw
        };
        let is_only_one = self.readers[raw].iter().filter(is_norm).count() == 1;
        let is_its_own = self.node(statistics).inputs == [raw];
        (self.op(raw).is_conv() && is_its_own && is_only_one).then_some(raw)
    }

    /// The error for a node that no kernel computes.
    pub fn no_kernel(&self, id: NodeId) -> PlanError {
        PlanError::NoKernel { node: self.node(id).name.clone() }
    }
}
