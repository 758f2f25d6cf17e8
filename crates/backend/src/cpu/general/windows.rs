//! Passes whose values depend on neighbours in the same channel. Each call writes one row of the result.

use super::{pointwise::clear_padding, run::Run, weights::ResizeTables};
use network::graph::Pool;
use plan::cpu::MapId;

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
    let [before, after] = pool.sides.of_axis(axis);
    let start = at * pool.stride[axis];
    let end = (start + pool.kernel[axis]).min(before + side + after);
    let inside = start.max(before) - before..(end.min(before + side)).max(before) - before;
    (inside, end - start)
}

/// Pools one row: maxima, or means if `counts_padding` says whether padding counts as zeros.
///
/// # Safety
/// The row belongs to the caller's task.
#[inline(always)]
pub unsafe fn pool(
    run: &Run<'_>,
    (pool, counts_padding): (&Pool, Option<bool>),
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
        pixel.fill(if counts_padding.is_some() { 0.0 } else { f32::NEG_INFINITY });
        for y in rows.clone() {
            // SAFETY: no task of the step writes the map.
            let read = unsafe { run.pixels(from, y, (columns.start, columns.end)) };
            for read in read.chunks_exact(stored) {
                for (v, r) in pixel.iter_mut().zip(read) {
                    *v = if counts_padding.is_some() { *v + r } else { v.max(*r) };
                }
            }
        }
        if let Some(counts_padding) = counts_padding {
            let count = if counts_padding { tall * wide } else { rows.len() * columns.len() };
            let share = 1.0 / count as f32;
            pixel.iter_mut().for_each(|v| *v *= share);
        }
    }
    clear_padding(row, result.shape.channels, stored);
}
