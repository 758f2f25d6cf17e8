//! Weights in the order in which the kernels' main loops read them, rounded to the operand type.

use network::quantisation::IntegerWeights;
use plan::{
    ConvLayer,
    cuda::{ConvLaunch, ConvolutionShape, MainLoop, Taps, step_channels, step_products},
    phase_taps,
};
use values::numeric::{NumberFormat, two_halves};

/// The weights of one convolution as bytes.
///
/// Order: channel tile, phase, chunk, block of steps. Within a block, the order is `[output channel][step][channel]` on
/// tensor cores, `[step][16 bytes of channels][output channel]` on Hopper's, otherwise `[step and channel][output
/// channel]`. Missing values are zero. Sums of two halves are stored twice: for all steps first the remainders, then
/// the nearest halves. Each pack of channels is stored twice, because it multiplies both halves of the input.
/// halves of the input.
/// For bytes, the weights are the integers that [`IntegerWeights`] computes for an input whose channels all have the
/// same step. They are followed, for every channel tile, by its channels' scales and the sums of their integers.
/// every channel tile its channels' scales, and the sums of their integers.
pub fn pack(conv: &ConvLayer, weights: &[f32], launch: &ConvLaunch) -> Vec<u8> {
    let operand = launch.operand;
    let rounded;
    let mut scales = Vec::new();
    let weights = match (operand, launch.taps) {
        (NumberFormat::Int8, _) => {
            let inputs = (conv.in_channels, conv.in_channels);
            let mut integers =
                IntegerWeights::new(weights, conv.out_channels, conv.kernel, inputs, false);
            integers.fit(&vec![1.0; conv.in_channels]);
            rounded = integers.in_order(|_, _, integer| f32::from(integer));
            scales = integers.scale;
            &rounded
        }
        (NumberFormat::Fp32, _) => weights,
        (_, Taps::FourPhase) => {
            rounded = on_common_grid(weights, operand.fraction_bits() as i32);
            &rounded
        }
        _ => weights,
    };
    let kernel = Kernel { conv, weights, launch };
    let step = step_channels(operand);
    let steps_per_tap = launch.chunking.channels / step;
    let (steps, blocks) = (launch.steps(), launch.blocks());
    let steps_once = steps / step_products(operand);
    let (n, block_steps) = (launch.product_columns(), launch.block_steps());
    let mut packed = Vec::with_capacity(launch.weight_bytes());
    for tile in 0..launch.ctas.1 {
        for phase in 0..launch.phases {
            for chunk in 0..launch.chunking.chunks {
                for block in 0..blocks {
                    // One value of a block: its channel, and the output channel.
                    let value = |k: usize, out: usize| {
                        let at = block_steps * block + k / step;
                        if at >= steps {
                            return 0.0;
                        }
                        let at = at % steps_once;
                        let (tap, inner) = (at / steps_per_tap, at % steps_per_tap);
                        let (ty, tx) = (tap / launch.tap_grid.1, tap % launch.tap_grid.1);
                        let channel = chunk * launch.chunking.channels + inner * step + k % step;
                        kernel.value(tile * n + out, channel, phase, ty, tx)
                    };
                    // Channels of a block, step after step.
                    let depth = block_steps * step;
                    let cell = match launch.main_loop {
                        MainLoop::Fma => 1,
                        MainLoop::Mma => depth,
                        MainLoop::Wgmma => 16 / operand.bytes(),
                    };
                    for first in (0..depth).step_by(cell) {
                        for out in 0..n {
                            let values = (first..first + cell).map(|k| value(k, out));
                            if operand == NumberFormat::Fp16x2 {
                                // The nearest half, or the remainder.
                                let is_rest = block_steps * block + first / step < steps_once;
                                let halves: Vec<[u8; 2]> = values
                                    .map(|v| two_halves(v)[usize::from(is_rest)].to_le_bytes())
                                    .collect();
                                packed.extend(halves.repeat(2).as_flattened());
                            } else {
                                values.for_each(|v| operand.push(&mut packed, v));
                            }
                        }
                    }
                }
            }
        }
    }
    if operand == NumberFormat::Int8 {
        let own = conv.in_channels * conv.kernel * conv.kernel;
        for first in (0..launch.ctas.1 * n).step_by(n) {
            let scale = |channel: usize| scales.get(channel).copied().unwrap_or_default();
            let sum = |channel: usize| -> i32 {
                weights
                    .get(channel * own..(channel + 1) * own)
                    .unwrap_or_default()
                    .iter()
                    .map(|&w| w as i32)
                    .sum()
            };
            packed.extend((first..first + n).flat_map(|channel| scale(channel).to_le_bytes()));
            packed.extend((first..first + n).flat_map(|channel| sum(channel).to_le_bytes()));
        }
    }
    packed
}

