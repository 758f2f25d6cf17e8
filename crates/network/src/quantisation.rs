//! Int8: converts a network's maps to bytes before a convolution, and its weights to small integers.
//!
//! A channel's values are `low + step * byte`, from its minimum to its maximum in this picture. A weight is
//! `scale of its output channel * integer / step of its input channel`, and sums of `byte * integer` are exact in 32
//! bits. The constant `low` adds a constant to every sum; a norm after the convolution subtracts it again.
//!
//! Ranges are computed for each picture. Fixed ranges (eight deviations around the mean that a norm returns) would need
//! no fitting of weights before a run, but pictures differ too much. If most of a picture is black, a few pixels are
//! far from the mean of their channel; such a painting reached only 22 to 28 dB instead of 37 and more. On a GPU
//! fitting the weights for each picture would delay everything. It therefore uses one step for all channels of a tile
//! (`kernels/bytes.cuh`), and weights fitted to that.

use rayon::prelude::*;

/// Maximum factor of a product.
const MAX_FACTOR: f32 = 127.0;
/// Maximum sum of weights, before rounding, if an upsampling is folded into a kernel. Rounding four weights adds at
/// most two ([`IntegerWeights::fit`]).
const MAX_SUM: f32 = 125.0;
/// Maximum integer of a weight that is only used as a part of a sum. Other weights of the sum may cancel it.
const MAX_SUMMED: f32 = 32_000.0;
/// Minimum step, for a channel whose values are all equal.
const MIN_STEP: f32 = 1e-12;
/// Adding this to a small number rounds it to a whole number, ties to even.
const TO_WHOLE: f32 = (3 << 22) as f32;

/// How each input channel of a convolution is converted: `byte = round((value - low) / step)`, from 0 to 255.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputRange {
    /// The value of byte 0, by channel.
    pub low: Vec<f32>,
    /// The difference between consecutive bytes, by channel.
    pub step: Vec<f32>,
}

impl InputRange {
    /// The range of a photo, whose levels are already bytes.
    pub fn levels(channels: usize) -> Self {
        Self { low: vec![0.0; channels], step: vec![1.0; channels] }
    }

    /// From the minimum to the maximum of each channel.
    pub fn between(extremes: impl Iterator<Item = (f32, f32)>) -> Self {
        let step = |(low, high): (f32, f32)| (low, ((high - low) / 255.0).max(MIN_STEP));
        let (low, step) = extremes.map(step).unzip();
        Self { low, step }
    }

    /// The value of a channel's byte.
    pub fn value(&self, channel: usize, byte: u8) -> f32 {
        self.low[channel] + self.step[channel] * f32::from(byte)
    }

    /// The byte for a channel's value; 0 for NaN.
    pub fn byte(&self, channel: usize, value: f32) -> u8 {
        ((value - self.low[channel]) * self.step[channel].recip()).round_ties_even() as u8
    }
}

/// A convolution's weights, and their integers for the steps of an input. Integers are factors that fit into a byte, or
/// parts of such a factor if an upsampling is folded into the kernel.
#[derive(Clone, Debug)]
pub struct IntegerWeights {
    /// The weights: `[out][row][column][stored in]`.
    source: Vec<f32>,
    /// In the same order.
    integers: Vec<i16>,
    /// Factor of a sum of `byte * integer`, by output channel.
    pub scale: Vec<f32>,
    /// Number of input channels, and of stored channels; the additional stored ones have weight 0.
    inputs: (usize, usize),
    kernel: usize,
    is_upsampled_3x3: bool,
}

impl IntegerWeights {
    /// `weights` are a convolution's `[out][in][row][column]`; the integers are not fitted yet. With
    /// `is_upsampled_3x3`, an upsampling by two is folded into a 3x3 kernel.
    pub fn new(
        weights: &[f32],
        outputs: usize,
        kernel: usize,
        inputs: (usize, usize),
        is_upsampled_3x3: bool,
    ) -> Self {
        let taps = kernel * kernel;
        let mut source = vec![0.0; outputs * taps * inputs.1];
        for (at, &weight) in weights.iter().enumerate() {
            let (output, input, tap) = (at / taps / inputs.0, at / taps % inputs.0, at % taps);
            source[(output * taps + tap) * inputs.1 + input] = weight;
        }
        Self {
            integers: vec![0; source.len()],
            source,
            scale: vec![0.0; outputs],
            inputs,
            kernel,
            is_upsampled_3x3,
        }
    }

