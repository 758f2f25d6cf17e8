//! Convolutions of any kind, row by row over staged input rows: plain, dilated, grouped, and transposed as sub-pixel
//! phases.
//!
//! A task computes a strip of rows over a tile of columns. If the taps of every phase are adjacent, the task keeps a
//! ring of staged rows, from which all phases read. Otherwise it stages the taps of each phase separately.

use super::{
    super::{
        kernel::Strip,
        simd::{At, Simd},
        tiles::{MAX_SEGMENTS, Segment, TileSet},
    },
    pointwise,
    run::Run,
    staging::StagedInput,
    weights::PackedGeneral,
};
use plan::{
    Phase,
    cpu::{
        MapBuffer, MapId, TILE_SLACK,
        general::{ConvAlgorithm, GeneralConv, Pointwise},
    },
};

/// A convolution's step.
#[derive(Clone, Copy)]
pub struct ConvStep<'a> {
    pub conv: &'a GeneralConv,
    pub packed: &'a PackedGeneral,
    pub from: MapId,
    pub to: MapId,
    /// Operations on its values before they leave the cache.
    pub epilogue: &'a [Pointwise],
}

/// Rows and columns of the grid of a convolution, whose [strips](plan::cpu::strips) are the tasks of [`conv_task`].
pub fn grid(conv: &GeneralConv) -> (usize, usize) {
    let [rows, columns] = &conv.axes;
    (rows.count, columns.count)
}

/// A product of staged rows with the weights of one phase and group.
struct Product<'p> {
    phase: usize,
    group: usize,
    row: &'p Phase,
    column: &'p Phase,
    /// Values of K in one staged row.
    stretch: usize,
    /// Values from one place to the next.
    a_stride: usize,
}

/// Runs one task of a step.
///
/// # Safety
/// As [`Simd`]; the run's pointers are valid, `scratch` has the plan's length, and no other thread runs the same
/// task.
#[inline(always)]
pub unsafe fn conv_task<S: Simd>(
    run: &Run<'_>,
    step: ConvStep<'_>,
    task: usize,
    scratch: &mut [f32],
    tiles: &TileSet,
) {
    let conv = step.conv;
    let strip = Strip::of(grid(conv), task);
    let [rows, columns] = &conv.axes;
    let channels = conv.staged_channels();
    let (row_len, slots) = (conv.row_len(), conv.staged_rows());
    assert!(scratch.len() >= conv.scratch_len(), "a task's scratch");
    let (ring, computed) = scratch.split_at_mut(slots * row_len);
    let (ring, computed) = (ring.as_mut_ptr(), computed.as_mut_ptr());
    let to = run.maps[step.to];
    let is_dense = conv.is_dense();
    let (first_offset, first_column_offset) = (rows.offsets().0, columns.offsets().0);
    let last_offset = rows.offsets().1;
    let pixels = columns.outputs(strip.first_column, strip.end_column, to.shape.width);
    // A row is finished immediately if one pass computes all of its channels.
    let is_finished_by_row = is_dense && conv.conv.groups == 1;
    // A tile at the right edge is narrower than the scratch.
    let staged_columns =
        (strip.places() + TILE_SLACK - 1) * columns.in_step + columns.span() + conv.shifted_px();
    let staged_first = (strip.first_column * columns.in_step) as isize + first_column_offset;
    let mut segments = [Segment::EMPTY; MAX_SEGMENTS];
    for group in 0..conv.conv.groups {
        let input = StagedInput::new::<S>(run, conv, step.from, group * channels);
        let mut staged_until = isize::MIN;
        for place in strip.first_row..strip.end_row {
            let base = (place * rows.in_step) as isize;
            if is_dense {
                let mut row = staged_until.max(base + first_offset);
                while row <= base + last_offset {
                    let slot = row.rem_euclid(slots as isize) as usize;
                    // SAFETY: the slot has room for one staged row.
                    unsafe {
                        input.row::<S>(ring.at(slot * row_len), row, staged_first, staged_columns);
                    }
                    row += 1;
                }
                staged_until = row;
            }
            for (row_phase, row) in rows.phases.iter().enumerate() {
                let y = (place * rows.out_step) as isize + row.output;
                let Some(y) = usize::try_from(y).ok().filter(|&y| y < to.shape.height) else {
                    continue;
                };
                for (column_phase, column) in columns.phases.iter().enumerate() {
                    let count = column.taps.len();
                    let stretch = match conv.algorithm {
                        ConvAlgorithm::ShiftedColumns => channels,
                        _ => count * channels,
                    };
                    let product = Product {
                        phase: row_phase * columns.phases.len() + column_phase,
                        group,
                        row,
                        column,
                        stretch,
                        a_stride: if is_dense {
                            columns.in_step * channels
                        } else {
                            count * channels
                        },
                    };
                    let segments = &mut segments[..row.taps.len()];
                    let shift = column
                        .taps
                        .first()
                        .map_or(0, |tap| (tap.offset - first_column_offset) as usize * channels);
                    for (at, (segment, tap)) in segments.iter_mut().zip(&row.taps).enumerate() {
                        let read = base + tap.offset;
                        segment.a = if is_dense {
                            let slot = read.rem_euclid(slots as isize) as usize;
                            ring.at(slot * row_len + shift)
                        } else {
                            let staged = ring.at(at * row_len);
                            let places = (strip.first_column, strip.places(), columns.in_step);
                            // SAFETY: as above.
                            unsafe { input.taps::<S>(staged, read, column, places) };
                            staged
                        };
                    }
                    // SAFETY: what the product reads is staged, and the scratch has room for its result.
                    unsafe {
                        multiply(tiles, &step, &product, strip.places(), segments, computed);
                        emit::<S>(run, &step, &product, strip, y, computed);
                    }
                }
                if is_finished_by_row {
                    // SAFETY: the pixels belong to this task.
                    unsafe { pointwise::apply(run, step.epilogue, step.to, y, pixels) };
                }
            }
        }
    }
    if !is_finished_by_row {
        // All channels of the strip are computed.
        let (first, end) = rows.outputs(strip.first_row, strip.end_row, to.shape.height);
        for y in first..end {
            // SAFETY: as above.
            unsafe {
                let row = run.pixels_mut(step.to, y, pixels);
                pointwise::clear_padding(row, to.shape.channels, to.stored_channels);
                pointwise::apply(run, step.epilogue, step.to, y, pixels);
            }
        }
    }
}

