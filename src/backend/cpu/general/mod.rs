//! General plans: any graph of known operations, step by step over maps that all have the same layout.
//!
//! Each file contains the tasks of some steps. A task writes only its own pixels. The number of tasks depends only on
//! the size of the maps.

pub mod attention;
pub mod conv;
pub mod depthwise;
pub mod functions;
pub mod moves;
pub mod pointwise;
pub mod run;
mod staging;
pub mod weights;
pub mod windows;
pub mod winograd;

use super::{
    kernels::KernelSet,
    run_input::RunInput,
    session::{CpuSession, PictureTarget, Progress, Shared},
    statistics,
};
use crate::plan::cpu::{
    CpuOp, MapBuffer, MapId,
    general::{ConvAlgorithm, GeneralOp, Pointwise, Reduction},
    strip_rows,
};
use conv::ConvStep;
use run::Run;

fn conv_step<'a>(
    run: &Run<'a>,
    conv: usize,
    (from, to): (MapId, MapId),
    epilogue: &'a [Pointwise],
) -> ConvStep<'a> {
    ConvStep { conv: &run.parts.convs[conv], packed: &run.weights.convs[conv], from, to, epilogue }
}

fn tasks(run: &Run<'_>, op: &GeneralOp) -> usize {
    let rows = |map: MapId| run.maps[map].shape.height;
    match *op {
        GeneralOp::Conv { conv, from, to, .. } => {
            let step = conv_step(run, conv, (from, to), &[]);
            match step.conv.algorithm {
                ConvAlgorithm::Winograd => winograd::tasks(run.maps[to].shape),
                _ => step.tasks(),
            }
        }
        GeneralOp::Reduce { parts, .. } => rows(parts),
        // Keys and values of every head.
        GeneralOp::PackKeys { ref attention, .. } => 2 * attention.heads,
        GeneralOp::Attention { ref attention, to, .. } => {
            attention.tasks(rows(to) * run.maps[to].shape.width)
        }
        GeneralOp::Store { .. } => run.picture.0,
        GeneralOp::StoreMap { from } => rows(from),
        GeneralOp::Load { to }
        | GeneralOp::LoadMap { to, .. }
        | GeneralOp::LoadConstant { to, .. }
        | GeneralOp::Pointwise { to, .. }
        | GeneralOp::Combine { to, .. }
        | GeneralOp::Index { to, .. }
        | GeneralOp::Concat { to, .. }
        | GeneralOp::Channels { to, .. }
        | GeneralOp::Resize { to, .. }
        | GeneralOp::DepthToSpace { to, .. }
        | GeneralOp::SpaceToDepth { to, .. }
        | GeneralOp::Pool { to, .. } => rows(to),
    }
}

/// Runs one task of a step.
///
/// # Safety
/// The set was chosen for this CPU; the run's pointers are valid for the plan of the step; `scratch` has the plan's
/// length; no other thread runs the same task.
unsafe fn task(
    kernels: &KernelSet,
    run: &Run<'_>,
    op: &GeneralOp,
    task: usize,
    scratch: &mut [f32],
) {
    let y = task;
    // SAFETY: the caller's promise.
    unsafe {
        match *op {
            GeneralOp::Conv { conv, from, to, ref epilogue } => {
                let step = conv_step(run, conv, (from, to), epilogue);
                let kernel = match step.conv.algorithm {
                    ConvAlgorithm::Rows | ConvAlgorithm::ShiftedColumns => kernels.general_conv,
                    ConvAlgorithm::Depthwise => kernels.depthwise,
                    ConvAlgorithm::Winograd => kernels.padded_winograd,
                };
                kernel(run, step, task, scratch);
            }
            GeneralOp::Pointwise { from, to, ref chain } => {
                let pixels = (0, run.maps[to].shape.width);
                if from != to {
                    run.row_mut(to, y).copy_from_slice(run.row(from, y));
                }
                (kernels.chain)(run, chain, to, y, pixels);
            }
            GeneralOp::Combine { arithmetic, from, to } => {
                (kernels.combine)(run, arithmetic, from, to, y)
            }
            GeneralOp::Reduce { reduction, from, parts, .. } => {
                let map = run.maps[from];
                let strip = strip_rows(map.shape.height);
                let rows = task * strip..map.shape.height.min((task + 1) * strip);
                let part = run.row_mut(parts, task);
                if reduction == Reduction::Max {
                    let part = &mut part[..map.stored_channels];
                    (kernels.largest)(run, from, rows, part);
                } else {
                    let pixels = run.rows(from, rows);
                    (kernels.statistics)(pixels, map.stored_channels, scratch, part);
                }
            }
            GeneralOp::PackKeys { ref attention, from, to } => {
                (kernels.pack_keys)(run, attention, from, to, task)
            }
            GeneralOp::Attention { ref attention, from, packed, to } => {
                (kernels.attend)(run, attention, (from, packed, to), task, scratch)
            }
            GeneralOp::Resize { resize, from, to } => {
                let tables = &run.weights.resizes[resize];
                (kernels.resize)(run, tables, (from, to), y, scratch);
            }
            GeneralOp::Pool { ref pool, pooling, from, to } => {
                (kernels.pool)(run, (pool, pooling), from, to, y)
            }
            GeneralOp::Load { to } => moves::load(run, to, y),
            GeneralOp::LoadMap { input, to } => {
                moves::load_planes(run, &run.input.maps[input].data, to, y);
            }
            GeneralOp::LoadConstant { constant, to } => {
                moves::load_planes(run, &run.weights.constants[constant], to, y);
            }
            GeneralOp::Index { index, from, to } => moves::index(run, index, from, to, y),
            GeneralOp::Concat { ref from, to } => moves::concat(run, from, to, y),
            GeneralOp::Channels { first, from, to } => moves::channels(run, first, from, to, y),
            GeneralOp::DepthToSpace { block, order, from, to } => {
                moves::depth_to_space(run, (block, order), from, to, y)
            }
            GeneralOp::SpaceToDepth { block, from, to } => {
                moves::space_to_depth(run, block, from, to, y);
            }
            GeneralOp::Store { from } => moves::store(run, from, y),
            GeneralOp::StoreMap { from } => moves::store_map(run, from, y),
        }
    }
}

