//! Int8: how the maps of a network become bytes before a convolution, and its weights small integers.
//!
//! Nothing is measured on pictures. A norm gives a channel the mean `shift` and the deviation `|scale|`, whatever the
//! picture, so the values that a convolution behind norms, ReLUs and residual sums reads have a known range
//! ([`InputRange::of`]): eight deviations around the mean hold nearly all of them, the rest is clamped. A channel's
//! values are `low + step * byte`, a weight is `scale of its output channel * integer / step of its input channel`,
//! and sums of `byte * integer` are exact in 32 bits. The constant `low` adds a constant to every sum, which a norm
//! behind the convolution subtracts again.

use std::f64::consts::{PI, SQRT_2};

use crate::{
    graph::{Graph, NodeId, Op},
    network::Weights,
    numeric::error_function,
};

/// Deviations on each side of the mean that bytes cover. With four, clamping costs more than 10 dB on trained
/// networks; from ten on, steps do.
pub const COVERED_DEVIATIONS: f64 = 8.0;
/// The largest integer of a weight.
pub const MAX_WEIGHT: f64 = 127.0;
/// The largest sum of weights, before rounding, where an upsampling is folded into a kernel: rounding four weights
/// adds at most two.
const MAX_SUMMED_WEIGHT: f64 = 125.0;
/// The least step: a channel that is always zero has no range.
const MIN_STEP: f64 = 1e-12;

/// What the values of one channel are like, whatever the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    mean: f64,
    variance: f64,
    /// The least and the largest value that is expected.
    range: (f64, f64),
}

impl Spread {
    /// Of a norm's result.
    fn normalised(scale: f32, shift: f32) -> Self {
        Self::around(f64::from(shift), f64::from(scale).powi(2))
    }

    fn around(mean: f64, variance: f64) -> Self {
        let reach = COVERED_DEVIATIONS * variance.sqrt();
        Self {
            mean,
            variance,
            range: (mean - reach, mean + reach),
        }
    }

    /// Of normally distributed values, once negative ones are zero.
    fn rectified(self) -> Self {
        let deviation = self.variance.sqrt().max(MIN_STEP);
        let place = self.mean / deviation;
        let density = (-place * place / 2.0).exp() / (2.0 * PI).sqrt();
        let share = 0.5 * (1.0 + error_function(place / SQRT_2));
        let mean = self.mean * share + deviation * density;
        let squares = (self.mean.powi(2) + self.variance) * share + self.mean * deviation * density;
        Self {
            mean,
            variance: (squares - mean * mean).max(0.0),
            range: (0.0, self.range.1.max(0.0)),
        }
    }

    /// Of the sum with values that do not depend on these.
    fn plus(self, other: Self) -> Self {
        Self::around(self.mean + other.mean, self.variance + other.variance)
    }
}

/// How each channel that a convolution reads becomes bytes: `byte = round((value - low) / step)`, from 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct InputRange {
    /// The value of byte 0, by channel.
    pub low: Vec<f32>,
    /// The difference of two neighbouring bytes, by channel.
    pub step: Vec<f32>,
}

impl InputRange {
    /// The range of what a node's map holds; `None` where no norm bounds it.
    pub fn of(graph: &Graph, weights: &Weights, node: NodeId) -> Option<Self> {
        if let Some(channels) = photo_channels(graph, node) {
            // Levels are bytes already.
            return Some(Self {
                low: vec![0.0; channels],
                step: vec![1.0; channels],
            });
        }
        let spreads = spreads(graph, weights, node)?;
        let step = |s: &Spread| ((s.range.1 - s.range.0) / 255.0).max(MIN_STEP) as f32;
        Some(Self {
            low: spreads.iter().map(|s| s.range.0 as f32).collect(),
            step: spreads.iter().map(step).collect(),
        })
    }

    /// The range of what a convolution reads, by its name.
    pub fn of_conv(graph: &Graph, weights: &Weights, name: &str) -> Option<Self> {
        let conv = graph.nodes().iter().find(|node| node.name == name)?;
        Self::of(graph, weights, conv.inputs[0])
    }

