//! Mean and variance of every channel, computed piece by piece while the values are still in cache.
//!
//! A piece is (count, mean, sum of squared distances). Pieces are merged by Chan's formula (Chan, Golub, LeVeque 1983),
//! because sums of squares would cancel badly if a channel's mean is far from zero. The map's size alone decides how
//! pieces are cut, and they are merged in order, so the bits do not depend on the number of threads.

use super::{
    gather::MapInput,
    kernel::{Tasks, Tiles},
    shared::Shared,
    simd::{At, Simd},
};
use network::NodeWeights;
use plan::cpu::strip_rows;

/// Running statistics of one task, stored in its scratch.
pub struct Running {
    /// One for every stored channel.
    pub mean: *mut f32,
    /// Sum of squared distances from the mean, for every stored channel.
    pub squares: *mut f32,
    /// Minimum and maximum of every stored channel, if they are needed.
    pub extremes: Option<(*mut f32, *mut f32)>,
    pub count: usize,
}

impl Running {
    /// Statistics of no pixels, in this memory.
    pub fn of(mean: &mut [f32], squares: &mut [f32]) -> Self {
        let (mean, squares) = (mean.as_mut_ptr(), squares.as_mut_ptr());
        Self { mean, squares, extremes: None, count: 0 }
    }

    /// The same for the channels from `first`, without extremes.
    #[inline(always)]
    pub fn starting_at(&self, first: usize) -> Self {
        let (mean, squares) = (self.mean.at(first), self.squares.at(first));
        Self { mean, squares, extremes: None, count: self.count }
    }

    /// Adds `pixels` pixels of `channels` values each. Pixels are `stride` values apart.
    ///
    /// # Safety
    /// As [`Simd`]; `from` is valid for all pixels, `mean` and `squares` for `channels` values. `channels` is a
    /// multiple of `S::LANES`.
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
                // Distances from the first value. A sum of large values would lose the digits in which they differ.
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
                if let Some((low, high)) = self.extremes {
                    let (low, high) = (low.at(c), high.at(c));
                    let mut range = match self.count {
                        0 => (first, first),
                        _ => (S::load(low), S::load(high)),
                    };
                    for p in 0..pixels {
                        let value = S::load(column.at(p * stride));
                        range = (S::min(value, range.0), S::max(value, range.1));
                    }
                    S::store(low, range.0);
                    S::store(high, range.1);
                }
                c += S::LANES;
            }
        }
        self.count += pixels;
    }

    /// Writes the result to `part`: count, means, squared distances, and extremes if they are needed.
    ///
    /// # Safety
    /// All pointers are valid for `channels` values.
    #[inline(always)]
    pub unsafe fn write(&self, part: &mut [f32], channels: usize) {
        let (part_count, values) = part.split_at_mut(1);
        part_count[0] = self.count as f32;
        let extremes = self.extremes.into_iter().flat_map(|(low, high)| [low, high]);
        let rows = [self.mean, self.squares].into_iter().chain(extremes);
        for (to, from) in values.chunks_exact_mut(channels).zip(rows) {
            // SAFETY: the caller's promise.
            to.copy_from_slice(unsafe { std::slice::from_raw_parts(from, channels) });
        }
    }
}

/// The extremes of what a layer reads in each strip of rows of its map: the minimum of every stored channel, then the
/// maximum of every stored channel.
pub struct Extremes<'a> {
    pub map: &'a MapInput,
    pub parts: Shared,
}

