//! Int8: how the maps of a network become bytes before a convolution, and its weights small integers.
//!
//! A channel's values are `low + step * byte`, from the least to the largest that it has in this picture; a weight is
//! `scale of its output channel * integer / step of its input channel`, and sums of `byte * integer` are exact in
//! 32 bits. The constant `low` adds a constant to every sum, which a norm behind the convolution subtracts again.
//!
//! Ranges are those of each picture. Fixed ones (eight deviations around the mean that a norm gives) need no fitting
//! of weights before a run, but pictures differ too much: where most of one is black, a few pixels lie far from the
//! mean of their channel, and such a painting kept 22 to 28 dB instead of 37 and more. A GPU, where fitting weights anew would
//! hold everything up, has one step for all channels of a tile instead (`kernels/bytes.cuh`), and weights fitted to that.

use rayon::prelude::*;

/// The largest integer that is multiplied.
const MAX_FACTOR: f32 = 127.0;
/// The largest sum of weights, before rounding, where an upsampling is folded into a kernel: rounding four of them
/// adds at most two ([`IntegerWeights::fit`]).
const MAX_SUM: f32 = 125.0;
/// The largest integer of a weight that is only multiplied as a part of a sum: others of the sum may take it back.
const MAX_SUMMED: f32 = 32_000.0;
/// The least step: a channel of one value has no range.
const MIN_STEP: f32 = 1e-12;
/// A number whose sum with a small one is rounded to a whole number, ties to even.
const TO_WHOLE: f32 = (3 << 22) as f32;

/// How each channel that a convolution reads becomes bytes: `byte = round((value - low) / step)`, from 0 to 255.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputRange {
    /// The value of byte 0, by channel.
    pub low: Vec<f32>,
    /// The difference of two neighbouring bytes, by channel.
    pub step: Vec<f32>,
}

impl InputRange {
    /// That of a photo: levels are bytes already.
    pub fn levels(channels: usize) -> Self {
        Self { low: vec![0.0; channels], step: vec![1.0; channels] }
    }

    /// From the least to the largest value of each channel.
    pub fn between(extremes: impl Iterator<Item = (f32, f32)>) -> Self {
        let step = |(low, high): (f32, f32)| (low, ((high - low) / 255.0).max(MIN_STEP));
        let (low, step) = extremes.map(step).unzip();
        Self { low, step }
    }

    /// The value that a byte of a channel stands for.
    pub fn value(&self, channel: usize, byte: u8) -> f32 {
        self.low[channel] + self.step[channel] * f32::from(byte)
    }

    /// A value of a channel as the byte that it becomes; 0 for NaN.
    pub fn byte(&self, channel: usize, value: f32) -> u8 {
        ((value - self.low[channel]) * self.step[channel].recip()).round_ties_even() as u8
    }
}

/// A convolution's weights, and the integers that they become for the steps of an input: factors that fit into a byte,
/// or parts of such a factor where an upsampling is folded into the kernel.
#[derive(Clone, Debug)]
pub struct IntegerWeights {
    /// The weights: `[out][row][column][in, as stored]`.
    source: Vec<f32>,
    /// The integers, in the same order.
    integers: Vec<i16>,
    /// What a sum of `byte * integer` is multiplied by, by output channel.
    pub scale: Vec<f32>,
    /// Channels of the input, and as they are stored: those behind have the weight 0.
    inputs: (usize, usize),
    kernel: usize,
    is_upsampled_3x3: bool,
}

impl IntegerWeights {
    /// Of a convolution's `[out][in][row][column]`; fitted to nothing yet. With `is_upsampled_3x3`, an upsampling by
    /// two is folded into a 3x3 kernel.
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

    /// Makes the integers for an input with these steps, one for each stored channel, with one scale for each output
    /// channel.
    ///
    /// What rounding a weight changes is passed on to the next one of its kernel, row by row, every second backwards.
    /// So the sum of a kernel keeps its value, and with it what the convolution makes of the large shapes of a
    /// picture: twice the precision (4 to 6 dB) of rounding each by itself.
    ///
    /// Where an upsampling by two is folded into a 3x3 kernel, up to four weights become one, and all are rounded so
    /// that such sums fit as well: then all four phases have the same total, and a plain surface stays plain.
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

    /// What an input of nothing but its lowest values adds to an output channel.
    pub fn constant(&self, output: usize, range: &InputRange) -> f32 {
        let taps = self.kernel * self.kernel;
        let lows = range.low.iter().zip(&range.step).enumerate();
        let of_input = |(input, (&low, &step)): (usize, (&f32, &f32))| {
            let taps = (0..taps).map(|tap| i32::from(self.of_tap(output, tap)[input]));
            f64::from(taps.sum::<i32>()) * f64::from(low) / f64::from(step)
        };
        (lows.map(of_input).sum::<f64>() * f64::from(self.scale[output])) as f32
    }

    /// The weights that the integers stand for, `[out][in][row][column]`.
    pub fn values(&self, step: &[f32]) -> Vec<f64> {
        self.in_order(|output, input, integer| {
            let unit = f64::from(self.scale[output]) / f64::from(step[input]);
            f64::from(integer) * unit
        })
    }

    /// What is made of every integer, with its output and input channel: `[out][in][row][column]`.
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

/// Input channels that are fitted side by side.
const LANES: usize = 8;

/// Taps in the order in which rounding goes through a kernel: row by row, every second backwards.
fn taps_in_turn(kernel: usize) -> impl Iterator<Item = usize> {
    (0..kernel * kernel).map(move |at| match at / kernel % 2 {
        0 => at,
        _ => at / kernel * kernel + kernel - 1 - at % kernel,
    })
}

/// How the kernels of one output channel are rounded.
struct Rounding {
    kernel: usize,
    /// One divided by the channel's scale.
    per_scale: f32,
    /// The largest integer.
    most: f32,
}

impl Rounding {
    /// Rounds the kernels of `N` input channels from `input` on.
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

/// The largest weight of an output channel, in size, times its step.
fn largest_weight(source: &[f32], step: &[f32]) -> f32 {
    let taps = source.chunks_exact(step.len());
    let sizes = taps.flat_map(|tap| tap.iter().zip(step).map(|(w, s)| (w * s).abs()));
    sizes.fold(0.0, f32::max)
}

/// The largest sum of weights of 3x3 kernels, in size, that fall on one pixel when the input is doubled, times its
/// step.
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

    /// Also where the largest weight stands in no sum alone, and its neighbours take most of it back.
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

    /// Stored channels behind the last, and vectors of channels, change nothing.
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

    /// Whatever a network makes of a photo: no panic, and integers within their bounds.
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
