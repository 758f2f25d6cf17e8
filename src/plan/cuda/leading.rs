//! Chains with a layer of another shape in front of them, all of which one launch computes: the strided convolution in
//! front of the residual blocks, whose tile stays in shared memory for the first of them.

use std::ops::Range;

use super::{
    Builder, ConvLaunch, CudaOp, CudaPlan, CudaStep, DeviceLimits, MOST_SMEM_STEPS, Source, Target,
    block_bytes, static_bytes,
};
use crate::{numeric::NumberFormat, plan::ConvLayer};

/// How the shared memory of such a launch is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadingChain {
    /// Stages of the weights' ring.
    pub ring_stages: usize,
    /// Dynamic shared memory, in bytes.
    pub shared_bytes: usize,
}

impl ConvLaunch {
    /// Steps of its weights, whole blocks of them.
    pub fn padded_steps(&self) -> usize {
        self.blocks() * self.block_steps()
    }

    /// Whether it may run in front of the chain that `next` begins, where it has another shape: each CTA leaves its only tile where the chain's
    /// first layer has it.
    fn leads(&self, next: &Self, convs: &[ConvLayer]) -> bool {
        let reads_it = match (next.source, self.target) {
            (Source::Normalised { map, conv, .. }, Target::Map(written)) => {
                map == written && conv == self.conv
            }
            _ => false,
        };
        let is_plain = matches!(
            self.source,
            Source::Normalised {
                skip: None,
                keep: None,
                ..
            }
        );
        // Its norm counts the channels that those of the chain have.
        let same_channels = convs[self.conv].out_channels == convs[next.conv].out_channels;
        reads_it
            && is_plain
            && same_channels
            && !next.follows(self, convs)
            && self.takes_chains()
            && self.tile.is_chain()
            && self.operand != NumberFormat::Int8
            && (self.tile, self.tiles, self.ctas) == (next.tile, next.tiles, next.ctas)
            && self.tiles.0 * self.tiles.1 == self.ctas.0
            && self.threads() == next.threads()
            && (self.phases, self.statistics, self.bias, self.out_relu) == (1, true, false, false)
            && (self.eps, self.flat_share) == (next.eps, next.flat_share)
            && self.padded_steps() + next.padded_steps() <= MOST_SMEM_STEPS
    }

    /// The shared memory of a launch of both, where it fits: ring; lists of the pixels of both input tiles, of the chain's with those of
    /// other CTAs twice; in one place first this layer's tile, then the chain's and what lies behind it.
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
        (ring_stages >= super::chain::FEWEST_STAGES).then_some(LeadingChain {
            ring_stages,
            shared_bytes: beside + ring_stages * stage_bytes,
        })
    }
}

/// The layer in front of a chain and the chain's first one, where these steps are such a launch.
fn layers<'s>(
    steps: &'s [CudaStep],
    convs: &[ConvLayer],
) -> Option<(&'s ConvLaunch, &'s ConvLaunch)> {
    match steps {
        [first, next, _, ..] => match (&first.op, &next.op) {
            (CudaOp::Conv(first), CudaOp::Conv(next)) => {
                first.leads(next, convs).then_some((first, next))
            }
            _ => None,
        },
        _ => None,
    }
}

impl Builder<'_> {
    /// Joins chains with the layers in front of them, where shared memory has room for both.
    pub(super) fn lead(&self, launches: Vec<Range<usize>>, most: usize) -> Vec<Range<usize>> {
        // Values of four bytes do not go through shared memory on their way out.
        if self.format.storage.bytes() != 2 {
            return launches;
        }
        let mut led: Vec<Range<usize>> = Vec::with_capacity(launches.len());
        for next in launches {
            let is_chain = (2..most).contains(&next.len());
            match led.last_mut() {
                Some(before)
                    if is_chain
                        && before.len() == 1
                        && layers(&self.steps[before.start..next.end], self.convs).is_some_and(
                            |(first, of_chain)| first.leading(of_chain, self.limits).is_some(),
                        ) =>
                {
                    before.end = next.end;
                }
                _ => led.push(next),
            }
        }
        led
    }
}

impl CudaPlan {
    /// How these steps run as one launch, where the first one has another shape than those behind it.
    pub fn leading(&self, steps: &Range<usize>) -> Option<LeadingChain> {
        let (first, next) = (self.format().storage.bytes() == 2)
            .then(|| layers(&self.steps[steps.clone()], &self.convs))??;
        first.leading(next, &self.limits)
    }
}
