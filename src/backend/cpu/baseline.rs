//! The baseline variant: runs each pass over the stored maps, with rows in parallel.

use std::sync::Arc;

use super::{
    gather::reflected,
    pack::Packed,
    passes::{self, Im2colConv},
    rows,
    session::{CpuSession, PictureTarget, Progress, Shared},
    statistics::{self, part_len},
};
use crate::plan::cpu::{CpuOp, MapBuffer, strip_rows};

impl CpuSession {
    /// Runs one pass of the baseline, with rows in parallel.
    pub(super) fn pass(
        &mut self,
        base: Shared,
        photo: &[u8],
        target: PictureTarget,
        progress: &Progress<'_>,
        op: &CpuOp,
    ) {
        let plan = Arc::clone(&self.plan);
        let maps = &plan.maps;
        let kernels = self.kernels;
        let row_len = |m: &MapBuffer| m.shape.width * m.stored_channels;
        let row_mut = |m: &MapBuffer, y: usize| {
            // SAFETY: a task writes only rows of its own index, and no step writes a map that it reads (a property test
            // of the plan).
            unsafe { base.slice_mut(m.offset + y * row_len(m), row_len(m)) }
        };
        let row = |m: &MapBuffer, y: usize| {
            // SAFETY: as above.
            unsafe { base.slice(m.offset + y * row_len(m), row_len(m)) }
        };
        match *op {
            CpuOp::Load { to } => {
                let to = maps[to];
                let photo_row = 4 * to.shape.width;
                self.for_each_task(to.shape.height, progress, |y, _| {
                    let from = &photo[y * photo_row..(y + 1) * photo_row];
                    let pixels = row_mut(&to, y).chunks_exact_mut(3);
                    for (pixel, rgba) in pixels.zip(from.chunks_exact(4)) {
                        for c in 0..3 {
                            pixel[c] = f32::from(rgba[c]);
                        }
                    }
                });
            }
            CpuOp::Upsample { from, to } => {
                let (from, to) = (maps[from], maps[to]);
                self.for_each_task(to.shape.height, progress, |y, _| {
                    passes::upsample_row(row(&from, y / 2), row_mut(&to, y), from.stored_channels);
                });
            }
            CpuOp::Pad { conv, from, to } => {
                let pad = self.plan.convs[conv].padding;
                let (from, to) = (maps[from], maps[to]);
                self.for_each_task(to.shape.height, progress, |y, _| {
                    let source = reflected(y as isize - pad as isize, from.shape.height);
                    passes::pad_row(row(&from, source), row_mut(&to, y), from.stored_channels, pad);
                });
            }
            CpuOp::Im2col { conv, from, to } => {
                let (from, to) = (maps[from], maps[to]);
                let Packed::Single(panels) = &self.weights[conv].packed else {
                    // Baseline plans are in single precision.
                    return;
                };
                let layer = Im2colConv {
                    // SAFETY: no task of this step writes the padded map.
                    padded: unsafe { base.slice(from.offset, from.len()) },
                    padded_width: from.shape.width,
                    channels: from.stored_channels,
                    kernel: self.plan.convs[conv].kernel,
                    stride: self.plan.convs[conv].stride,
                    panels,
                    bias: &self.weights[conv].bias,
                };
                let layer = &layer;
                self.for_each_task(to.shape.height, progress, |y, scratch| {
                    // SAFETY: the set was chosen for this CPU; the plan sized the scratch.
                    unsafe {
                        passes::im2col_row(layer, y, row_mut(&to, y), scratch, &kernels.tiles)
                    }
                });
            }
            CpuOp::Statistics { conv, map } => {
                let map = maps[map];
                let strip = strip_rows(map.shape.height);
                let tasks = map.shape.height.div_ceil(strip);
                let len = part_len(map.stored_channels, false);
                let mut parts = std::mem::take(&mut self.parts);
                parts.resize(parts.len().max(tasks * len), 0.0);
                let shared = Shared::of(&mut parts);
                self.for_each_task(tasks, progress, |task, scratch| {
                    let rows = strip.min(map.shape.height - task * strip);
                    let start = map.offset + task * strip * row_len(&map);
                    // SAFETY: rows are only read; every task has its own part.
                    unsafe {
                        let pixels = base.slice(start, rows * row_len(&map));
                        let part = shared.slice_mut(task * len, len);
                        (kernels.statistics)(pixels, map.stored_channels, scratch, part);
                    }
                });
                if let Some(norm) = &self.weights[conv].norm {
                    let used = &parts[..tasks * len];
                    statistics::finish(
                        used,
                        (map.stored_channels, false),
                        norm,
                        &mut self.norms[conv],
                    );
                }
                self.parts = parts;
            }
            CpuOp::Normalise { conv, map } => {
                let (map, norm) = (maps[map], &self.norms[conv]);
                self.for_each_task(map.shape.height, progress, |y, _| {
                    // SAFETY: the set was chosen for this CPU.
                    unsafe { (kernels.normalise_row)(row_mut(&map, y), &norm.scale, &norm.shift) }
                });
            }
            CpuOp::Relu { map } => {
                let map = maps[map];
                self.for_each_task(map.shape.height, progress, |y, _| {
                    // SAFETY: as above.
                    unsafe { (kernels.relu_row)(row_mut(&map, y)) }
                });
            }
            CpuOp::Add { from, to } => {
                let (from, to) = (maps[from], maps[to]);
                self.for_each_task(to.shape.height, progress, |y, _| {
                    // SAFETY: as above.
                    unsafe { (kernels.add_row)(row(&from, y), row_mut(&to, y)) }
                });
            }
            CpuOp::Store { from } => {
                let from = maps[from];
                let (height, width) = self.plan.photo;
                let target = &target;
                self.for_each_task(height, progress, |y, _| {
                    let pixels = row(&from, y).chunks_exact(from.stored_channels);
                    for (x, pixel) in pixels.take(width).enumerate() {
                        for (c, &value) in pixel[..3].iter().enumerate() {
                            let at = y * width + x;
                            // SAFETY: inside the picture; the row belongs to this task.
                            unsafe {
                                if target.floats.is_null() {
                                    *target.rgba.add(4 * at + c) = rows::level(value);
                                } else {
                                    *target.floats.add(c * height * width + at) = value;
                                }
                            }
                        }
                    }
                });
            }
            CpuOp::General(_) | CpuOp::Fused { .. } => {}
        }
    }
}