    /// Computes the integers for an input with these steps, one per stored channel, with one scale per output channel.
    ///
    /// The rounding error of a weight is carried over to the next one of its kernel, row by row in alternating
    /// direction. So the sum of a kernel keeps its value, and with it the convolution's response to large shapes. This
    /// is twice as precise (4 to 6 dB) as rounding each weight alone.
    ///
    /// If an upsampling by two is folded into a 3x3 kernel, up to four weights become one, and all are rounded so that
    /// these sums fit as well. All four phases then have the same total, and a flat area stays flat.
    pub fn fit(&mut self, step: &[f32]) {
        let (kernel, stored) = (self.kernel, self.inputs.1);
        let is_summed = self.is_upsampled_3x3;
        let own = kernel * kernel * stored;
        let outputs = (self.source.par_chunks_exact(own))
            .zip(self.integers.par_chunks_exact_mut(own))
            .zip(&mut self.scale);
        outputs.for_each(|((source, integers), scale)| {
            let (largest, limit) = if is_summed {
                (largest_phase_sum(source, step), MAX_SUM)
            } else {
                (largest_weight(source, step), MAX_FACTOR)
            };
            *scale = (largest / limit).max(f32::MIN_POSITIVE);
            let most = if is_summed { MAX_SUMMED } else { MAX_FACTOR };
            let rounding = Rounding { kernel, per_scale: scale.recip(), most };
            let whole = stored / LANES * LANES;
            for input in (0..whole).step_by(LANES) {
                rounding.round::<LANES>(source, step, input, integers);
            }
            for input in whole..stored {
                rounding.round::<1>(source, step, input, integers);
            }
        });
    }

    /// The integers of all stored channels for one output channel and one tap (row * kernel + column).
    pub fn of_tap(&self, output: usize, tap: usize) -> &[i16] {
        let stored = self.inputs.1;
        &self.integers[(output * self.kernel * self.kernel + tap) * stored..][..stored]
    }

    /// What an input of only its lowest values adds to an output channel.
    pub fn constant(&self, output: usize, range: &InputRange) -> f32 {
        let taps = self.kernel * self.kernel;
        let lows = range.low.iter().zip(&range.step).enumerate();
        let of_input = |(input, (&low, &step)): (usize, (&f32, &f32))| {
            let taps = (0..taps).map(|tap| i32::from(self.of_tap(output, tap)[input]));
            f64::from(taps.sum::<i32>()) * f64::from(low) / f64::from(step)
        };
        (lows.map(of_input).sum::<f64>() * f64::from(self.scale[output])) as f32
    }

    /// The weights that the integers represent, `[out][in][row][column]`.
    pub fn values(&self, step: &[f32]) -> Vec<f64> {
        self.in_order(|output, input, integer| {
            let unit = f64::from(self.scale[output]) / f64::from(step[input]);
            f64::from(integer) * unit
        })
    }

    /// Calls `make` with each output channel, input channel and integer: `[out][in][row][column]`.
    pub fn in_order<T>(&self, make: impl Fn(usize, usize, i16) -> T) -> Vec<T> {
        let taps = self.kernel * self.kernel;
        let (count, _) = self.inputs;
        let at = |at: usize| {
            let (output, input) = (at / taps / count, at / taps % count);
            make(output, input, self.of_tap(output, at % taps)[input])
        };
        (0..self.scale.len() * count * taps).map(at).collect()
    }
}

/// Input channels that are fitted at once.
const LANES: usize = 8;

