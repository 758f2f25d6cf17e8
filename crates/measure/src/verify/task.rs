//! Computes the expected result of a kernel from the record of its input, with the oracle's operations.

use backend::audit::{KernelRecord, Work};
use network::{Network, graph::Op};
use oracle::{Map, Rounding};
use plan::ConvLayer;
use values::tensor::Tensor;

/// Half a unit in the last place of single precision, relative.
const SINGLE: f64 = 1.0 / (1u64 << 24) as f64;

/// A kernel's record, its network, and where a naive run rounds.
pub struct Task<'a> {
    pub record: &'a KernelRecord,
    /// The network with the weights.
    pub network: &'a Network,
    pub rounding: Rounding,
}

impl Task<'_> {
    /// The result; `None` if the record does not fit the network.
    pub fn computed(&self) -> Option<Map> {
        let first = map_of(self.record.read.first()?);
        let second = self.record.read.get(1).map(map_of);
        let stored = |map: Map| Some(map.each(|v| self.rounding.stored(v)));
        match self.record.work {
            Work::Load { factor } => stored(first.each(|v| v * f64::from(factor))),
            Work::Node(Op::Upsample) => Some(oracle::upsample(&first)),
            Work::Node(Op::Relu) => Some(oracle::relu(&first)),
            Work::Node(Op::Add) => stored(sum(first, &second?)),
            Work::Node(op) => Some(oracle::with_margin(&first, op.margin_px()?)),
            Work::Keep { relu } => stored(before_conv(first, second, relu)),
            Work::Normalise { eps } => {
                let ones = vec![1.0; first.channels];
                let zeros = vec![0.0; first.channels];
                stored(oracle::instance_norm(&first, f64::from(eps), &ones, &zeros))
            }
            Work::Affine { conv } => {
                let (gamma, beta) = self.factors(conv)?;
                stored(oracle::affine(&first, &gamma, &beta))
            }
            Work::Bias { conv, factor } => {
                let bias = self.bias(&self.conv(conv)?, factor);
                stored(oracle::affine(&first, &vec![1.0; bias.len()], &bias))
            }
            Work::Statistics { conv, eps } => {
                let (gamma, beta) = self.factors(conv)?;
                Some(oracle::instance_norm(&first, f64::from(eps), &gamma, &beta))
            }
            Work::Norm { conv, eps, relu } => {
                let (gamma, beta) = self.factors(conv)?;
                let norm = oracle::instance_norm(&first, f64::from(eps), &gamma, &beta);
                stored(before_conv(norm, second, relu))
            }
            Work::Store => Some(self.cropped(&first)),
            Work::Conv { conv, relu, doubled, margin, bias_factor } => {
                let whole = before_conv(first, second, relu);
                let conv = self.conv(conv)?;
                let weights = self.network.weights().of(&conv.name);
                let is_upsampled_3x3 = doubled && conv.kernel == 3;
                let bias = self.bias(&conv, bias_factor);
                let (input, factors) = self.rounding.factors(
                    &self.gathered(whole, doubled, margin),
                    conv.reads_photo,
                    (&weights.weight, conv.out_channels, conv.kernel),
                    is_upsampled_3x3,
                );
                let sums = oracle::conv(&input, &factors, &bias, conv.kernel, conv.stride);
                if conv.norm_name.is_some() {
                    stored(sums)
                } else {
                    Some(self.cropped(&self.rounding.picture(sums)))
                }
            }
        }
    }

    /// Error floor: the rms and the largest error that sums in single precision alone may cause. These are a few units
    /// in the last place of the summands.
    pub fn floor(&self, exact: &Map) -> (f64, f64) {
        let (rms, of_a_value) = self.rms_floor(exact);
        (rms, (4.0 * rms).max(2.0 * of_a_value))
    }

    /// The rms error, and the largest error caused by a channel's mean and factor, if there are any.
    fn rms_floor(&self, exact: &Map) -> (f64, f64) {
        let rms = |values: &[f64]| {
            (values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64).sqrt()
        };
        let own = 4.0 * SINGLE * rms(&exact.data);
        let Some(first) = self.record.read.first().map(map_of) else {
            return (own, 0.0);
        };
        let of_means = |eps: f32, gamma: &[f64]| {
            let (rms, largest) = mean_rounding(&first, eps, gamma);
            let peak = exact.data.iter().fold(0.0, |peak: f64, v| peak.max(v.abs()));
            (own + rms, 4.0 * SINGLE * peak + largest)
        };
        match self.record.work {
            Work::Conv { conv, relu, doubled, margin, .. } => {
                let Some(conv) = self.conv(conv) else {
                    return (own, 0.0);
                };
                let weights = self.network.weights().of(&conv.name);
                let second = self.record.read.get(1).map(map_of);
                let whole = before_conv(first, second, relu);
                let input = self.gathered(whole, doubled, margin).each(f64::abs);
                let factors: Vec<f64> =
                    weights.weight.iter().map(|&w| f64::from(w.abs())).collect();
                let zeros = vec![0.0; weights.bias.len()];
                let added = oracle::conv(&input, &factors, &zeros, conv.kernel, conv.stride);
                (4.0 * SINGLE * rms(&added.data), 0.0)
            }
            // The mean itself is rounded, which shifts every distance from it.
            Work::Normalise { eps } => of_means(eps, &vec![1.0; first.channels]),
            Work::Norm { conv, eps, .. } | Work::Statistics { conv, eps } => {
                let (gamma, _) = self.factors(conv).unwrap_or_default();
                of_means(eps, &gamma)
            }
            _ => (own, 0.0),
        }
    }

    fn conv(&self, conv: usize) -> Option<ConvLayer> {
        (ConvLayer::of_graph(self.network.graph()).into_iter()).nth(conv)
    }

    fn bias(&self, conv: &ConvLayer, factor: f32) -> Vec<f64> {
        let bias = &self.network.weights().of(&conv.name).bias;
        let rounded = self.rounding.bias(bias, conv.norm_name.is_some());
        rounded.into_iter().map(|b| b * f64::from(factor)).collect()
    }

    fn factors(&self, conv: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        let norm = self.network.weights().of(&self.conv(conv)?.norm_name?);
        Some((oracle::doubles(&norm.weight), oracle::doubles(&norm.bias)))
    }

    /// The map that a convolution reads, with its upsampling and margin.
    fn gathered(&self, map: Map, doubled: bool, margin: isize) -> Map {
        let map = if doubled { oracle::upsample(&map) } else { map };
        oracle::with_margin(&map, margin)
    }

    fn cropped(&self, map: &Map) -> Map {
        let shape = self.record.wrote.shape;
        if map.height < shape.height || map.width < shape.width {
            return map.clone();
        }
        let mut first = map.clone();
        first.channels = shape.channels.min(map.channels);
        first.data.truncate(first.channels * map.height * map.width);
        oracle::crop(&first, shape.height, shape.width)
    }
}

