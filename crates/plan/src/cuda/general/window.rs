//! The launches of resizes and of reductions over whole channels.

use super::{
    Planner,
    launch::{GeneralOp, ReduceKind},
};
use crate::cuda::{ConstantValues, CudaPlanResult, RowPartition, stored_channels};
use network::graph::{
    NodeId,
    resize::{Interpolation, Resize},
};
use values::tensor::Shape;

/// Bytes of every pixel that a CTA of a reduction processes.
const REDUCED_BYTES: usize = 64;
/// Channels that a CTA of the second launch of a reduction processes.
const FINISHED_CHANNELS: usize = 32;

impl Planner<'_, '_> {
    pub fn resize(&mut self, id: NodeId, resize: &Resize) -> CudaPlanResult {
        let from = self.input_map(id)?;
        let (small, shape) = (self.nodes.shapes[self.nodes.input(id)], self.nodes.shapes[id]);
        let sides = [(small.height, shape.height), (small.width, shape.width)];
        let table = |planner: &mut Self, axis: usize| {
            planner.constant(ConstantValues::Taps {
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
        self.by_pack(id, op, "resize", small.len());
        Ok(())
    }

    /// Plans a reduction of whole channels as two launches.
    pub fn reduce(&mut self, id: NodeId, kind: ReduceKind) -> CudaPlanResult {
        let map = self.input_map(id)?;
        let shape = self.builder.maps[map].shape;
        let stored = stored_channels(shape.channels);
        let batch = self.builder.batch;
        let strips =
            RowPartition::of(shape.height * shape.width, self.builder.limits.multiprocessors);
        let one = Shape::new(shape.channels, 1, 1);
        // Two fp32 values per channel.
        let pair = 8 * batch * stored;
        let parts = self.builder.buffer(one, stored, pair * strips.count);
        let partial = GeneralOp::ReducePartial { map, parts, strips, kind };
        let tiles = (stored * self.builder.format.storage.bytes()).div_ceil(REDUCED_BYTES);
        let grid = (strips.count as u32, tiles as u32, batch as u32);
        let part_values = 2 * strips.count * stored;
        self.step(id, partial, "reduce_partial", grid, (shape.len(), part_values));
        let to = match kind {
            ReduceKind::Statistics => {
                let to = self.builder.buffer(one, stored, pair);
                self.kept[id] = Some(to);
                to
            }
            ReduceKind::Mean | ReduceKind::Largest => self.made(id),
        };
        let finish = GeneralOp::ReduceFinish { of: map, parts, to, strips, kind };
        let grid = (stored.div_ceil(FINISHED_CHANNELS) as u32, batch as u32, 1);
        self.step(id, finish, "reduce_finish", grid, (part_values, stored));
        Ok(())
    }
}
