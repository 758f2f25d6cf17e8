//! The launches of convolutions of any shape, transposed or not: the taps that an output reads, kernel and grid.

use super::{
    Planner,
    launch::{Edge, GeneralConv, GeneralOp, Pointwise},
};
use crate::{
    cuda::{
        ConstantValues, ConvWeights, CudaPlanResult, Part, WeightOrder, fused::PHOTO_DIVISOR,
        stored_channels,
    },
    geometry::{Axis, ConvGeometry, Phase},
};
use network::graph::{NodeId, Op, Sides};

/// Pixels per tile.
const TILE_PIXELS: usize = 128;
/// Maximum number of channels per tile. Narrower tiles have 16 or 32.
const MAX_TILE_CHANNELS: usize = 64;

/// The taps of one axis that the outputs of a phase read, and the number of outputs.
struct AxisPhase {
    /// Distance from the output's own position, and index in the kernel.
    taps: Vec<(isize, usize)>,
    /// Rows or columns of the output.
    count: usize,
}

/// The phases of an axis of `outputs` rows or columns, in the order of their first outputs.
fn phases(axis: &Axis, outputs: usize) -> Vec<AxisPhase> {
    let step = axis.out_step;
    let phase = |first: usize| {
        let away = |phase: &Phase| first as isize - phase.output;
        let own = axis.phases.iter().filter(|phase| away(phase) % step as isize == 0);
        let taps = own.flat_map(|phase| {
            let place = away(phase) / step as isize;
            phase.taps.iter().map(move |tap| (tap.offset + place, tap.kernel))
        });
        let mut taps: Vec<(isize, usize)> = taps.collect();
        taps.sort_by_key(|&(_, kernel)| kernel);
        AxisPhase { taps, count: (outputs + step - 1 - first) / step }
    };
    (0..step).map(phase).collect()
}

/// The tables of phases and taps as the kernel reads them, and the pixels of the largest phase.
fn tables(rows: &[AxisPhase], columns: &[AxisPhase], kernel_width: usize) -> [Vec<i32>; 2] {
    let (mut phases, mut taps) = (Vec::new(), Vec::new());
    for (top, down) in rows.iter().enumerate() {
        for (left, across) in columns.iter().enumerate() {
            let first = taps.len() / 4;
            for &(dy, ky) in &down.taps {
                for &(dx, kx) in &across.taps {
                    let kernel = (ky * kernel_width + kx) as i32;
                    taps.extend([dy as i32, dx as i32, kernel, 0]);
                }
            }
            let count = taps.len() / 4 - first;
            phases.extend(
                [first, count, top, left, down.count, across.count, 0, 0].map(|n| n as i32),
            );
        }
    }
    [phases, taps]
}

impl Planner<'_, '_> {
    /// The launch of a convolution, with the operations that are folded into it.
    pub fn conv(&mut self, id: NodeId) -> CudaPlanResult {
        let node = self.nodes.node(id);
        let pad = node.inputs[0];
        let (source, edge, margin) = match self.nodes.padding(pad) {
            Some((mode, sides)) if self.is_folded_pad(pad) => {
                (self.nodes.input(pad), Edge::from(mode), sides)
            }
            _ => (pad, Edge::Outside, Sides::default()),
        };
        let from = self.map(id, source)?;
        let (input, output) = (self.nodes.shapes[source], self.nodes.shapes[id]);
        let geometry = ConvGeometry::of(&node.op, margin, output);
        let ConvGeometry { conv, is_transposed, axes } =
            geometry.ok_or_else(|| self.no_kernel(id))?;
        let (rows, columns) = (phases(&axes[0], output.height), phases(&axes[1], output.width));
        let most = |phases: &[AxisPhase]| phases.iter().map(|p| p.count).max().unwrap_or(0);
        let largest_phase = most(&rows) * most(&columns);
        let phase_count = rows.len() * columns.len();
        let order = match conv.groups {
            1 => WeightOrder::Tiled,
            groups if groups == conv.in_channels && groups == conv.out_channels => {
                WeightOrder::Depthwise
            }
            _ => WeightOrder::Grouped,
        };
        let weights = ConvWeights { conv, is_transposed, order };
        let [phases, taps] = tables(&rows, &columns, conv.kernel[1]);
        let weights = self.constant(ConstantValues::Conv { node: node.name.clone(), weights });
        let bias = self.by_channel(id, Part::Bias);
        let phases = self.constant(ConstantValues::Integers(phases));
        let taps = self.constant(ConstantValues::Integers(taps));
        let factor = self.factor(id);
        let (last, after) = self.folded_after(id, Pointwise::default());
        let to = self.made(last);
        let op = GeneralOp::Conv(GeneralConv {
            from,
            to,
            weights,
            bias,
            phases,
            taps,
            stride: axes.each_ref().map(|axis| axis.in_step),
            step: axes.each_ref().map(|axis| axis.out_step),
            edge,
            group: [conv.in_channels / conv.groups, conv.out_channels / conv.groups],
            factor,
            after,
        });
        let stored = stored_channels(conv.out_channels);
        let tile = stored.next_power_of_two().min(MAX_TILE_CHANNELS);
        let (entry, grid) = match order {
            WeightOrder::Grouped => {
                let grid = self.builder.grid(output.height, output.width * stored);
                ("conv_grouped".to_owned(), grid)
            }
            WeightOrder::Depthwise => ("conv_depthwise".to_owned(), self.builder.pack_grid(to)),
            _ => {
                let tiles = (self.builder.batch * largest_phase).div_ceil(TILE_PIXELS) as u32;
                let grid = (tiles, stored.div_ceil(tile) as u32, phase_count as u32);
                (format!("conv_{TILE_PIXELS}x{tile}"), grid)
            }
        };
        let multiply_adds = conv.multiply_adds(if is_transposed { input } else { output });
        let batch = self.builder.batch as u64;
        let read = input.len() + conv.weight_count();
        let step = self.step(id, op, &entry, grid, (read, output.len()));
        step.flops = multiply_adds.saturating_mul(2 * batch);
        Ok(())
    }

