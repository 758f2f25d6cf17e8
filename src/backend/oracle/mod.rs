//! The judge: TransformerNet in float64, each operation written as its definition reads.
//!
//! Never optimised, never used to paint. It reads the network's sizes and weights and shares no
//! other code with what it judges: padding, convolution, norm, upsampling and the rule for odd and
//! tiny sizes are all written here a second time. Any thread; it blocks for long.
//!
//! It can also round where a mode rounds ([`judge_rounded`]): not to judge, but to tell how far any
//! computation in so few bits has to be from the truth.

pub mod graph;
mod rounding;

use crate::{
    frame::Frame,
    mode::{Mode, Variant},
    network::Network,
};

pub use rounding::Rounding;

/// A feature map in float64, channel-major: element (c, y, x) at `(c * height + y) * width + x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// All values.
    pub data: Vec<f64>,
}

impl Map {
    /// Every value by itself.
    pub fn each(mut self, change: impl Fn(f64) -> f64) -> Self {
        for value in &mut self.data {
            *value = change(*value);
        }
        self
    }
}

/// What the oracle found.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The network's picture before clamping and rounding, cropped to the photo's size.
    pub output: Map,
    /// Every map behind a norm, before ReLU and residual add, with the norm's name.
    pub after_norms: Vec<(String, Map)>,
}

impl Judgement {
    /// The picture in bytes: clamped, rounded to nearest, alpha from `photo`.
    pub fn picture(&self, photo: &Frame) -> Frame {
        let level = |c: usize, y: usize, x: usize| {
            let m = &self.output;
            m.data[(c * m.height + y) * m.width + x]
                .clamp(0.0, 255.0)
                .round() as u8
        };
        Frame::from_fn(photo.width(), photo.height(), |x, y| {
            [
                level(0, y, x),
                level(1, y, x),
                level(2, y, x),
                photo.pixel(x, y)[3],
            ]
        })
    }
}

/// Runs `network` on `photo`.
pub fn judge(network: &Network, photo: &Frame) -> Judgement {
    run(network, photo, Rounding::none(Variant::Baseline))
}

/// Runs `network` on `photo` as [`judge`] does, and rounds to the precision of `mode` wherever its
/// variant does: the factors of every product, and every map that it stores between two operations.
/// Sums and statistics stay in float64. `bias_apart`: the sums are stored before the bias is added.
pub fn judge_rounded(network: &Network, photo: &Frame, mode: Mode, bias_apart: bool) -> Judgement {
    let rounding = Rounding::of(mode).with_bias_apart(bias_apart);
    run(network, photo, rounding)
}

/// What a convolution reads.
#[derive(Clone, Copy)]
enum Input<'a> {
    /// The photo's levels.
    Photo(&'a Map),
    /// A map as it is.
    Map(&'a Map),
    /// A map, doubled first.
    Doubled(&'a Map),
}

fn run(network: &Network, photo: &Frame, rounding: Rounding) -> Judgement {
    let spec = network.spec();
    let mut weights = network.convs().iter();
    let mut after_norms = Vec::new();
    // One convolution with its reflection padding, and the norm where it has one.
    let mut layer = |input: Input, kernel: usize, stride: usize, norm: &str| -> Map {
        let map = match input {
            Input::Photo(map) | Input::Map(map) => map.clone(),
            Input::Doubled(map) => upsample(map),
        };
        let Some(w) = weights.next() else {
            return map;
        };
        let is_upsampled_3x3 = matches!(input, Input::Doubled(_)) && kernel == 3;
        let padded = reflect_pad(&map, kernel / 2).each(|v| rounding.factor(v));
        let factors = rounding.weights(&w.weight, is_upsampled_3x3);
        let is_first = matches!(input, Input::Photo(_));
        let sums = rounding.biased(w, is_first, |bias| {
            conv(&padded, &factors, bias, kernel, stride)
        });
        let Some(n) = &w.norm else {
            return rounding.picture(sums);
        };
        let sums = rounding.sums(sums, is_first);
        let (shown, map) = rounding.norm(&sums, &doubles(&n.gamma), &doubles(&n.beta));
        after_norms.push((norm.to_owned(), shown));
        map
    };
    let activated = |map: &Map| relu(map).each(|v| rounding.stored(v));
    let k = spec.kernels;
    let (picture, height, width) = extended(photo, network);
    let mut x = activated(&layer(Input::Photo(&picture), k.first, 1, "in1"));
    x = activated(&layer(Input::Map(&x), k.down[0], 2, "in2"));
    x = activated(&layer(Input::Map(&x), k.down[1], 2, "in3"));
    for block in 1..=spec.blocks {
        let [first, second] = [1, 2].map(|half| format!("res{block}.in{half}"));
        let y = activated(&layer(Input::Map(&x), k.residual, 1, &first));
        let y = layer(Input::Map(&y), k.residual, 1, &second);
        for (a, b) in x.data.iter_mut().zip(&y.data) {
            *a = rounding.stored(*a + b);
        }
    }
    x = activated(&layer(Input::Doubled(&x), k.up[0], 1, "in4"));
    x = activated(&layer(Input::Doubled(&x), k.up[1], 1, "in5"));
    x = layer(Input::Map(&x), k.last, 1, "");
    Judgement {
        output: crop(&x, height, width),
        after_norms,
    }
}

/// The same numbers in more bits.
pub fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Index of a reflected position: ... 2 1 0 1 2 ... n-1 n-2 ..., as often as needed; a side of one
/// pixel repeats it.
fn mirror(position: isize, side: usize) -> usize {
    if side == 1 {
        return 0;
    }
    let last = side as isize - 1;
    let mut p = position;
    while p < 0 || p > last {
        if p < 0 {
            p = -p;
        }
        if p > last {
            p = 2 * last - p;
        }
    }
    p as usize
}

/// The photo's colours as a map, extended to the right and below where a side is too short for the
/// network's reflections, and the photo's own height and width.
fn extended(photo: &Frame, network: &Network) -> (Map, usize, usize) {
    let k = network.spec().kernels;
    let too_short = |side: usize| {
        let (half, quarter) = (side.div_ceil(2), side.div_ceil(2).div_ceil(2));
        side <= k.first / 2
            || side <= k.down[0] / 2
            || half <= k.down[1] / 2
            || quarter <= k.residual / 2
            || 2 * quarter <= k.up[0] / 2
            || 4 * quarter <= k.up[1] / 2
            || 4 * quarter <= k.last / 2
    };
    let mut least = 1;
    while too_short(least) {
        least += 1;
    }
    let (height, width) = (photo.height().max(least), photo.width().max(least));
    let mut map = Map {
        channels: 3,
        height,
        width,
        data: vec![0.0; 3 * height * width],
    };
    for c in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let from = photo.pixel(
                    mirror(x as isize, photo.width()),
                    mirror(y as isize, photo.height()),
                );
                map.data[(c * height + y) * width + x] = f64::from(from[c]);
            }
        }
    }
    (map, photo.height(), photo.width())
}