impl Tasks for Extremes<'_> {
    fn count(&self) -> usize {
        self.map.height.div_ceil(strip_rows(self.map.height))
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, _: &mut [f32], _: Tiles) {
        let Self { map, parts } = self;
        let strip = strip_rows(map.height);
        // SAFETY: every task has its own part.
        let part = unsafe { parts.slice_mut(task * 2 * map.channels, 2 * map.channels) };
        let (low, high) = part.split_at_mut(map.channels);
        low.fill(f32::INFINITY);
        high.fill(f32::NEG_INFINITY);
        let first = task * strip * map.width;
        let end = map.height.min((task + 1) * strip) * map.width;
        // Few enough pixels that their cache lines stay in cache while all channels are read.
        for start in (first..end).step_by(CACHED_PIXELS) {
            for c in (0..map.channels).step_by(S::LANES) {
                // SAFETY: nothing writes the map; stored channels are whole vectors.
                unsafe {
                    let (low, high) = (low.as_mut_ptr().at(c), high.as_mut_ptr().at(c));
                    let (mut least, mut largest) = (S::load(low), S::load(high));
                    for pixel in start..(start + CACHED_PIXELS).min(end) {
                        let value = map.value::<S>(pixel, c);
                        least = S::min(value, least);
                        largest = S::max(value, largest);
                    }
                    S::store(low, least);
                    S::store(high, largest);
                }
            }
        }
    }
}

/// Pixels whose channels are read in turn.
const CACHED_PIXELS: usize = 16;

/// Values in one task's part for `channels` stored channels, with or without extremes.
pub const fn part_len(channels: usize, has_extremes: bool) -> usize {
    1 + if has_extremes { 4 } else { 2 } * channels
}

/// What an instance norm does to each stored channel: `value * scale + shift`.
#[derive(Clone, Debug, Default)]
pub struct ScaleShift {
    /// gamma / sqrt(variance + eps); zero for padding channels.
    pub scale: Vec<f32>,
    /// beta - mean * scale; zero for padding channels.
    pub shift: Vec<f32>,
    /// Minimum and maximum after the norm; empty if they were not computed.
    pub extremes: Vec<(f32, f32)>,
}

/// Merges the parts of all tasks, in order, into the scale and shift of each channel. `result` keeps its memory from
/// run to run.
pub fn finish(
    parts: &[f32],
    (channels, has_extremes): (usize, bool),
    (norm, eps): &(NodeWeights, f64),
    result: &mut ScaleShift,
) {
    let len = part_len(channels, has_extremes);
    result.scale.resize(channels, 0.0);
    result.shift.resize(channels, 0.0);
    for (c, (&gamma, &beta)) in norm.weight.iter().zip(&norm.bias).enumerate() {
        let (mean, variance) = merged(parts, (channels, len), c);
        let scale = f64::from(gamma) / (variance + eps).sqrt();
        result.scale[c] = scale as f32;
        result.shift[c] = (f64::from(beta) - mean * scale) as f32;
    }
    if has_extremes {
        let own = (parts.chunks_exact(len)).map(|part| part[1 + 2 * channels..].split_at(channels));
        let raw = merged_extremes(own, channels);
        let normed = raw.into_iter().zip(result.scale.iter().zip(&result.shift));
        result.extremes.clear();
        (result.extremes).extend(normed.map(|((low, high), (scale, shift))| {
            let ends = [low.mul_add(*scale, *shift), high.mul_add(*scale, *shift)];
            (ends[0].min(ends[1]), ends[0].max(ends[1]))
        }));
    }
}

/// The extremes of every channel over the parts of all tasks. Each part contains the minima and then the maxima.
pub fn merged_extremes<'a>(
    parts: impl Iterator<Item = (&'a [f32], &'a [f32])>,
    channels: usize,
) -> Vec<(f32, f32)> {
    let mut merged = vec![(f32::INFINITY, f32::NEG_INFINITY); channels];
    for (low, high) in parts {
        for (both, (low, high)) in merged.iter_mut().zip(low.iter().zip(high)) {
            *both = (both.0.min(*low), both.1.max(*high));
        }
    }
    merged
}

/// Mean and biased variance of channel `c`, merged in order over the parts of all tasks. Each part has `len` values.
pub fn merged(parts: &[f32], (channels, len): (usize, usize), c: usize) -> (f64, f64) {
    let (mut count, mut mean, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for part in parts.chunks_exact(len) {
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