/// Taps in the order of rounding: row by row in alternating direction.
fn taps_in_turn(kernel: usize) -> impl Iterator<Item = usize> {
    (0..kernel * kernel).map(move |at| match at / kernel % 2 {
        0 => at,
        _ => at / kernel * kernel + kernel - 1 - at % kernel,
    })
}

/// Rounds the kernels of one output channel.
struct Rounding {
    kernel: usize,
    /// 1 / the channel's scale.
    per_scale: f32,
    /// Maximum integer.
    most: f32,
}

impl Rounding {
    /// Rounds the kernels of `N` input channels, starting at `input`.
    fn round<const N: usize>(
        &self,
        source: &[f32],
        step: &[f32],
        input: usize,
        integers: &mut [i16],
    ) {
        let mut passed_on = [0.0; N];
        for tap in taps_in_turn(self.kernel) {
            let at = tap * step.len() + input;
            let (source, integers) = (&source[at..at + N], &mut integers[at..at + N]);
            for lane in 0..N {
                let exact = source[lane] * step[input + lane] * self.per_scale + passed_on[lane];
                let rounded = ((exact + TO_WHOLE) - TO_WHOLE).clamp(-self.most, self.most);
                passed_on[lane] = exact - rounded;
                integers[lane] = rounded as i32 as i16;
            }
        }
    }
}

/// The largest absolute weight of an output channel, times its step.
fn largest_weight(source: &[f32], step: &[f32]) -> f32 {
    source
        .chunks_exact(step.len())
        .flat_map(|tap| tap.iter().zip(step).map(|(w, s)| (w * s).abs()))
        .fold(0.0, f32::max)
}

