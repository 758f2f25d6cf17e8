//! Elementwise passes: a chain of operations on pixels of a row, and operations on two maps.

use super::{
    super::{
        kernel::{Kernel, Tiles},
        simd::Simd,
    },
    functions,
    run::Run,
};
use network::graph::{Arithmetic, Op};
use plan::cpu::{MapId, general::Pointwise};

/// A chain of operations on pixels `first..end` of a row, in place. The pixels belong to the caller's task.
struct Chain<'a> {
    run: &'a Run<'a>,
    chain: &'a [Pointwise],
    map: MapId,
    y: usize,
    pixels: (usize, usize),
}

/// Runs a chain in place on pixels `first..end` of row `y` of a map.
///
/// # Safety
/// The instruction set is available, and the pixels belong to the caller's task.
pub unsafe fn apply(
    run: &Run<'_>,
    chain: &[Pointwise],
    map: MapId,
    y: usize,
    pixels: (usize, usize),
) {
    // SAFETY: the caller's promise.
    unsafe { run.instructions.run(Chain { run, chain, map, y, pixels }) }
}

impl Kernel for Chain<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self, _: Tiles) {
        let Self { run, chain, map, y, pixels } = self;
        let stored = run.maps[map].stored_channels;
        let channels = run.maps[map].shape.channels;
        // SAFETY: the caller's promise; operands are other maps, which no task of the step writes.
        let row = unsafe { run.pixels_mut(map, y, pixels) };
        for pass in chain {
            let own = || &run.weights.values[pass.values];
            match (pass.op, pass.operand) {
                (Op::Affine, _) => {
                    let own = own();
                    for pixel in row.chunks_exact_mut(stored) {
                        for ((v, scale), shift) in pixel.iter_mut().zip(&own.weight).zip(&own.bias)
                        {
                            *v = *v * scale + shift;
                        }
                    }
                }
                (Op::InstanceNorm { .. }, Some(statistics)) => {
                    let shifts = &own().bias;
                    // SAFETY: no task of the step writes them.
                    let (means, scales) =
                        unsafe { (run.pixels(statistics, 0, (0, 1)), run.row(pass.scales, 0)) };
                    for pixel in row.chunks_exact_mut(stored) {
                        let own = means.iter().zip(scales).zip(shifts);
                        for (v, ((mean, scale), shift)) in pixel.iter_mut().zip(own) {
                            *v = (*v - mean) * scale + shift;
                        }
                    }
                }
                (Op::LayerNorm { eps }, _) => {
                    let own = own();
                    for pixel in row.chunks_exact_mut(stored) {
                        layer_norm(pixel, channels, eps, (&own.weight, &own.bias));
                    }
                }
                (Op::Positions, _) => {
                    for (x, pixel) in (pixels.0..).zip(row.chunks_exact_mut(stored)) {
                        add_position(&mut pixel[..channels], y, x);
                    }
                }
                (Op::Relu, _) => {
                    for v in row.iter_mut() {
                        *v = if *v < 0.0 { 0.0 } else { *v };
                    }
                }
                (Op::Prelu, _) => {
                    let slopes = &own().weight;
                    for pixel in row.chunks_exact_mut(stored) {
                        for (v, slope) in pixel.iter_mut().zip(slopes) {
                            *v = if *v < 0.0 { slope * *v } else { *v };
                        }
                    }
                }
                // SAFETY: pixels are whole vectors.
                (Op::Function(function), _) => unsafe { functions::apply::<S>(function, row) },
                (_, Some(other)) => {
                    // SAFETY: as above.
                    let other = unsafe { run.pixels(other, y, pixels) };
                    for (v, add) in row.iter_mut().zip(other) {
                        *v += add;
                    }
                }
                // The planner chains no other operations.
                (_, None) => {}
            }
        }
        if !chain.iter().all(Pointwise::keeps_zero) {
            clear_padding(row, channels, stored);
        }
    }
}

/// Number of partial sums over channels. Several sums can be vectorised and are more precise than a single one.
const LANES: usize = 16;

/// The sum of `of` over the values of a pixel.
#[inline(always)]
fn sum_of(values: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let whole = values.chunks_exact(LANES);
    let rest: f64 = whole.remainder().iter().map(|&v| f64::from(of(v))).sum();
    for chunk in whole {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane += of(v);
        }
    }
    rest + lanes.iter().map(|&v| f64::from(v)).sum::<f64>()
}