/// Computes each channel's scale for the norms of a chain, before the tasks of the step read it.
fn prepare_norms(run: &Run<'_>, chain: &[Pointwise]) {
    for pass in chain {
        let Pointwise::Norm { statistics, scales, values, eps } = *pass else {
            continue;
        };
        // SAFETY: no task runs, and the maps are different ones.
        let (variances, scales) =
            unsafe { (run.pixels(statistics, 0, (1, 2)), run.row_mut(scales, 0)) };
        let own = scales.iter_mut().zip(&run.weights.values[values].weight);
        for ((scale, &gamma), &variance) in own.zip(variances) {
            *scale = (f64::from(gamma) / (f64::from(variance) + eps).sqrt()) as f32;
        }
    }
    // Padding channels are zeroed, because both their gamma and eps may be zero.
    for pass in chain {
        if let Pointwise::Norm { scales, .. } = *pass {
            let channels = run.maps[scales].shape.channels;
            // SAFETY: as above.
            unsafe { run.row_mut(scales, 0)[channels..].fill(0.0) };
        }
    }
}

/// Merges the parts of a reduction's tasks, in order.
fn join(run: &Run<'_>, reduction: Reduction, parts: MapId, to: MapId) {
    let result = run.maps[to];
    let (channels, stored) = (result.shape.channels, result.stored_channels);
    let MapBuffer { shape, stored_channels: len, .. } = run.maps[parts];
    // SAFETY: no task runs, and the maps are different ones.
    let (parts, row) = unsafe { (run.rows(parts, 0..shape.height), run.row_mut(to, 0)) };
    row.fill(0.0);
    for c in 0..channels {
        match reduction {
            Reduction::Statistics | Reduction::Mean => {
                let (mean, variance) = statistics::merged(parts, (stored, len), c);
                row[c] = mean as f32;
                if reduction == Reduction::Statistics {
                    row[stored + c] = variance as f32;
                }
            }
            Reduction::Max => {
                let values = parts.chunks_exact(len).map(|part| part[c]);
                row[c] = values.fold(f32::NEG_INFINITY, f32::max);
            }
        }
    }
}

impl CpuSession {
    /// Runs one step of a general plan.
    pub(super) fn general(
        &self,
        base: Shared,
        input: RunInput<'_>,
        target: PictureTarget,
        progress: &Progress<'_>,
        op: &GeneralOp,
    ) {
        let run = Run {
            base: base.start,
            maps: &self.plan.maps,
            parts: &self.plan.general,
            weights: &self.general_weights,
            input,
            rgba: target.rgba,
            floats: target.floats,
            picture: self.plan.photo,
            tiles: &self.kernels.tiles,
            chain: self.kernels.chain,
        };
        if let GeneralOp::Pointwise { chain, .. } | GeneralOp::Conv { epilogue: chain, .. } = op {
            prepare_norms(&run, chain);
        }
        self.for_each_task(tasks(&run, op), progress, |index, scratch| {
            // SAFETY: the set was chosen for this CPU; pointers come from this session's plan, which sized the scratch;
            // and every task index runs once.
            unsafe { task(self.kernels, &run, op, index, scratch) }
        });
        if let GeneralOp::Reduce { reduction, parts, to, .. } = *op {
            join(&run, reduction, parts, to);
        }
    }

    /// The norm that a step begins with: the name of its node, the map that it reads, and its scale and shift.
    pub(super) fn general_norm(
        &self,
        op: &CpuOp,
    ) -> Option<(&str, MapId, super::statistics::ScaleShift)> {
        let CpuOp::General(GeneralOp::Pointwise { from, chain, .. }) = op else {
            return None;
        };
        let Some(&Pointwise::Norm { statistics, values, eps, .. }) = chain.first() else {
            return None;
        };
        let own = &self.general_weights.values[values];
        let map = self.plan.maps[statistics];
        let stored = map.stored_channels;
        let read = &self.arena()[map.offset..map.offset + map.len()];
        let (means, variances) = read.split_at(stored);
        let mut norm = super::statistics::ScaleShift::default();
        for (c, (&gamma, &beta)) in own.weight.iter().zip(&own.bias).enumerate() {
            let scale = f64::from(gamma) / (f64::from(variances[c]) + eps).sqrt();
            norm.scale.push(scale as f32);
            norm.shift.push((f64::from(beta) - f64::from(means[c]) * scale) as f32);
        }
        Some((&self.plan.general.channel_nodes[values].0, *from, norm))
    }
}
