//! Mean and spread of every channel, gathered piece by piece while values are still in cache.
//!
//! Pieces are (count, mean, sum of squared distances) and are merged by Chan's formula (Chan, Golub,
//! LeVeque 1983); sums of squares would cancel badly when a channel's mean is far from zero. Pieces
//! are cut by the map's size alone and merged in their order, so the bits do not depend on threads.

use super::simd::{At, Simd};
use crate::network::NodeWeights;

/// Running statistics of one task inside its scratch: means, then squared distances.
pub struct Running {
    /// Mean of every stored channel.
    pub mean: *mut f32,
    /// Sum of squared distances from the mean, of every stored channel.
    pub squares: *mut f32,
    /// Pixels so far.
    pub count: usize,
}

impl Running {
    /// Takes in `pixels` pixels of `channels` values each, `stride` values apart.
    ///
    /// # Safety
    /// As [`Simd`]; `from` valid for all pixels, `mean` and `squares` for `channels` values.
    /// `channels` is a multiple of `S::LANES`.
    #[inline(always)]
    pub unsafe fn take<S: Simd>(
        &mut self,
        from: *const f32,
        pixels: usize,
        stride: usize,
        channels: usize,
    ) {
        if pixels == 0 {
            return;
        }
        let total = (self.count + pixels) as f32;
        // SAFETY: the caller's promise covers every access below.
        unsafe {
            let share = S::splat(1.0 / pixels as f32);
            let new_part = S::splat(pixels as f32 / total);
            let cross = S::splat(self.count as f32 * pixels as f32 / total);
            let mut c = 0;
            while c < channels {
                let column = from.at(c);
                // Distances from the first value: a sum of values far from zero would lose the digits
                // that make them differ.
                let first = S::load(column);
                let mut sum = S::splat(0.0);
                for p in 1..pixels {
                    sum = S::add(sum, S::sub(S::load(column.at(p * stride)), first));
                }
                let mean = S::mul_add(sum, share, first);
                let mut squares = S::splat(0.0);
                for p in 0..pixels {
                    let d = S::sub(S::load(column.at(p * stride)), mean);
                    squares = S::mul_add(d, d, squares);
                }
                if self.count == 0 {
                    S::store(self.mean.at(c), mean);
                    S::store(self.squares.at(c), squares);
                } else {
                    let old = S::load(self.mean.at(c));
                    let delta = S::sub(mean, old);
                    S::store(self.mean.at(c), S::mul_add(delta, new_part, old));
                    let both = S::add(S::load(self.squares.at(c)), squares);
                    let merged = S::mul_add(S::mul(delta, delta), cross, both);
                    S::store(self.squares.at(c), merged);
                }
                c += S::LANES;
            }
        }
        self.count += pixels;
    }

    /// Writes the result into `part`: count, means, squared distances.
    ///
    /// # Safety
    /// `mean` and `squares` valid for `channels` values.
    #[inline(always)]
    pub unsafe fn write(&self, part: &mut [f32], channels: usize) {
        // SAFETY: the caller's promise.
        let (mean, squares) = unsafe {
            (
                std::slice::from_raw_parts(self.mean, channels),
                std::slice::from_raw_parts(self.squares, channels),
            )
        };
        part[0] = self.count as f32;
        part[1..=channels].copy_from_slice(mean);
        part[channels + 1..=2 * channels].copy_from_slice(squares);
    }
}

/// Floats of one task's part for `channels` stored channels.
pub const fn part_len(channels: usize) -> usize {
    1 + 2 * channels
}

/// What an instance norm does to each stored channel: `value * scale + shift`.
#[derive(Clone, Debug, Default)]
pub struct ScaleShift {
    /// gamma / sqrt(variance + eps); zero for padding channels.
    pub scale: Vec<f32>,
    /// beta - mean * scale; zero for padding channels.
    pub shift: Vec<f32>,
}

/// Merges the parts of all tasks, in order, into each channel's scale and shift in `result`, which keeps
/// its memory from run to run.
pub fn finish(
    parts: &[f32],
    channels: usize,
    (norm, eps): &(NodeWeights, f64),
    result: &mut ScaleShift,
) {
    result.scale.resize(channels, 0.0);
    result.shift.resize(channels, 0.0);
    for (c, (&gamma, &beta)) in norm.weight.iter().zip(&norm.bias).enumerate() {
        let (mean, variance) = merged(parts, channels, c);
        let scale = f64::from(gamma) / (variance + eps).sqrt();
        result.scale[c] = scale as f32;
        result.shift[c] = (f64::from(beta) - mean * scale) as f32;
    }
}

/// Mean and biased variance of channel `c` over the parts of all tasks, in order.
pub fn merged(parts: &[f32], channels: usize, c: usize) -> (f64, f64) {
    let (mut count, mut mean, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for part in parts.chunks_exact(part_len(channels)) {
        let n = f64::from(part[0]);
        if n == 0.0 {
            continue;
        }
        let delta = f64::from(part[1 + c]) - mean;
        let total = count + n;
        mean += delta * n / total;
        squares += f64::from(part[1 + channels + c]) + delta * delta * count * n / total;
        count = total;
    }
    (mean, if count > 0.0 { squares / count } else { 0.0 })
}