/// Subtracts the mean of a pixel's values and divides by their standard deviation. Scales and shifts of padding
/// channels are zero.
#[inline(always)]
fn layer_norm(pixel: &mut [f32], channels: usize, eps: f64, (scale, shift): (&[f32], &[f32])) {
    let mean = (sum_of(&pixel[..channels], |v| v) / channels as f64) as f32;
    let variance = sum_of(&pixel[..channels], |v| (v - mean) * (v - mean)) / channels as f64;
    let inverse = (1.0 / (variance + eps).sqrt()) as f32;
    for ((v, scale), shift) in pixel.iter_mut().zip(scale).zip(shift) {
        *v = (*v - mean) * inverse * scale + shift;
    }
}

/// Adds a position encoding as pairs of sine and cosine: the pixel's row to the first half of its channels, and its
/// column to the second half.
fn add_position(pixel: &mut [f32], y: usize, x: usize) {
    let half = pixel.len() / 2;
    for (side, part) in [y, x].into_iter().zip(pixel.chunks_exact_mut(half)) {
        for (at, pair) in part.chunks_exact_mut(2).enumerate() {
            let rate = 10_000f64.powf(-((2 * at) as f64) / half as f64);
            let (sine, cosine) = (side as f64 * rate).sin_cos();
            pair[0] += sine as f32;
            pair[1] += cosine as f32;
        }
    }
}

/// Sets the padding channels to zero.
#[inline(always)]
pub fn clear_padding(row: &mut [f32], channels: usize, stored: usize) {
    if channels < stored {
        for pixel in row.chunks_exact_mut(stored) {
            pixel[channels..].fill(0.0);
        }
    }
}

/// Combines one row of two maps value by value.
///
/// # Safety
/// The row belongs to the caller's task.
#[inline(always)]
pub unsafe fn combine(
    run: &Run<'_>,
    arithmetic: Arithmetic,
    from: [MapId; 2],
    to: MapId,
    y: usize,
) {
    match arithmetic {
        // SAFETY: the caller's promise.
        Arithmetic::Sum => unsafe { combined(run, from, to, y, |a, b| a + b) },
        // SAFETY: as above.
        Arithmetic::Difference => unsafe { combined(run, from, to, y, |a, b| a - b) },
        // SAFETY: as above.
        Arithmetic::Product => unsafe { combined(run, from, to, y, |a, b| a * b) },
        // SAFETY: as above.
        Arithmetic::Quotient => unsafe { combined(run, from, to, y, |a, b| a / b) },
    }
}

#[inline(always)]
unsafe fn combined(
    run: &Run<'_>,
    from: [MapId; 2],
    to: MapId,
    y: usize,
    of: impl Fn(f32, f32) -> f32,
) {
    let result = run.maps[to];
    let stored = result.stored_channels;
    // SAFETY: inputs are other maps, which no task of the step writes; the row is the caller's.
    let (a, b, row) = unsafe {
        let of_row = |map: MapId| run.row(map, y.min(run.maps[map].shape.height - 1));
        (of_row(from[0]), of_row(from[1]), run.row_mut(to, y))
    };
    let [a_map, b_map] = from.map(|map| run.maps[map]);
    let is_one = |channels: usize| channels == 1 && result.shape.channels > 1;
    let (a_one, b_one) = (is_one(a_map.shape.channels), is_one(b_map.shape.channels));
    for (x, pixel) in row.chunks_exact_mut(stored).enumerate() {
        let a = &a[x.min(a_map.shape.width - 1) * a_map.stored_channels..];
        let b = &b[x.min(b_map.shape.width - 1) * b_map.stored_channels..];
        match (a_one, b_one) {
            (false, false) => {
                for ((v, &a), &b) in pixel.iter_mut().zip(a).zip(b) {
                    *v = of(a, b);
                }
            }
            (true, _) => {
                for (v, &b) in pixel.iter_mut().zip(b) {
                    *v = of(a[0], b);
                }
            }
            (_, true) => {
                for (v, &a) in pixel.iter_mut().zip(a) {
                    *v = of(a, b[0]);
                }
            }
        }
    }
    clear_padding(row, result.shape.channels, stored);
}