/// Rounds the weights of 3x3 kernels so that every sum of them in a phase is exact.
///
/// If the weights were rounded separately, the phases' sums would add up to slightly different totals. On a uniform
/// area each phase would have a different level, and a norm over a uniform picture would amplify that to the strength
/// of a real signal. On a common grid all totals are equal.
fn on_common_grid(weights: &[f32], fraction_bits: i32) -> Vec<f32> {
    /// Exponent of the smallest step of fp16.
    const LEAST: i32 = -24;
    let mut rounded = Vec::with_capacity(weights.len());
    for kernel in weights.chunks_exact(9) {
        let tap = |phase: usize, tap: usize| -> f32 {
            phase_taps(phase >> 1, tap >> 1)
                .flat_map(|y| phase_taps(phase & 1, tap & 1).map(move |x| kernel[3 * y + x]))
                .sum()
        };
        let largest = (0..16).map(|i| tap(i / 4, i % 4).abs()).fold(0.0, f32::max);
        let exponent =
            (largest.max(f32::MIN_POSITIVE).log2().floor() as i32 - fraction_bits).max(LEAST);
        let step = 2f32.powi(exponent);
        rounded.extend(kernel.iter().map(|w| (w / step).round() * step));
    }
    rounded
}

/// A convolution's weights by output channel, input channel, phase and tap of the launch.
struct Kernel<'a> {
    conv: &'a ConvLayer,
    weights: &'a [f32],
    launch: &'a ConvLaunch,
}

impl Kernel<'_> {
    fn at(&self, out: usize, input: usize, y: usize, x: usize) -> f32 {
        if out >= self.conv.out_channels || input >= self.conv.in_channels {
            return 0.0;
        }
        self.weights
            [((out * self.conv.in_channels + input) * self.conv.kernel + y) * self.conv.kernel + x]
    }

    /// The weight of a colour of the pixel that is `x` columns from the kernel's left edge.
    fn of_photo(&self, out: usize, ty: usize, x: usize, colour: usize) -> f32 {
        if x < self.conv.kernel && ty < self.conv.kernel && colour < 3 {
            self.at(out, colour, ty, x)
        } else {
            0.0
        }
    }

    fn value(&self, out: usize, channel: usize, phase: usize, ty: usize, tx: usize) -> f32 {
        match self.launch.taps {
            Taps::Direct => self.at(out, channel, ty, tx),
            Taps::FourPhase => {
                let mut sum = 0.0;
                for y in phase_taps(phase >> 1, ty) {
                    for x in phase_taps(phase & 1, tx) {
                        sum += self.at(out, channel, y, x);
                    }
                }
                sum
            }
            Taps::PhotoRows => self.of_photo(out, ty, channel / 3, channel % 3),
            Taps::PhotoColumns => {
                let tile = self.launch.tile.channels;
                let (row, out) = (out / tile, out % tile);
                (channel / 3)
                    .checked_sub(row)
                    .map_or(0.0, |y| self.of_photo(out, y, tx, channel % 3))
            }
            Taps::ShiftedColumns => {
                let side = self.conv.kernel;
                let (row, of_row) = (out / (3 * side), out % (3 * side));
                // The last columns only fill up a product.
                let y = ty.checked_sub(row).filter(|&y| y < side);
                let rows_together = self.launch.taps.rows_together(self.launch.main_loop);
                match y.filter(|_| row < rows_together) {
                    Some(y) => self.at(of_row % 3, channel, y, of_row / 3),
                    None => 0.0,
                }
            }
        }
    }
}

