//! Chains that start with a layer of another shape, computed in one launch: the strided convolution before the residual
//! blocks. Its tile stays in shared memory for the first block.

use std::ops::Range;

use super::{
    Builder, ConvLaunch, CudaOp, CudaPlan, CudaStep, DeviceLimits, MAX_CHAINED, MAX_SMEM_STEPS,
    Source, block_bytes,
    chain::{FEWEST_STAGES, merged},
    static_bytes,
};
use crate::ConvLayer;
use values::numeric::NumberFormat;

/// How the shared memory of such a launch is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadingChain {
    /// Stages of the weights' ring.
    pub ring_stages: usize,
    /// Dynamic shared memory.
    pub shared_bytes: usize,
}

impl ConvLaunch {
    /// Steps of its weights, rounded up to whole blocks.
    pub fn padded_steps(&self) -> usize {
        self.blocks() * self.block_steps()
    }

    /// True if it can run before the chain that `next` starts, if it has another shape. Each CTA then leaves its only
    /// tile where the chain's first layer expects it.
    fn leads(&self, next: &Self, convs: &[ConvLayer]) -> bool {
        let is_plain = matches!(self.source, Source::Normalised { skip: None, keep: None, .. });
        next.reads_from(self, convs)
            && is_plain
            && !next.follows(self, convs)
            && self.takes_chains()
            && self.tile.is_chain()
            && self.operand != NumberFormat::Int8
            && (self.tile, self.tiles, self.ctas) == (next.tile, next.tiles, next.ctas)
            && self.tiles.0 * self.tiles.1 == self.ctas.0
            && self.threads() == next.threads()
            && (self.phases, self.statistics, self.bias, self.out_relu) == (1, true, false, false)
            && (self.eps, self.flat_share) == (next.eps, next.flat_share)
            && self.padded_steps() + next.padded_steps() <= MAX_SMEM_STEPS
    }

    /// The shared memory of a launch of both, if it fits. It contains the ring and the lists of the pixels of both
    /// input tiles (for the chain's tile, pixels of other CTAs have two entries). The rest contains first this layer's
    /// tile, and then the chain's tile with what follows it.
    fn leading(&self, next: &Self, limits: &DeviceLimits) -> Option<LeadingChain> {
        let stage_bytes = block_bytes(next.block_steps(), next.product_columns(), next.operand);
        let of_ring = next.ring_stages * stage_bytes;
        let pixels = |tile: (usize, usize)| tile.0 * tile.1;
        let of_chain = next.chunking.shared_bytes - of_ring - 16 * pixels(next.input_tile);
        let lists =
            16 * pixels(next.input_tile) + (8 * pixels(self.input_tile)).next_multiple_of(16);
        let beside = lists + of_chain.max(self.chunking.tile_bytes);
        let room = limits
            .shared_bytes_per_cta
            .checked_sub(beside + static_bytes(next.tile, next.main_loop))?;
        let ring_stages = next.ring_stages.min(room / stage_bytes);
        (ring_stages >= FEWEST_STAGES).then_some(LeadingChain {
            ring_stages,
            shared_bytes: beside + ring_stages * stage_bytes,
        })
    }
}

/// How these steps run as one launch, if the first step leads the chain of the others, with maps of `storage`.
fn leading(
    steps: &[CudaStep],
    convs: &[ConvLayer],
    storage: NumberFormat,
    limits: &DeviceLimits,
) -> Option<LeadingChain> {
    let [first, next, _, ..] = steps else {
        return None;
    };
    match (&first.op, &next.op) {
        // Four-byte values do not pass through shared memory when they are written.
        (CudaOp::Conv(first), CudaOp::Conv(next))
            if storage.bytes() == 2 && first.leads(next, convs) =>
        {
            first.leading(next, limits)
        }
        _ => None,
    }
}

impl Builder<'_> {
    /// Joins chains with the layers before them, if shared memory has room for both.
    pub fn lead(&self, launches: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let leads = |steps: Range<usize>| {
            leading(&self.steps[steps], self.convs, self.format.storage, self.limits).is_some()
        };
        merged(launches, |before, next| {
            (2..MAX_CHAINED).contains(&next.len())
                && before.len() == 1
                && leads(before.start..next.end)
        })
    }
}

impl CudaPlan {
    /// How these steps run as one launch, if the shape of the first step differs from the others.
    pub fn leading(&self, steps: &Range<usize>) -> Option<LeadingChain> {
        let storage = self.format().storage;
        leading(&self.steps[steps.clone()], &self.convs, storage, &self.limits)
    }
}