/// Multiplies staged rows by a phase's weights. Does nothing for a phase without weights.
///
/// # Safety
/// The rows are staged; `computed` has room for the result.
unsafe fn multiply(
    tiles: &TileSet,
    step: &ConvStep<'_>,
    product: &Product<'_>,
    places: usize,
    segments: &mut [Segment],
    computed: *mut f32,
) {
    if product.stretch == 0 || segments.is_empty() {
        return;
    }
    let panels = &step.packed.panels[product.phase];
    for panel in panels.panels() {
        let b = panels.group(panel, product.group);
        let width = panels.width(panel);
        for (at, segment) in segments.iter_mut().enumerate() {
            segment.b = b.at(at * product.stretch * width);
            segment.len = product.stretch;
        }
        // SAFETY: the caller's promise; the scratch has room for register tiles that run past the end.
        unsafe {
            tiles.panel_product(
                segments,
                product.a_stride,
                places + step.conv.shifted_px(),
                (panel.vectors, ()),
                computed.at(panel.first),
                step.conv.computed_len(),
            );
        }
    }
}

/// Writes a computed row plus its bias to the pixels of its phase.
///
/// # Safety
/// As [`Simd`]; the pixels belong to the caller's task.
#[inline(always)]
unsafe fn emit<S: Simd>(
    run: &Run<'_>,
    step: &ConvStep<'_>,
    product: &Product<'_>,
    strip: Strip,
    y: usize,
    computed: *const f32,
) {
    let conv = step.conv;
    let MapBuffer { shape, stored_channels, .. } = run.maps[step.to];
    let computed_len = conv.computed_len();
    let outputs = conv.conv.out_channels / conv.conv.groups;
    let first_channel = product.group * outputs;
    let has_sums = !product.row.taps.is_empty() && !product.column.taps.is_empty();
    let bias = step.packed.bias.as_ptr();
    for place in 0..strip.places() {
        let x =
            ((strip.first_column + place) * conv.axes[1].out_step) as isize + product.column.output;
        let Some(x) = usize::try_from(x).ok().filter(|&x| x < shape.width) else {
            continue;
        };
        let from = computed.at(place * computed_len);
        // SAFETY: the pixel is inside the map; bias and computed pixels have all stored channels.
        unsafe {
            let to = run.start(step.to).at((y * shape.width + x) * stored_channels);
            if conv.algorithm == ConvAlgorithm::ShiftedColumns {
                shifted::<S>(conv, from, bias, to);
            } else if !has_sums {
                let bias = bias.at(first_channel);
                std::ptr::copy_nonoverlapping(bias, to.at(first_channel), outputs);
                if conv.conv.groups == 1 {
                    to.at(outputs).write_bytes(0, stored_channels - outputs);
                }
            } else if conv.conv.groups == 1 {
                let mut c = 0;
                while c < stored_channels {
                    let sum = S::add(S::load(from.at(c)), S::load(bias.at(c)));
                    S::store(to.at(c), sum);
                    c += S::LANES;
                }
            } else {
                for o in 0..outputs {
                    let channel = first_channel + o;
                    *to.at(channel) = *from.at(o) + *bias.at(channel);
                }
            }
        }
    }
}

/// Adds the shifted columns of one pixel. Column `kx` of the kernel is `kx` computed pixels further.
///
/// # Safety
/// As [`Simd`]; `to` points to a pixel of 16 channels.
#[inline(always)]
unsafe fn shifted<S: Simd>(conv: &GeneralConv, from: *const f32, bias: *const f32, to: *mut f32) {
    let outputs = conv.conv.out_channels;
    let step = conv.computed_len() + outputs;
    let mut c = 0;
    // SAFETY: the scratch has room after the last pixel; values after the last output are overwritten.
    unsafe {
        while c < outputs {
            let mut sum = S::load(bias.at(c));
            for kx in 0..conv.conv.kernel[1] {
                sum = S::add(sum, S::load(from.at(kx * step + c)));
            }
            S::store(to.at(c), sum);
            c += S::LANES;
        }
        to.at(outputs).write_bytes(0, 16 - outputs);
    }
}
