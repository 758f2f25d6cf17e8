//! Depthwise convolutions: vectors of channels, tap after tap, from staged rows.

use super::{
    super::{
        kernel::Strip,
        simd::{At, Simd},
    },
    conv::{ConvStep, grid},
    pointwise,
    run::Run,
    staging::StagedInput,
};
use plan::cpu::TILE_SLACK;

/// Pixels that share each load of a weight.
const PIXELS: usize = 4;

/// Runs one task of a step. Tasks are the strips of the [`grid`].
///
/// # Safety
/// As [`Simd`]; the run's pointers are valid, `scratch` has the plan's length, and no other thread runs the same
/// task.
#[inline(always)]
pub unsafe fn depthwise_task<S: Simd>(
    run: &Run<'_>,
    step: ConvStep<'_>,
    task: usize,
    scratch: &mut [f32],
) {
    let conv = step.conv;
    let strip = Strip::of(grid(conv), task);
    let [rows, columns] = &conv.axes;
    let (row_taps, column_taps) = (&rows.phases[0].taps, &columns.phases[0].taps);
    let (row_len, slots) = (conv.row_len(), conv.staged_rows());
    let is_ring = rows.is_dense();
    assert!(scratch.len() >= conv.scratch_len(), "a task's scratch");
    let ring = scratch.as_mut_ptr();
    let stored = conv.staged_channels();
    let first_offset = columns.offsets().0;
    let staged_first = (strip.first_column * columns.in_step) as isize + first_offset;
    let staged_columns = (strip.places() + TILE_SLACK - 1) * columns.in_step + columns.span();
    let input = StagedInput::new::<S>(run, conv, step.from, 0);
    let mut staged_until = isize::MIN;
    for y in strip.first_row..strip.end_row {
        let base = (y * rows.in_step) as isize;
        let slot = |at: usize, read: isize| {
            if is_ring { read.rem_euclid(slots as isize) as usize } else { at }
        };
        for (at, tap) in row_taps.iter().enumerate() {
            let read = base + tap.offset;
            if is_ring && read < staged_until {
                continue;
            }
            let to = ring.at(slot(at, read) * row_len);
            // SAFETY: the slot has room for one staged row.
            unsafe { input.row::<S>(to, read, staged_first, staged_columns) };
            staged_until = read + 1;
        }
        let pixels = (strip.first_column, strip.end_column);
        // SAFETY: the pixels belong to this task; everything read is staged or packed.
        unsafe {
            let to = run.pixels_mut(step.to, y, pixels).as_mut_ptr();
            let mut place = 0;
            while place < strip.places() {
                let count = PIXELS.min(strip.places() - place);
                let mut c = 0;
                while c < stored {
                    let bias = S::load(step.packed.bias.as_ptr().at(c));
                    let mut sums = [bias; PIXELS];
                    let mut weight = step.packed.taps.as_ptr().at(c);
                    for (at, row) in row_taps.iter().enumerate() {
                        let staged = ring.at(slot(at, base + row.offset) * row_len);
                        for column in column_taps {
                            let shift = (column.offset - first_offset) as usize;
                            let factor = S::load(weight);
                            weight = weight.at(stored);
                            for (i, sum) in sums.iter_mut().enumerate() {
                                let pixel = (place + i) * columns.in_step + shift;
                                let value = S::load(staged.at(pixel * stored + c));
                                *sum = S::mul_add(value, factor, *sum);
                            }
                        }
                    }
                    for (i, sum) in sums.iter().enumerate().take(count) {
                        S::store(to.at((place + i) * stored + c), *sum);
                    }
                    c += S::LANES;
                }
                place += count;
            }
            pointwise::apply(run, step.epilogue, step.to, y, pixels);
        }
    }
}
