//! Passes whose values depend on neighbours in the same channel, or on whole channels. Those on neighbours write one
//! row of the result per call.

use super::{pointwise::clear_padding, run::Run, weights::ResizeTables};
use crate::{
    graph::Pool,
    plan::cpu::{MapId, general::Pooling},
};

/// `to = sum of weight * from`. The taps are either one source with weight one, or several sources.
#[inline(always)]
fn weighted<'r>(to: &mut [f32], taps: &[(u32, f32); 4], read: impl Fn(usize) -> &'r [f32]) {
    let mut is_first = true;
    for &(at, weight) in taps.iter().filter(|tap| tap.1 != 0.0) {
        let from = read(at as usize);
        if is_first {
            for (v, f) in to.iter_mut().zip(from) {
                *v = weight * f;
            }
        } else {
            for (v, f) in to.iter_mut().zip(from) {
                *v += weight * f;
            }
        }
        is_first = false;
    }
    if is_first {
        to.fill(0.0);
    }
}

/// Resizes one row of a map.
///
/// # Safety
/// The row belongs to the caller's task; `scratch` has room for a row of the input map.
#[inline(always)]
pub unsafe fn resize(
    run: &Run<'_>,
    tables: &ResizeTables,
    (from, to): (MapId, MapId),
    y: usize,
    scratch: &mut [f32],
) {
    let input = run.maps[from];
    let stored = input.stored_channels;
    let blended = &mut scratch[..input.shape.width * stored];
    // SAFETY: no task of the step writes the map.
    weighted(blended, &tables.rows[y], |y| unsafe { run.row(from, y) });
    let blended = &*blended;
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    for (pixel, taps) in row.chunks_exact_mut(stored).zip(&tables.columns) {
        weighted(pixel, taps, |x| &blended[x * stored..(x + 1) * stored]);
    }
}

/// The positions of a window on an axis that are inside the map, and how many are inside the map or its padding.
#[inline(always)]
fn window(pool: &Pool, axis: usize, at: usize, side: usize) -> (std::ops::Range<usize>, usize) {
    let sides = pool.sides;
    let (before, after) = [(sides.top, sides.bottom), (sides.left, sides.right)][axis];
    let start = at * pool.stride[axis];
    let end = (start + pool.kernel[axis]).min(before + side + after);
    let inside = start.max(before) - before..(end.min(before + side)).max(before) - before;
    (inside, end - start)
}

/// Pools one row.
///
/// # Safety
/// The row belongs to the caller's task.
#[inline(always)]
pub unsafe fn pool(
    run: &Run<'_>,
    (pool, pooling): (&Pool, Pooling),
    from: MapId,
    to: MapId,
    y: usize,
) {
    let (input, result) = (run.maps[from], run.maps[to]);
    let stored = input.stored_channels;
    let (rows, tall) = window(pool, 0, y, input.shape.height);
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    for (x, pixel) in row.chunks_exact_mut(stored).enumerate() {
        let (columns, wide) = window(pool, 1, x, input.shape.width);
        pixel.fill(match pooling {
            Pooling::Max => f32::NEG_INFINITY,
            Pooling::Mean { .. } => 0.0,
        });
        for y in rows.clone() {
            // SAFETY: no task of the step writes the map.
            let read = unsafe { run.pixels(from, y, (columns.start, columns.end)) };
            for read in read.chunks_exact(stored) {
                match pooling {
                    Pooling::Max => {
                        for (v, r) in pixel.iter_mut().zip(read) {
                            *v = v.max(*r);
                        }
                    }
                    Pooling::Mean { .. } => {
                        for (v, r) in pixel.iter_mut().zip(read) {
                            *v += r;
                        }
                    }
                }
            }
        }
        if let Pooling::Mean { counts_padding } = pooling {
            let count = if counts_padding { tall * wide } else { rows.len() * columns.len() };
            let share = 1.0 / count as f32;
            pixel.iter_mut().for_each(|v| *v *= share);
        }
    }
    clear_padding(row, result.shape.channels, stored);
}

/// The largest value of every channel over some rows.
///
/// # Safety
/// No task of the step writes the rows.
#[inline(always)]
pub unsafe fn largest(run: &Run<'_>, from: MapId, rows: std::ops::Range<usize>, part: &mut [f32]) {
    part.fill(f32::NEG_INFINITY);
    for y in rows {
        // SAFETY: the caller's promise.
        let row = unsafe { run.row(from, y) };
        for pixel in row.chunks_exact(part.len()) {
            for (v, p) in part.iter_mut().zip(pixel) {
                *v = v.max(*p);
            }
        }
    }
}