/// A convolution's weights as a library reads them: (output channel, row, column, input channel), in the type in which
/// maps are stored. Padding channels are zero.
pub fn pack_for_library(conv: &ConvLayer, weights: &[f32], shape: &ConvolutionShape) -> Vec<u8> {
    let (side, inputs, outputs) = (conv.kernel, conv.in_channels, conv.out_channels);
    let storage = shape.format.storage;
    let mut packed = Vec::with_capacity(shape.weight_bytes());
    for out in 0..shape.out_channels {
        for tap in 0..side * side {
            for input in 0..shape.in_channels {
                let exists = out < outputs && input < inputs;
                let at = (out * inputs + input) * side * side + tap;
                let value = if exists { weights[at] } else { 0.0 };
                storage.push(&mut packed, value);
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::{graph::Op, models::johnson::NetworkSpec};
    use plan::cuda::{CudaOp, CudaPlan, DeviceLimits};
    use values::mode::{Mode, Precision, Variant};

    #[test]
    fn phases_add_up_to_the_same_total() {
        let kernel = [0.31, -0.002, 0.77, 1.3, -0.4, 0.05, 0.011, 0.6, -1.01];
        let rounded = on_common_grid(&kernel, 10);
        for (a, b) in kernel.iter().zip(&rounded) {
            assert!((a - b).abs() <= 2f32.powi(-10), "{a} {b}");
        }
        for phase in 0..4 {
            let mut total = 0.0f32;
            for tap in 0..4 {
                let sum: f32 = phase_taps(phase >> 1, tap >> 1)
                    .flat_map(|y| phase_taps(phase & 1, tap & 1).map(move |x| (y, x)))
                    .map(|(y, x)| rounded[3 * y + x])
                    .sum();
                assert_eq!(half::f16::from_f32(sum).to_f32(), sum, "not exact");
                total += sum;
            }
            assert_eq!(total, rounded.iter().sum::<f32>());
        }
    }

    /// On Hopper, the first and the last layer have two output rows as columns of one product.
    #[test]
    fn rows_of_one_product_have_the_kernel_moved_by_a_row() {
        const SIDE: usize = 9;
        let limits = DeviceLimits {
            compute_capability: (9, 0),
            multiprocessors: 132,
            shared_bytes_per_cta: 227 << 10,
            shared_bytes_per_multiprocessor: 228 << 10,
        };
        let graph = NetworkSpec::with_widths([32, 64, 128]).graph().expect("a graph");
        let mode = Mode::new(Variant::Fused, Precision::Fp16);
        let plan = CudaPlan::new(&graph, (128, 128), 1, mode, &limits).expect("a plan");
        for at in [0, plan.steps.len() - 1] {
            let CudaOp::Conv(launch) = &plan.steps[at].op else {
                panic!("{at} is no convolution");
            };
            let conv = &plan.convs[launch.conv];
            let inputs = conv.in_channels;
            // Integers that fp16 can represent.
            let weights: Vec<f32> =
                (0..conv.out_channels * inputs * SIDE * SIDE).map(|i| (i % 2039) as f32).collect();
            let packed = pack(conv, &weights, launch);
            let columns = launch.product_columns();
            let channels = launch.chunking.channels;
            let taps = if at == 0 { SIDE } else { SIDE + 1 };
            assert_eq!(packed.len(), 2 * columns * channels * taps);
            let packed_at = |tap: usize, channel: usize, column: usize| {
                let k = tap * channels + channel;
                let bytes = 2 * (k / 8 * columns * 8 + column * 8 + k % 8);
                half::f16::from_le_bytes([packed[bytes], packed[bytes + 1]]).to_f32()
            };
            let weight = |out: usize, input: usize, y: usize, x: usize| {
                weights[((out * inputs + input) * SIDE + y) * SIDE + x]
            };
            for (tap, channel, column) in (0..taps).flat_map(|tap| {
                (0..channels).flat_map(move |c| (0..columns).map(move |column| (tap, c, column)))
            }) {
                let inside = |y: usize, row: usize| (row..row + SIDE).contains(&y);
                let expected = if at == 0 {
                    let (row, out, y) = (column / 32, column % 32, channel / 3);
                    inside(y, row).then(|| weight(out, channel % 3, y - row, tap))
                } else {
                    let (row, of_row) = (column / 27, column % 27);
                    (row < 2 && inside(tap, row))
                        .then(|| weight(of_row % 3, channel, tap - row, of_row / 3))
                };
                let found = packed_at(tap, channel, column);
                assert_eq!(found, expected.unwrap_or(0.0), "{tap} {channel} {column}");
            }
        }
    }

    /// Both halves of a number are multiplied by both halves of its weight.
    #[test]
    fn sums_of_two_halves_are_packed_rest_first() {
        let limits = DeviceLimits {
            compute_capability: (9, 0),
            multiprocessors: 132,
            shared_bytes_per_cta: 227 << 10,
            shared_bytes_per_multiprocessor: 228 << 10,
        };
        let graph = NetworkSpec::with_widths([32, 64, 128]).graph();
        let mode = Mode::new(Variant::Fused, Precision::Fp16x2);
        let plan =
            CudaPlan::new(&graph.expect("a graph"), (128, 128), 1, mode, &limits).expect("a plan");
        let CudaOp::Conv(launch) = &plan.steps[3].op else {
            panic!("no convolution");
        };
        let conv = &plan.convs[launch.conv];
        let channels = conv.in_channels;
        let weights: Vec<f32> =
            (0..conv.out_channels * channels * 9).map(|i| (i as f32 * 0.37).sin()).collect();
        let packed = pack(conv, &weights, launch);
        assert_eq!(packed.len(), launch.weight_bytes());
        let half_at =
            |bytes: usize| half::f16::from_le_bytes([packed[bytes], packed[bytes + 1]]).to_f32();
        let columns = launch.product_columns();
        for (tap, channel, out) in [(0, 0, 0), (4, 5, 77), (8, channels - 1, 127)] {
            let pack_of = |part: usize| {
                let k = (part * 9 + tap) * channels + channel;
                (k / 4 * columns + out) * 16 + k % 4 * 2
            };
            let weight = weights[(out * channels + channel) * 9 + tap];
            let [nearest, rest] = two_halves(weight).map(half::f16::to_f32);
            for (part, expected) in [(0, rest), (1, nearest)] {
                let at = pack_of(part);
                assert_eq!((half_at(at), half_at(at + 8)), (expected, expected), "{tap} {part}");
            }
        }
    }

    #[test]
    fn phases_use_every_tap_once() {
        for phase in 0..2 {
            let taps: Vec<usize> = (0..2).flat_map(|t| phase_taps(phase, t)).collect();
            assert_eq!(taps, [0, 1, 2]);
        }
    }

    /// A layer from three channels to five, with a kernel of nine pixels.
    fn layer() -> ConvLayer {
        let mut graph = network::graph::Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let op = Op::Conv2d(network::graph::Conv::square(3, 5, 9, 1));
        graph.add("conv", "", op, &[photo]).expect("an input");
        ConvLayer::of_graph(&graph).remove(0)
    }

    #[test]
    fn weights_are_channels_last_with_zeros_in_padding_channels() {
        let conv = &layer();
        let (inputs, outputs, side) = (conv.in_channels, conv.out_channels, conv.kernel);
        let count = outputs * inputs * side * side;
        let plain: Vec<f32> = (1..=count).map(|v| v as f32).collect();
        let shape = ConvolutionShape {
            batch: 1,
            height: 20,
            width: 20,
            in_channels: 4,
            out_channels: 16,
            kernel: side,
            stride: 1,
            format: Precision::Tf32.format(),
        };
        let bytes = pack_for_library(conv, &plain, &shape);
        assert_eq!(bytes.len(), shape.weight_bytes());
        let value = |at: usize| f32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[4 * at + i]));
        let mut seen = 0;
        for out in 0..16 {
            for y in 0..side {
                for x in 0..side {
                    for input in 0..4 {
                        let packed = value(((out * side + y) * side + x) * 4 + input);
                        let exists = out < outputs && input < inputs;
                        let at = ((out * inputs + input) * side + y) * side + x;
                        assert_eq!(packed, if exists { plain[at] } else { 0.0 });
                        seen += usize::from(exists);
                    }
                }
            }
        }
        assert_eq!(seen, count);
        let half = ConvolutionShape { format: Precision::Fp16.format(), ..shape };
        let bytes = pack_for_library(conv, &plain, &half);
        assert_eq!(bytes.len(), half.weight_bytes());
        let first = half::f16::from_le_bytes([bytes[0], bytes[1]]);
        assert_eq!(first.to_f32(), 1.0);
    }
}