    /// The same steps for values from which the lowest was subtracted.
    #[must_use]
    pub fn from_zero(self) -> Self {
        Self {
            low: vec![0.0; self.low.len()],
            ..self
        }
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

/// Channels of the photo, where a node's map is nothing but the photo with a margin.
fn photo_channels(graph: &Graph, node: NodeId) -> Option<usize> {
    let node = &graph.nodes()[node];
    match node.op {
        Op::Photo => Some(3),
        Op::Pad { .. } => photo_channels(graph, node.inputs[0]),
        _ => None,
    }
}

/// The spreads of the channels that a node makes.
fn spreads(graph: &Graph, weights: &Weights, id: NodeId) -> Option<Vec<Spread>> {
    let mut known: Vec<Option<Vec<Spread>>> = Vec::with_capacity(id + 1);
    for node in &graph.nodes()[..=id] {
        let input = |at: usize| known[node.inputs[at]].as_ref();
        let spread = match node.op {
            Op::InstanceNorm { .. } => {
                let own = weights.of(&node.name);
                let channels = own.weight.iter().zip(&own.bias);
                Some(channels.map(|(&w, &b)| Spread::normalised(w, b)).collect())
            }
            Op::Relu => input(0).map(|all| all.iter().map(|s| s.rectified()).collect()),
            Op::Add => input(0).zip(input(1)).map(|(a, b)| {
                let pairs = a.iter().zip(b);
                pairs.map(|(&a, &b)| a.plus(b)).collect()
            }),
            Op::Pad { .. } | Op::Upsample => input(0).cloned(),
            _ => None,
        };
        known.push(spread);
    }
    known.pop().flatten()
}

/// A convolution's weights as integers of at most [`MAX_WEIGHT`].
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerWeights {
    /// `[out][in][row][column]`
    pub weight: Vec<i8>,
    /// What a sum of `byte * integer` is multiplied by, by output channel.
    pub scale: Vec<f32>,
}

impl IntegerWeights {
    /// The weights that they stand for, `[out][in][row][column]`.
    pub fn values(&self, range: &InputRange) -> Vec<f64> {
        let own = self.weight.len() / self.scale.len().max(1);
        let taps = own / range.step.len().max(1);
        let weights = self.weight.iter().enumerate();
        let value = |(at, &integer): (usize, &i8)| {
            let unit = f64::from(self.scale[at / own]) / f64::from(range.step[at % own / taps]);
            f64::from(integer) * unit
        };
        weights.map(value).collect()
    }

    /// Of a convolution's `[out][in][row][column]` that reads `range`, with one scale for each output channel.
    ///
    /// Where an upsampling by two is folded into a 3x3 kernel (`is_upsampled_3x3`), up to four weights become one, and
    /// all are rounded so that such sums fit as well: then all four phases have the same total, and a plain surface
    /// stays plain.
    pub fn new(
        weights: &[f32],
        outputs: usize,
        range: &InputRange,
        is_upsampled_3x3: bool,
    ) -> Self {
        let inputs = range.step.len();
        let own = weights.len() / outputs.max(1);
        let taps = own / inputs.max(1);
        let (mut weight, mut scale) = (Vec::with_capacity(weights.len()), Vec::new());
        for own in weights.chunks_exact(own.max(1)) {
            let stepped: Vec<f64> = (own.chunks_exact(taps).zip(&range.step))
                .flat_map(|(taps, &step)| taps.iter().map(move |&w| f64::from(w) * f64::from(step)))
                .collect();
            let (largest, limit) = if is_upsampled_3x3 {
                let sums = stepped.chunks_exact(9).map(largest_phase_sum);
                (sums.fold(0.0, f64::max), MAX_SUMMED_WEIGHT)
            } else {
                let sizes = stepped.iter().map(|w| w.abs());
                (sizes.fold(0.0, f64::max), MAX_WEIGHT)
            };
            let unit = (largest / limit).max(f64::from(f32::MIN_POSITIVE));
            weight.extend(stepped.iter().map(|w| (w / unit).round() as i8));
            scale.push(unit as f32);
        }
        Self { weight, scale }
    }
}

/// The largest sum of weights of a 3x3 kernel, in size, that fall on one pixel when its input is doubled.
fn largest_phase_sum(kernel: &[f64]) -> f64 {
    let mut largest = 0f64;
    for rows in [0..1, 1..3, 0..2, 2..3] {
        for columns in [0..1, 1..3, 0..2, 2..3] {
            let of_row = |y: usize| kernel[3 * y..][columns.clone()].iter().sum::<f64>();
            largest = largest.max(rows.clone().map(of_row).sum::<f64>().abs());
        }
    }
    largest
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::{models::johnson::NetworkSpec, network::Network};

    fn network() -> Network {
        NetworkSpec::with_widths([16, 32, 48])
            .random(5)
            .expect("a network")
    }

    fn range_of(network: &Network, node: NodeId) -> Option<InputRange> {
        InputRange::of(network.graph(), network.weights(), node)
    }

    fn inputs_of_convolutions(network: &Network) -> Vec<(String, NodeId)> {
        let nodes = network.graph().nodes().iter();
        nodes
            .filter(|node| matches!(node.op, Op::Conv2d(_)))
            .map(|node| (node.name.clone(), node.inputs[0]))
            .collect()
    }

    #[test]
    fn every_convolution_of_a_residual_network_has_a_range() {
        let network = network();
        for (name, input) in inputs_of_convolutions(&network) {
            let range = range_of(&network, input).expect("a range");
            assert!(range.step.iter().all(|&step| step > 0.0), "{name}");
            if name == "conv1" {
                assert_eq!((range.low, range.step), (vec![0.0; 3], vec![1.0; 3]));
            } else if name == "conv2" || name == "deconv3" {
                assert!(range.low.iter().all(|&low| low == 0.0), "{name}: ReLU");
            }
        }
    }

    #[test]
    fn residual_sums_spread_further_and_do_not_begin_at_zero() {
        let network = network();
        let of = |wanted: &str| {
            let all = inputs_of_convolutions(&network);
            let (_, input) = all.iter().find(|(name, _)| name == wanted).expect(wanted);
            range_of(&network, *input).expect("a range")
        };
        let (second, last) = (of("res2.conv1"), of("deconv1"));
        for c in 0..second.step.len() {
            assert!(second.low[c] < 0.0 && last.step[c] > second.step[c], "{c}");
        }
    }

    #[test]
    fn bytes_go_from_the_lowest_to_the_highest_and_no_further() {
        let range = InputRange {
            low: vec![-1.0],
            step: vec![0.5],
        };
        let byte = |value| range.byte(0, value);
        assert_eq!([byte(-1.0), byte(-0.5), byte(126.5)], [0, 1, 255]);
        assert_eq!([byte(-9.0), byte(999.0), byte(f32::NAN)], [0, 255, 0]);
        assert_eq!([byte(-0.75), byte(-0.25)], [0, 2], "ties go to even");
    }

    #[test]
    fn a_rectified_spread_is_that_of_rectified_values() {
        let spread = Spread::normalised(2.0, 0.5).rectified();
        // A million normally distributed values by their quantiles would do; the moments are known in closed form.
        let (mut mean, mut squares, n) = (0.0, 0.0, 200_000);
        for i in 0..n {
            let place = -8.0 + 16.0 * (f64::from(i) + 0.5) / f64::from(n);
            let density = (-place * place / 2.0).exp() / (2.0 * PI).sqrt() * 16.0 / f64::from(n);
            let value = (0.5 + 2.0 * place).max(0.0);
            mean += density * value;
            squares += density * value * value;
        }
        assert!((spread.mean - mean).abs() < 1e-6);
        assert!((spread.variance - (squares - mean * mean)).abs() < 1e-6);
        assert_eq!(spread.range, (0.0, 16.5));
    }

    #[test]
    fn weights_fit_and_folded_ones_fit_in_every_phase() {
        let range = InputRange {
            low: vec![0.0; 2],
            step: vec![0.5, 2.0],
        };
        let weights: Vec<f32> = (0..36).map(|i| (i as f32 * 0.7).sin() - 0.2).collect();
        let single = IntegerWeights::new(&weights, 2, &range, false);
        assert_eq!(
            single.weight.iter().map(|w| w.unsigned_abs()).max(),
            Some(127)
        );
        for (at, (value, &weight)) in single.values(&range).into_iter().zip(&weights).enumerate() {
            let unit = f64::from(single.scale[at / 18] / range.step[at / 9 % 2]);
            assert!((value - f64::from(weight)).abs() <= 0.51 * unit, "{at}");
        }
        let folded = IntegerWeights::new(&weights, 2, &range, true);
        for kernel in folded.weight.chunks_exact(9) {
            let kernel: Vec<f64> = kernel.iter().map(|&w| f64::from(w)).collect();
            assert!(largest_phase_sum(&kernel) <= MAX_WEIGHT);
        }
    }

    #[test]
    fn weights_of_nothing_stay_nothing() {
        let range = InputRange {
            low: vec![0.0],
            step: vec![1.0],
        };
        let none = IntegerWeights::new(&[0.0; 9], 1, &range, true);
        assert_eq!(none.weight, [0; 9]);
        assert!(none.scale[0] > 0.0);
    }
}
