//! What a node finds at its inputs.

use super::{
    super::messages::Node, Lowering, Map, NodeId, RANK, Step, TensorId, Value, WeightsError,
    refused, shortened,
};

impl Lowering<'_> {
    /// The map at an input.
    pub(super) fn map(&self, node: &Node<'_>, index: usize) -> Result<NodeId, WeightsError> {
        match self.value(node, index)? {
            Value::Map(id) => Ok(*id),
            _ => {
                Err(refused(format!("{} works on constants where a picture belongs", node.label())))
            }
        }
    }

    /// The map at an input, if that is what it is.
    pub(super) fn as_map(&self, node: &Node<'_>, index: usize) -> Option<NodeId> {
        match self.values.get(node.input(index)?) {
            Some(Value::Map(id)) => Some(*id),
            _ => None,
        }
    }

    /// A scale or shift at an input: one number per channel, in any shape that says so.
    pub(super) fn per_channel(
        &self,
        node: &Node<'_>,
        index: usize,
        map: NodeId,
    ) -> Result<TensorId, WeightsError> {
        let (id, shape) = self.weight(node, index)?;
        let channels = self.channels(map);
        let fits = match *shape {
            [count] if node.op_type == "InstanceNormalization" => count == channels,
            [count, 1, 1] | [1, count, 1, 1] => count == channels,
            _ => false,
        };
        if fits {
            return Ok(id);
        }
        Err(WeightsError::Shape {
            key: shortened(node.input(index).unwrap_or_default()),
            got: shape.to_vec(),
            needed: format!("one value for each of {channels} channels"),
        })
    }

    pub(super) fn channels(&self, map: NodeId) -> usize {
        self.maps[map].first().map_or(0, |m| m[0])
    }

    /// The sides of a map at every probe, from the batch on, or those that it was given.
    pub(super) fn sides(&self, map: NodeId) -> Vec<Vec<usize>> {
        let rank = match self.nodes[map].step {
            Step::Reshaped(reshaped) => reshaped.rank,
            Step::Op(_) | Step::Clip | Step::NormPiece(_) => RANK,
        };
        let of = |[c, h, w]: &Map| [self.batch, *c, *h, *w][RANK - rank..].to_vec();
        self.maps[map].iter().map(of).collect()
    }
}
