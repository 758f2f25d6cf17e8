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
pub mod reduction;
pub mod run;
mod staging;
pub mod weights;
pub mod windows;
pub mod winograd;

use super::{
    kernel::{Tasks, Tiles},
    session::{CpuSession, Progress},
    shared::Shared,
    simd::Simd,
    statistics::{self, ScaleShift},
};
use conv::ConvStep;
use network::graph::Op;
use plan::cpu::{
    CpuOp, MapBuffer, MapId,
    general::{ConvAlgorithm, GeneralOp, Pointwise},
    strips,
};
use reduction::StripStatistics;
use run::Run;

/// A step of a run.
struct Step<'a> {
    run: &'a Run<'a>,
    op: &'a GeneralOp,
}

impl Tasks for Step<'_> {
    fn count(&self) -> usize {
        let run = self.run;
        let shape = |map: MapId| run.maps[map].shape;
        match *self.op {
            GeneralOp::Conv { conv, to, .. } => match &run.parts.convs[conv] {
                conv if conv.algorithm == ConvAlgorithm::Winograd => winograd::tasks(shape(to)),
                conv => strips(conv::grid(conv)),
            },
            // Keys and values of every head.
            GeneralOp::PackKeys { ref attention, .. } => 2 * attention.heads,
            GeneralOp::Attention { ref attention, to, .. } => {
                attention.tasks(shape(to).height * shape(to).width)
            }
            GeneralOp::Node { op: Op::Picture, .. } => run.picture.size.0,
            GeneralOp::Reduce { parts: map, .. }
            | GeneralOp::StoreMap { from: map }
            | GeneralOp::Node { to: map, .. }
            | GeneralOp::Pointwise { to: map, .. } => shape(map).height,
        }
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], tiles: Tiles) {
        let (run, tiles) = (self.run, tiles.single);
        // SAFETY: the caller's promise.
        unsafe {
            match *self.op {
                GeneralOp::Conv { conv, from, to, ref epilogue } => {
                    let (conv, packed) = (&run.parts.convs[conv], &run.weights.convs[conv]);
                    let step = ConvStep { conv, packed, from, to, epilogue };
                    match conv.algorithm {
                        ConvAlgorithm::Rows | ConvAlgorithm::ShiftedColumns => {
                            conv::conv_task::<S>(run, step, task, scratch, tiles);
                        }
                        ConvAlgorithm::Depthwise => {
                            depthwise::depthwise_task::<S>(run, step, task, scratch);
                        }
                        ConvAlgorithm::Winograd => {
                            winograd::winograd_task::<S>(run, step, task, scratch, tiles);
                        }
                    }
                }
                GeneralOp::Pointwise { from, to, ref chain } => {
                    if from != to {
                        run.row_mut(to, task).copy_from_slice(run.row(from, task));
                    }
                    pointwise::apply(run, chain, to, task, (0, run.maps[to].shape.width));
                }
                GeneralOp::PackKeys { ref attention, from, to } => {
                    attention::pack::<S>(run, attention, from, to, task);
                }
                GeneralOp::Attention { ref attention, from, packed, to } => {
                    let maps = (from, packed, to);
                    attention::attend::<S>(run, attention, maps, task, scratch, tiles);
                }
                GeneralOp::Node { ref op, ref from, to, part } => {
                    node(run, (op, part), (from, to), task, scratch);
                }
                GeneralOp::StoreMap { from } => moves::store_map(run, from, task),
                // Its tasks are those of `StripStatistics`.
                GeneralOp::Reduce { .. } => {}
            }
        }
    }
}

/// Computes one row of a node.
///
/// # Safety
/// The row belongs to the caller's task.
#[inline(always)]
unsafe fn node(
    run: &Run<'_>,
    (op, part): (&Op, usize),
    (maps, to): (&[MapId], MapId),
    y: usize,
    scratch: &mut [f32],
) {
    let from = maps.first().copied().unwrap_or(to);
    // SAFETY: the caller's promise.
    unsafe {
        match *op {
            Op::Photo => moves::load(run, to, y),
            Op::Input { .. } => moves::load_planes(run, &run.input.maps[part].data, to, y),
            Op::Constant(_) => moves::load_planes(run, &run.weights.constants[part], to, y),
            Op::Picture => moves::store(run, from, y),
            Op::Concat { .. } => moves::concat(run, maps, to, y),
            Op::Channels { first, .. } => moves::channels(run, first, from, to, y),
            Op::DepthToSpace { block, order } => {
                moves::depth_to_space(run, (block, order), from, to, y);
            }
            Op::SpaceToDepth { block } => moves::space_to_depth(run, block, from, to, y),
            Op::Combine(arithmetic) => pointwise::combine(run, arithmetic, [from, maps[1]], to, y),
            Op::Resize(_) => {
                windows::resize(run, &run.weights.resizes[part], (from, to), y, scratch);
            }
            Op::MaxPool(ref pool) => windows::pool(run, (pool, None), from, to, y),
            Op::AveragePool { ref pool, counts_padding } => {
                windows::pool(run, (pool, Some(counts_padding)), from, to, y);
            }
            ref op => moves::index(run, op, from, to, y),
        }
    }
}

