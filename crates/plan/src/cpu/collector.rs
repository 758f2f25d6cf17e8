//! Steps and maps of a plan while it is built.

use super::{CpuOp, MapBuffer, MapId, Step, padded_channels};
use crate::{Nodes, arena::Lifetime};
use network::graph::NodeId;
use values::tensor::Shape;

/// What a planner has collected so far.
#[derive(Default)]
pub struct Collector {
    pub steps: Vec<Step>,
    pub maps: Vec<MapBuffer>,
    pub lifetimes: Vec<Lifetime>,
    /// Scratch of one worker, in f32.
    pub scratch_len: usize,
}

impl Collector {
    /// Adds a map that the next step writes.
    pub fn map_of(&mut self, shape: Shape, stored_channels: usize) -> MapId {
        let map = MapBuffer { shape, stored_channels, offset: 0 };
        let step = self.steps.len();
        self.lifetimes.push(Lifetime { len: map.len(), first_step: step, last_step: step });
        self.maps.push(map);
        self.maps.len() - 1
    }

    /// Adds a map that the next step writes, with its channels padded.
    pub fn map(&mut self, shape: Shape) -> MapId {
        self.map_of(shape, padded_channels(shape.channels))
    }

    /// Adds a step that makes a node's map, and reads and writes this many elements.
    pub fn step(
        &mut self,
        (nodes, id): (&Nodes<'_>, NodeId),
        kernel: String,
        op: CpuOp,
        flops: u64,
        elements: usize,
    ) {
        self.steps.push(Step {
            layer: nodes.node(id).layer.clone(),
            kernel,
            op,
            output: nodes.shapes[id],
            flops,
            bytes: 4 * elements as u64,
        });
    }

    /// Notes that the next step reads this map.
    pub fn reads(&mut self, map: MapId) {
        self.lifetimes[map].last_step = self.steps.len();
    }

    /// Notes that the next step needs at least this many values of scratch.
    pub fn scratch(&mut self, elements: usize) {
        self.scratch_len = self.scratch_len.max(elements);
    }
}