/// The largest absolute sum of weights of 3x3 kernels that fall on one pixel when the input is doubled, times its step.
fn largest_phase_sum(source: &[f32], step: &[f32]) -> f32 {
    let mut largest = 0f32;
    for (input, step) in step.iter().enumerate() {
        let at =
            |row: usize, column: usize| source[(3 * row + column) * (source.len() / 9) + input];
        for rows in [0..1, 1..3, 0..2, 2..3] {
            for columns in [0..1, 1..3, 0..2, 2..3] {
                let of_row = |row: usize| columns.clone().map(|c| at(row, c)).sum::<f32>();
                let sum: f32 = rows.clone().map(of_row).sum();
                largest = largest.max((sum * step).abs());
            }
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_from_the_lowest_to_the_highest_and_no_further() {
        let range = InputRange { low: vec![-1.0], step: vec![0.5] };
        let byte = |value| range.byte(0, value);
        assert_eq!([byte(-1.0), byte(-0.5), byte(126.5)], [0, 1, 255]);
        assert_eq!([byte(-9.0), byte(999.0), byte(f32::NAN)], [0, 255, 0]);
        assert_eq!([byte(-0.75), byte(-0.25)], [0, 2], "ties go to even");
    }

    #[test]
    fn a_range_holds_its_extremes_and_one_value_is_one_byte() {
        let range = InputRange::between([(-3.0, 7.2), (5.0, 5.0)].into_iter());
        assert_eq!([range.byte(0, -3.0), range.byte(0, 7.2)], [0, 255]);
        assert!((range.value(0, 255) - 7.2).abs() < 1e-5);
        assert_eq!((range.byte(1, 5.0), range.value(1, 0)), (0, 5.0));
        assert!(range.step[1] > 0.0);
    }

    /// Weights of two input channels and two output channels, `[out][in][row][column]`.
    fn weights() -> Vec<f32> {
        (0..36).map(|i| (i as f32 * 0.7).sin() - 0.2).collect()
    }

    fn fitted(is_upsampled_3x3: bool, step: &[f32]) -> IntegerWeights {
        let mut own = IntegerWeights::new(&weights(), 2, 3, (2, step.len()), is_upsampled_3x3);
        own.fit(step);
        own
    }

    #[test]
    fn weights_keep_their_values_and_the_sums_of_their_kernels() {
        let step = [0.5, 2.0];
        let own = fitted(false, &step);
        let all = (0..2).flat_map(|o| (0..9).flat_map(move |tap| [(o, tap, 0), (o, tap, 1)]));
        let sizes = all.map(|(o, tap, i)| own.of_tap(o, tap)[i].unsigned_abs());
        assert!((126..=127).contains(&sizes.max().unwrap_or_default()));
        let (values, weights) = (own.values(&step), weights());
        let kernels = values.chunks_exact(9).zip(weights.chunks_exact(9));
        for (at, (values, weights)) in kernels.enumerate() {
            let unit = f64::from(own.scale[at / 2] / step[at % 2]);
            let errors = values.iter().zip(weights).map(|(v, &w)| v - f64::from(w));
            assert!(errors.clone().all(|e| e.abs() <= 1.51 * unit), "{at}");
            assert!(errors.sum::<f64>().abs() <= 0.51 * unit, "{at}");
        }
    }

    /// Also if the largest weight never occurs alone in a sum, and its neighbours cancel most of it.
    #[test]
    fn folded_weights_fit_in_every_phase() {
        let step = [0.5, 2.0];
        let mut own = fitted(true, &step);
        all_sums_fit(&own);
        let sharp = [0.1, -0.9, 0.1, -0.9, 3.6, -0.9, 0.1, -0.9, 0.1];
        own = IntegerWeights::new(&sharp.repeat(4), 2, 3, (2, 2), true);
        own.fit(&step);
        all_sums_fit(&own);
        let largest = f64::from(own.of_tap(0, 4)[1]) * f64::from(own.scale[0] / step[1]);
        assert!(own.of_tap(0, 4)[1] > 127 && (largest - 3.6).abs() < 0.05, "{largest}");
    }

    fn all_sums_fit(own: &IntegerWeights) {
        for output in 0..2 {
            for input in 0..2 {
                let integer = |tap| f32::from(own.of_tap(output, tap)[input]);
                let kernel: Vec<f32> = (0..9).map(integer).collect();
                assert!(largest_phase_sum(&kernel, &[1.0]) <= MAX_FACTOR);
            }
        }
    }

    /// Additional stored channels, and computing channels in vectors, change nothing.
    #[test]
    fn channels_that_are_only_stored_have_no_weight() {
        let wide: Vec<f32> = (0..11).map(|i| 0.3 + i as f32).collect();
        let (narrow, wide) = (fitted(false, &wide[..2]), fitted(false, &wide));
        for output in 0..2 {
            assert_eq!(narrow.scale[output], wide.scale[output]);
            for tap in 0..9 {
                let stored = wide.of_tap(output, tap);
                assert_eq!(narrow.of_tap(output, tap), &stored[..2]);
                assert_eq!(stored[2..], [0; 9]);
            }
        }
    }

    #[test]
    fn the_lowest_values_add_a_constant() {
        let range = InputRange { low: vec![-2.0, 3.0], step: vec![0.5, 2.0] };
        let own = fitted(false, &range.step);
        let values = own.values(&range.step);
        let sum = |kernel: usize| values[9 * kernel..][..9].iter().sum::<f64>();
        for output in 0..2 {
            let wanted = -2.0 * sum(2 * output) + 3.0 * sum(2 * output + 1);
            assert!((f64::from(own.constant(output, &range)) - wanted).abs() < 1e-4);
        }
    }

    /// Whatever a network computes from a photo: no panic, and integers within their limits.
    #[test]
    fn weights_of_nothing_and_of_no_number_become_integers() {
        for value in [0.0, f32::NAN, f32::INFINITY, f32::MAX] {
            for step in [1.0, MIN_STEP, f32::INFINITY, f32::NAN] {
                let mut own = IntegerWeights::new(&[value; 9], 1, 3, (1, 1), true);
                own.fit(&[step]);
                assert!((0..9).all(|tap| own.of_tap(0, tap)[0] >= -127), "{value} {step}");
                assert!(value != 0.0 || own.of_tap(0, 4) == [0] && own.scale[0] > 0.0);
            }
        }
    }
}