/// Reflection padding by `pad` pixels on every side.
pub fn reflect_pad(input: &Map, pad: usize) -> Map {
    let (height, width) = (input.height + 2 * pad, input.width + 2 * pad);
    let mut data = Vec::with_capacity(input.channels * height * width);
    for c in 0..input.channels {
        for y in 0..height {
            for x in 0..width {
                let sy = mirror(y as isize - pad as isize, input.height);
                let sx = mirror(x as isize - pad as isize, input.width);
                data.push(input.data[(c * input.height + sy) * input.width + sx]);
            }
        }
    }
    Map {
        channels: input.channels,
        height,
        width,
        data,
    }
}

/// Valid convolution with weights `[out][in][row][column]`.
pub fn conv(input: &Map, weight: &[f64], bias: &[f64], kernel: usize, stride: usize) -> Map {
    let (height, width) = (
        (input.height - kernel) / stride + 1,
        (input.width - kernel) / stride + 1,
    );
    let mut data = Vec::with_capacity(bias.len() * height * width);
    for (o, b) in bias.iter().enumerate() {
        let mut plane = vec![*b; height * width];
        for i in 0..input.channels {
            for ky in 0..kernel {
                for kx in 0..kernel {
                    let w = weight[((o * input.channels + i) * kernel + ky) * kernel + kx];
                    for y in 0..height {
                        for x in 0..width {
                            let at = (i * input.height + y * stride + ky) * input.width
                                + x * stride
                                + kx;
                            plane[y * width + x] += w * input.data[at];
                        }
                    }
                }
            }
        }
        data.extend(plane);
    }
    Map {
        channels: bias.len(),
        height,
        width,
        data,
    }
}

/// Instance norm with the map's own biased variance and eps 1e-5.
pub fn instance_norm(input: &Map, gamma: &[f64], beta: &[f64]) -> Map {
    let mut out = input.clone();
    let count = input.height * input.width;
    for (c, plane) in out.data.chunks_mut(count).enumerate() {
        let mean = plane.iter().sum::<f64>() / count as f64;
        let variance = plane.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count as f64;
        for v in plane {
            *v = (*v - mean) / (variance + 1e-5).sqrt() * gamma[c] + beta[c];
        }
    }
    out
}

/// Scaled and shifted, each channel by its own numbers.
pub fn affine(input: &Map, gamma: &[f64], beta: &[f64]) -> Map {
    let mut out = input.clone();
    let count = input.height * input.width;
    for (c, plane) in out.data.chunks_mut(count).enumerate() {
        for v in plane {
            *v = *v * gamma[c] + beta[c];
        }
    }
    out
}

/// Negative values become zero.
pub fn relu(input: &Map) -> Map {
    let mut out = input.clone();
    for v in &mut out.data {
        *v = v.max(0.0);
    }
    out
}

/// Every pixel becomes four.
pub fn upsample(input: &Map) -> Map {
    let (height, width) = (input.height * 2, input.width * 2);
    let mut data = Vec::with_capacity(input.channels * height * width);
    for c in 0..input.channels {
        for y in 0..height {
            for x in 0..width {
                data.push(input.data[(c * input.height + y / 2) * input.width + x / 2]);
            }
        }
    }
    Map {
        channels: input.channels,
        height,
        width,
        data,
    }
}

/// The top left of a map.
pub fn crop(input: &Map, height: usize, width: usize) -> Map {
    let mut data = Vec::with_capacity(input.channels * height * width);
    for c in 0..input.channels {
        for y in 0..height {
            let start = (c * input.height + y) * input.width;
            data.extend_from_slice(&input.data[start..start + width]);
        }
    }
    Map {
        channels: input.channels,
        height,
        width,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_repeats() {
        let seen: Vec<_> = (-3..8).map(|p| mirror(p, 3)).collect();
        assert_eq!(seen, [1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!(mirror(-7, 1), 0);
    }
}
