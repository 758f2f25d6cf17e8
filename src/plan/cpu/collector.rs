//! Steps and maps of a plan while it is built.

use super::{MapBuffer, MapId, Step, padded_channels};
use crate::{plan::arena::Lifetime, tensor::Shape};

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

    /// Notes that the next step reads this map.
    pub fn reads(&mut self, map: MapId) {
        self.lifetimes[map].last_step = self.steps.len();
    }

    /// Notes that the next step needs at least this many values of scratch.
    pub fn scratch(&mut self, elements: usize) {
        self.scratch_len = self.scratch_len.max(elements);
    }
}