    /// Factor on the sums of a convolution. As in the specialised plans, fp16 divides the sums over the photo's levels
    /// if only a norm reads them. The norm cancels the factor.
    pub fn factor(&self, id: NodeId) -> f32 {
        let nodes = self.nodes;
        if !matches!(nodes.op(id), Op::Conv2d(_) | Op::ConvTranspose2d { .. }) {
            return 1.0;
        }
        let mut from = nodes.input(id);
        while let Op::Sized(_) | Op::Pad { .. } | Op::PadSame { .. } | Op::Upsample | Op::Crop(_) =
            nodes.op(from)
        {
            from = nodes.input(from);
        }
        let is_own_norm = |&reader: &NodeId| match nodes.node(reader).inputs[..] {
            [map, statistics] => map == id && nodes.node(statistics).inputs == [id],
            _ => false,
        };
        let is_scale_free = |reader: &NodeId| match nodes.op(*reader) {
            Op::InstanceStatistics => nodes.readers[*reader].iter().all(is_own_norm),
            Op::InstanceNorm { .. } => is_own_norm(reader),
            _ => false,
        };
        let is_divided = self.builder.format.storage.bytes() == 2
            && *nodes.op(from) == Op::Photo
            && nodes.readers[id].iter().all(is_scale_free);
        if is_divided { 1.0 / PHOTO_DIVISOR } else { 1.0 }
    }

    /// The last of the nodes after `id` that are computed with it, and what they do in addition to `after`.
    pub fn folded_after(&mut self, id: NodeId, mut after: Pointwise) -> (NodeId, Pointwise) {
        let mut last = id;
        while let Some(only) = self.nodes.only_reader(last).filter(|_| self.is_fused) {
            // An affine step comes first, a function last.
            let is_affine = *self.nodes.op(only) == Op::Affine;
            if is_affine && after.affine.is_some() {
                break;
            }
            let Some(change) = self.pointwise(only) else {
                break;
            };
            last = only;
            self.is_folded[only] = true;
            if !is_affine {
                (after.slopes, after.function) = (change.slopes, change.function);
                break;
            }
            after.affine = change.affine;
        }
        (last, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::graph::Conv;

    /// Every input adds every row of the kernel to some output, and no output reads what is cut off.
    #[test]
    fn a_transposed_convolution_gathers_what_its_definition_scatters() {
        for (kernel, stride, dilation, cut, input) in
            [(3, 2, 1, 1, 5), (4, 2, 1, 1, 6), (2, 3, 1, 0, 4), (3, 2, 2, 2, 5), (5, 1, 1, 2, 7)]
        {
            let conv = Conv {
                kernel: [kernel; 2],
                stride: [stride; 2],
                dilation: [dilation; 2],
                ..Conv::square(1, 1, kernel, 1)
            };
            let output = (input - 1) * stride + (kernel - 1) * dilation + 1 - 2 * cut;
            let mut scattered = Vec::new();
            for i in 0..input {
                for k in 0..kernel {
                    let to = (i * stride + k * dilation).checked_sub(cut);
                    scattered.extend(to.filter(|&to| to < output).map(|to| (to, i, k)));
                }
            }
            let mut gathered = Vec::new();
            let axis = Axis::transposed(&conv, 0, cut, output);
            for (first, phase) in phases(&axis, output).iter().enumerate() {
                for place in 0..phase.count {
                    for &(away, k) in &phase.taps {
                        let from = usize::try_from(place as isize + away)
                            .ok()
                            .filter(|&from| from < input);
                        gathered.extend(from.map(|from| (first + place * stride, from, k)));
                    }
                }
            }
            scattered.sort_unstable();
            gathered.sort_unstable();
            assert_eq!(gathered, scattered, "kernel {kernel}, stride {stride}");
        }
    }
}
