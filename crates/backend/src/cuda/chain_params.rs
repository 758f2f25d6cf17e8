//! Builds the parameter block of a launch of several steps.

use std::ops::Range;

use super::{
    kernel_params::{ParamsMaker, fill_walk, int},
    params::{ChainLayer, ChainParams, ConvParams, KernelParams, LeadingLayer},
};
use plan::cuda::{ConvLaunch, CudaOp, LeadingChain};

/// The shape of a layer before a chain, taken from a convolution's parameter block. Its steps start at `walk_first`.
const fn leading_layer(layer: &ConvParams, walk_first: i32) -> LeadingLayer {
    let &ConvParams {
        in_scale,
        in_mean,
        in_beta,
        in_height,
        in_width,
        in_channels,
        stride,
        origin,
        chunk_channels,
        tile_rows,
        tile_columns,
        pitch,
        edge,
        upsample,
        walk_across,
        walk_down,
        walk_tile,
        walk_blocks,
        ..
    } = layer;
    LeadingLayer {
        in_scale,
        in_mean,
        in_beta,
        in_height,
        in_width,
        in_channels,
        stride,
        origin,
        chunk_channels,
        tile_rows,
        tile_columns,
        pitch,
        edge,
        upsample,
        walk_across,
        walk_down,
        walk_tile,
        walk_blocks,
        walk_first,
    }
}

impl ParamsMaker<'_> {
    /// The parameter block of a launch of several steps; `None` if they are not one launch.
    pub fn chained(&self, launch: &Range<usize>) -> Option<KernelParams> {
        let steps = &self.plan.steps[launch.clone()];
        if let [first, second] = steps
            && let Some(norm) = self.resident_norm(&first.op, &second.op)
        {
            return Some(KernelParams::NormResident(norm));
        }
        let launches = steps.iter().map(|step| match &step.op {
            CudaOp::Conv(launch) if launch.takes_chains() => Some(launch),
            _ => None,
        });
        let launches: Vec<&ConvLaunch> = launches.collect::<Option<_>>()?;
        let exchange = self.plan.exchange_at(launch);
        let leading = self.plan.leading(launch);
        let mut chain = self.chain(exchange, &launches, leading);
        if self.plan.polls_together(launch) {
            chain.all.merge_groups = 0;
        }
        Some(KernelParams::Chain(chain))
    }

    /// The parameter block of consecutive layers. `leading` describes how the first layer is joined with the others if
    /// it has another shape.
    pub fn chain(
        &self,
        exchange: usize,
        launches: &[&ConvLaunch],
        leading: Option<LeadingChain>,
    ) -> ChainParams {
        let mut chain = ChainParams {
            exchange: self.at(self.layout.exchange + exchange),
            count: int(launches.len()),
            ..ChainParams::default()
        };
        // The layer whose shape applies to all others.
        let shaped = usize::from(leading.is_some());
        for (at, (layer, launch)) in chain.layers.iter_mut().zip(launches).enumerate() {
            let p = self.conv(launch);
            *layer = ChainLayer {
                input: p.input,
                skip: p.skip,
                keep: p.keep,
                weights: p.weights,
                output: p.output,
                gamma: p.gamma,
                beta: p.beta,
                relu: p.relu,
                spare: 0,
            };
            chain.all = if at <= shaped {
                p
            } else {
                ConvParams {
                    gamma: p.gamma,
                    beta: p.beta,
                    out_scale: p.out_scale,
                    out_mean: p.out_mean,
                    ..chain.all
                }
            };
        }
        if let (Some(leading), [first, next, ..]) = (leading, launches) {
            chain.all.ring_stages = int(leading.ring_stages);
            let start = next.padded_steps();
            chain.leading = leading_layer(&self.conv(first), int(start));
            fill_walk(&mut chain.all.walk[start..], first);
        }
        chain
    }
}