/// Computes each channel's scale for the norms of a chain, before the tasks of the step read it.
fn prepare_norms(run: &Run<'_>, chain: &[Pointwise]) {
    for pass in chain {
        let (Op::InstanceNorm { eps }, Some(statistics)) = (pass.op, pass.operand) else {
            continue;
        };
        // SAFETY: no task runs, and the maps are different ones.
        let (variances, scales) =
            unsafe { (run.pixels(statistics, 0, (1, 2)), run.row_mut(pass.scales, 0)) };
        let own = scales.iter_mut().zip(&run.weights.values[pass.values].weight);
        for ((scale, &gamma), &variance) in own.zip(variances) {
            *scale = (f64::from(gamma) / (f64::from(variance) + eps).sqrt()) as f32;
        }
        // Padding channels are zeroed, because both their gamma and eps may be zero.
        scales[run.maps[pass.scales].shape.channels..].fill(0.0);
    }
}

/// Reduces every channel of a map to one or two values.
fn reduce(
    session: &CpuSession,
    run: &Run<'_>,
    progress: &Progress<'_>,
    op: &Op,
    [from, parts, to]: [MapId; 3],
) {
    let is_largest = *op == Op::SpatialMax;
    let MapBuffer { shape, stored_channels: len, .. } = run.maps[parts];
    // SAFETY: nothing else accesses the parts, and no task runs yet.
    let own = unsafe { std::slice::from_raw_parts_mut(run.start(parts), shape.height * len) };
    let layer = StripStatistics { run, map: from, is_largest, parts: Shared::of(own) };
    session.run_tasks(&layer, progress);
    let (channels, stored) = (run.maps[to].shape.channels, run.maps[to].stored_channels);
    // SAFETY: no task runs any more, and the maps are different ones.
    let (parts, row) = unsafe { (run.rows(parts, 0..shape.height), run.row_mut(to, 0)) };
    row.fill(0.0);
    // Merges the parts in order.
    for c in 0..channels {
        if is_largest {
            let values = parts.chunks_exact(len).map(|part| part[c]);
            row[c] = values.fold(f32::NEG_INFINITY, f32::max);
            continue;
        }
        let (mean, variance) = statistics::merged(parts, (stored, len), c);
        row[c] = mean as f32;
        if *op == Op::InstanceStatistics {
            row[stored + c] = variance as f32;
        }
    }
}

impl CpuSession {
    /// Runs one step.
    pub(super) fn general(&self, run: &Run<'_>, progress: &Progress<'_>, op: &GeneralOp) {
        match op {
            GeneralOp::Reduce { op, from, parts, to } => {
                return reduce(self, run, progress, op, [*from, *parts, *to]);
            }
            GeneralOp::Pointwise { chain, .. } | GeneralOp::Conv { epilogue: chain, .. } => {
                prepare_norms(run, chain);
            }
            _ => {}
        }
        self.run_tasks(&Step { run, op }, progress);
    }

    /// The norm that a step begins with: the name of its node, the map that it reads, and its scale and shift.
    pub(super) fn general_norm(&self, op: &CpuOp) -> Option<(&str, MapId, ScaleShift)> {
        let CpuOp::General(GeneralOp::Pointwise { from, chain, .. }) = op else {
            return None;
        };
        let &Pointwise { op: Op::InstanceNorm { eps }, operand, values, .. } = chain.first()?
        else {
            return None;
        };
        let own = &self.general_weights.values[values];
        let map = self.plan.maps[operand?];
        let stored = map.stored_channels;
        let read = &self.arena[map.offset..map.offset + map.len()];
        let (means, variances) = read.split_at(stored);
        let mut norm = ScaleShift::default();
        for (c, (&gamma, &beta)) in own.weight.iter().zip(&own.bias).enumerate() {
            let scale = f64::from(gamma) / (f64::from(variances[c]) + eps).sqrt();
            norm.scale.push(scale as f32);
            norm.shift.push((f64::from(beta) - f64::from(means[c]) * scale) as f32);
        }
        Some((&self.plan.general.channel_nodes[values].0, *from, norm))
    }
}