fn map_of(tensor: &Tensor) -> Map {
    Map {
        channels: tensor.shape.channels,
        height: tensor.shape.height,
        width: tensor.shape.width,
        data: oracle::doubles(&tensor.data),
    }
}

fn sum(mut a: Map, b: &Map) -> Map {
    for (a, b) in a.data.iter_mut().zip(&b.data) {
        *a += b;
    }
    a
}

/// The operation before a convolution: the residual sum, or ReLU.
fn before_conv(map: Map, second: Option<Map>, relu: bool) -> Map {
    let map = match second {
        Some(second) => sum(map, &second),
        None => map,
    };
    if relu { oracle::relu(&map) } else { map }
}

/// The error of a norm if every mean is off by four units in the last place: rms over the channels, and the largest of
/// any channel.
fn mean_rounding(map: &Map, eps: f32, gamma: &[f64]) -> (f64, f64) {
    let off: Vec<f64> = (map.data.chunks(map.height * map.width).zip(gamma))
        .map(|(plane, gamma)| {
            let count = plane.len() as f64;
            let mean = plane.iter().sum::<f64>() / count;
            let variance = plane.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
            (4.0 * SINGLE * mean * gamma / (variance + f64::from(eps)).sqrt()).abs()
        })
        .collect();
    let squares: f64 = off.iter().map(|off| off * off).sum();
    let rms = (squares / map.channels.max(1) as f64).sqrt();
    (rms, off.into_iter().fold(0.0, f64::max))
}
