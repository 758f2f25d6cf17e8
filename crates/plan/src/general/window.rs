//! The launches of resizes and of reductions over whole channels.

use super::{
    ConstantValues, Cost, Placement, Planner,
    launch::{GeneralOp, ReduceKind},
};
use network::graph::{
    NodeId,
    resize::{Interpolation, Resize},
};
use values::tensor::Shape;

impl<P: Placement> Planner<'_, P> {
    pub fn resize(&mut self, id: NodeId, resize: &Resize) -> Result<(), P::Error> {
        let from = self.input_map(id)?;
        let (small, shape) = (self.nodes.shapes[self.nodes.input(id)], self.nodes.shapes[id]);
        let sides = [(small.height, shape.height), (small.width, shape.width)];
        let table = |planner: &mut Self, axis: usize| {
            planner.placement.constant(ConstantValues::Taps {
                resize: *resize,
                axis,
                input: sides[axis].0,
                output: sides[axis].1,
            })
        };
        let tables = [table(self, 0), table(self, 1)];
        let to = self.made(id);
        let taps = match resize.interpolation {
            Interpolation::Nearest(_) | Interpolation::Fit { .. } => 1,
            Interpolation::Linear => 2,
            Interpolation::Cubic { .. } => 4,
        };
        let op = GeneralOp::Resize { from, to, tables, taps };
        self.launch(id, op, small.len());
        Ok(())
    }

    /// Plans a reduction of whole channels as two launches.
    pub fn reduce(&mut self, id: NodeId, kind: ReduceKind) -> Result<(), P::Error> {
        let map = self.input_map(id)?;
        let shape = self.placement.maps()[map].shape;
        let stored = self.placement.stored_channels(shape.channels);
        let strips = self.placement.strips(shape.height * shape.width);
        let one = Shape::new(shape.channels, 1, 1);
        // Two fp32 values per channel.
        let pair = 8 * self.placement.batch() * stored;
        let parts = self.placement.buffer(one, stored, pair * strips.count);
        let partial = GeneralOp::ReducePartial { map, parts, strips, kind };
        let part_values = 2 * strips.count * stored;
        let cost = Cost { read: shape.len(), written: part_values, flops: 0 };
        self.launch_of(id, partial, cost);
        let to = match kind {
            ReduceKind::Statistics => {
                let to = self.placement.buffer(one, stored, pair);
                self.kept[id] = Some(to);
                to
            }
            ReduceKind::Mean | ReduceKind::Largest => self.made(id),
        };
        let finish = GeneralOp::ReduceFinish { of: map, parts, to, strips, kind };
        self.launch_of(id, finish, Cost { read: part_values, written: stored, flops: 0 });
        Ok(())
    }
}
