//! The passes of the baseline variant: one operation each, over whole rows of a stored map.
//!
//! Plain loops over slices; the compiler vectorises them for the instruction set of the caller.

use super::{
    gather::reflected,
    pack::Panels,
    tiles::{Segment, TileSet},
};
use crate::plan::cpu::{PANEL_COLUMNS, TILE_COLUMNS, TILE_SLACK};

/// One row of a padded map, with `pad` reflected pixels on the left and right. `row` is the source row.
#[inline(always)]
pub fn pad_row(row: &[f32], to: &mut [f32], channels: usize, pad: usize) {
    let width = row.len() / channels;
    for (i, pixel) in to.chunks_exact_mut(channels).enumerate() {
        let x = reflected(i as isize - pad as isize, width);
        pixel.copy_from_slice(&row[x * channels..(x + 1) * channels]);
    }
}

/// Upsamples one row to twice the width.
#[inline(always)]
pub fn upsample_row(row: &[f32], to: &mut [f32], channels: usize) {
    for (pixel, twice) in row.chunks_exact(channels).zip(to.chunks_exact_mut(2 * channels)) {
        twice[..channels].copy_from_slice(pixel);
        twice[channels..].copy_from_slice(pixel);
    }
}

/// Scales and shifts every channel, in place.
#[inline(always)]
pub fn normalise_row(row: &mut [f32], scale: &[f32], shift: &[f32]) {
    for pixel in row.chunks_exact_mut(scale.len()) {
        for ((v, a), b) in pixel.iter_mut().zip(scale).zip(shift) {
            *v = *v * a + b;
        }
    }
}

/// ReLU, in place.
#[inline(always)]
pub fn relu_row(row: &mut [f32]) {
    for v in row {
        *v = v.max(0.0);
    }
}

/// `to += from`
#[inline(always)]
pub fn add_row(from: &[f32], to: &mut [f32]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t += f;
    }
}

/// A convolution on a padded map.
pub struct Im2colConv<'a> {
    /// Channels-last.
    pub padded: &'a [f32],
    pub padded_width: usize,
    /// As stored.
    pub channels: usize,
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
    pub panels: &'a Panels,
    /// One value per stored output channel.
    pub bias: &'a [f32],
}

/// Computes output row `y` of a convolution. Patches of up to [`TILE_COLUMNS`] pixels are copied into a matrix, which
/// is multiplied by the weights.
///
/// # Safety
/// `tiles` can run on this CPU; `scratch` has the plan's length.
pub unsafe fn im2col_row(
    conv: &Im2colConv<'_>,
    y: usize,
    to: &mut [f32],
    scratch: &mut [f32],
    tiles: &TileSet,
) {
    let stored = conv.bias.len();
    let (stretch, depth) = (conv.kernel * conv.channels, conv.panels.depth);
    let c_stride = conv.panels.columns.next_multiple_of(PANEL_COLUMNS);
    // Register tiles may write past the last patch.
    let (patches, computed) = scratch.split_at_mut((TILE_COLUMNS + TILE_SLACK) * depth);
    for (tile, pixels) in to.chunks_mut(TILE_COLUMNS * stored).enumerate() {
        let columns = pixels.len() / stored;
        for (i, patch) in patches.chunks_exact_mut(depth).take(columns).enumerate() {
            let x = (tile * TILE_COLUMNS + i) * conv.stride;
            for (ky, part) in patch.chunks_exact_mut(stretch).enumerate() {
                let start = ((y * conv.stride + ky) * conv.padded_width + x) * conv.channels;
                part.copy_from_slice(&conv.padded[start..start + stretch]);
            }
        }
        for panel in conv.panels.panels() {
            let segment =
                Segment { a: patches.as_ptr(), b: conv.panels.group(panel, 0), len: depth };
            let c = computed[panel.first..].as_mut_ptr();
            // SAFETY: patches and computed rows have room for the register tiles that run past the end.
            unsafe {
                tiles.panel_product(&[segment], depth, columns, (panel.vectors, ()), c, c_stride);
            }
        }
        for (pixel, row) in pixels.chunks_exact_mut(stored).zip(computed.chunks_exact(c_stride)) {
            for ((p, v), b) in pixel.iter_mut().zip(row).zip(conv.bias) {
                *p = v + b;
            }
        }
    }
}
