//! The reference implementation: computes a network's graph in float64, with each operation written as its definition.
//!
//! It is never optimised and never used to paint. It reads the graph's nodes and the weights, but shares no other code
//! with what it judges. Padding, convolution, norm, upsampling and the rule for odd and tiny sizes are all implemented
//! here a second time. It runs for a long time, on the calling thread.
//!
//! It can also round where a mode rounds ([`judge_rounded`]). This naive run is not a reference. It measures the error
//! that only a mode's low precision causes, and tolerances are multiples of that error.
//!
//! It does not know plans and backends, which it judges. It may use `network` and `values`.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod map;
mod operations;
mod rounding;
mod sizes;
mod tokens;

use network::{
    Network, Weights,
    graph::{Arithmetic, Conv, Graph, GraphError, Node, NodeId, Op, PadMode, Sides},
};
use values::{
    frame::Frame,
    mode::{Mode, Variant},
};

pub use map::Map;
pub use rounding::{DeviceRounding, Rounding};

/// The oracle's results.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The network's picture before clamping and rounding, cropped to the photo's size.
    pub output: Map,
    /// Every map after a norm, before ReLU and residual add, with the norm's name.
    pub after_norms: Vec<(String, Map)>,
}

impl Judgement {
    /// The picture in bytes: clamped, rounded to nearest, with alpha from `photo`.
    pub fn picture(&self, photo: &Frame) -> Frame {
        let level =
            |c: usize, y: usize, x: usize| self.output.at(c, y, x).clamp(0.0, 255.0).round() as u8;
        Frame::from_fn(photo.width(), photo.height(), |x, y| {
            [level(0, y, x), level(1, y, x), level(2, y, x), photo.pixel(x, y)[3]]
        })
    }
}

/// Runs `network` on `photo`.
pub fn judge(network: &Network, photo: &Frame) -> Judgement {
    run(network, photo, Rounding::none(Variant::Baseline))
}

/// Runs `network` on `photo` as [`judge`] does, and rounds to the precision of `mode` wherever its variant does: the
/// factors of every product, and every map that it stores between two operations. Sums and statistics stay in float64.
pub fn judge_rounded(
    network: &Network,
    photo: &Frame,
    mode: Mode,
    device: DeviceRounding,
) -> Judgement {
    run(network, photo, Rounding::of(mode, device))
}

/// Runs a network that reads maps instead of a photo ([`Graph::inputs`]), and returns the map of its last node.
///
/// # Errors
/// [`GraphError::Given`] if these are not the maps that the network reads, and [`GraphError::Shapes`] if it cannot run
/// at their size.
pub fn judge_maps(network: &Network, maps: &[Map]) -> Result<Map, GraphError> {
    let shapes: Vec<[usize; 3]> =
        (maps.iter()).map(|map| [map.channels, map.height, map.width]).collect();
    let interpreter = Interpreter {
        graph: network.graph(),
        weights: network.weights(),
        given: GraphInput::Maps(maps),
        rounding: Rounding::none(Variant::Baseline),
        size: network.graph().size_on_maps(&shapes)?,
    };
    let mut made = Map::default();
    interpreter.walk(|_, map| made = map.clone());
    Ok(made)
}

fn run(network: &Network, photo: &Frame, rounding: Rounding) -> Judgement {
    let interpreter = Interpreter::new(network.graph(), network.weights(), photo, rounding);
    let mut judgement = Judgement { output: Map::default(), after_norms: Vec::new() };
    interpreter.walk(|node, map| match node.op {
        Op::InstanceNorm { .. } => {
            let shown = rounding.shown(map.clone());
            judgement.after_norms.push((node.name.clone(), shown));
        }
        Op::Picture => judgement.output = map.clone(),
        _ => {}
    });
    judgement
}

/// The input of a graph.
#[derive(Clone, Copy)]
enum GraphInput<'a> {
    Photo(&'a Frame),
    Maps(&'a [Map]),
}

/// Computes a graph's nodes for one photo, or for maps.
pub struct Interpreter<'a> {
    graph: &'a Graph,
    weights: &'a Weights,
    given: GraphInput<'a>,
    rounding: Rounding,
    /// Rows and columns of the photo or of the maps, after sides that are too short for the graph's reflections are
    /// extended.
    size: (usize, usize),
}

impl<'a> Interpreter<'a> {
    /// The graph must have all its weights.
    pub fn new(
        graph: &'a Graph,
        weights: &'a Weights,
        photo: &'a Frame,
        rounding: Rounding,
    ) -> Self {
        Self {
            graph,
            weights,
            given: GraphInput::Photo(photo),
            rounding,
            size: sizes::extended(graph, (photo.height(), photo.width())),
        }
    }

    /// Computes every node in the order of the graph, and passes its map to `seen`.
    ///
    /// # Panics
    /// If the shapes of maps do not match, or a node's weights are missing.
    pub fn walk(&self, mut seen: impl FnMut(&Node, &Map)) {
        let readers = self.graph.readers();
        let mut maps: Vec<Map> = Vec::with_capacity(readers.len());
        for (id, node) in self.graph.nodes().iter().enumerate() {
            let inputs: Vec<&Map> = node.inputs.iter().map(|&input| &maps[input]).collect();
            let map = self.node(id, &inputs);
            seen(node, &map);
            maps.push(map);
            for &input in &node.inputs {
                if readers[input].last() == Some(&id) {
                    maps[input] = Map::default();
                }
            }
        }
    }

    /// Computes a node's map from its inputs. Statistics are maps of one row: the mean, followed by the variance.
    ///
    /// # Panics
    /// As [`Interpreter::walk`].
    pub fn node(&self, id: NodeId, inputs: &[&Map]) -> Map {
        let node = &self.graph.nodes()[id];
        let own = self.weights.of(&node.name);
        let factors = |map: &Map| map.clone().each(|v| self.rounding.factor(v));
        let stored = |map: Map| map.each(|v| self.rounding.stored(v));
        match node.op {
            Op::Photo => match self.given {
                GraphInput::Photo(photo) => levels(photo, self.size),
                GraphInput::Maps(_) => Map::default(),
            },
            Op::Input { .. } => match self.given {
                GraphInput::Photo(_) => Map::default(),
                GraphInput::Maps(maps) => {
                    let before = self.graph.inputs().take_while(|(input, _)| *input < id);
                    maps[before.count()].clone()
                }
            },
            Op::Constant(shape) => Map {
                channels: shape.channels,
                height: shape.height,
                width: shape.width,
                data: doubles(&own.weight),
            },
            Op::Pad { mode, sides } => operations::pad(inputs[0], mode, sides),
            Op::Sized(_) => inputs[0].clone(),
            Op::PadSame { reach, stride, is_same_upper } => {
                operations::pad_same(inputs[0], reach, stride, is_same_upper)
            }
            Op::Conv2d(shape) => self.conv(id, inputs[0], &shape),
            Op::ConvTranspose2d { conv: shape, cut, extra } => {
                let input = factors(inputs[0]);
                let weight = self.rounding.weights(&own.weight, false);
                let bias = doubles(&own.bias);
                let sums = operations::conv_transpose2d(&input, &weight, &bias, &shape, cut, extra);
                stored(sums)
            }
            Op::InstanceStatistics => statistics(inputs[0]),
            Op::InstanceNorm { eps } => {
                let normalised = normalised(inputs[0], inputs[1], eps);
                self.rounding.norm(normalised, &doubles(&own.weight), &doubles(&own.bias))
            }
            Op::LayerNorm { eps } => {
                let normalised = tokens::layer_norm(inputs[0], eps);
                stored(affine(&normalised, &doubles(&own.weight), &doubles(&own.bias)))
            }
            Op::Attention { heads } => {
                let [queries, keys, values] = [0, 1, 2].map(|at| factors(inputs[at]));
                let weight = |v| self.rounding.factor(v);
                stored(tokens::attention(heads, &queries, &keys, &values, weight))
            }
            Op::Positions => stored(tokens::with_positions(inputs[0])),
            Op::Affine => stored(affine(inputs[0], &doubles(&own.weight), &doubles(&own.bias))),
            Op::Relu => stored(relu(inputs[0])),
            Op::Prelu => stored(operations::prelu(inputs[0], &doubles(&own.weight))),
            Op::Function(function) => {
                stored((inputs[0].clone()).each(|v| operations::function(function, v)))
            }
            Op::Combine(arithmetic) => {
                stored(operations::combine(arithmetic, inputs[0], inputs[1]))
            }
            Op::Concat { .. } => operations::concat(inputs),
            Op::Channels { first, count } => operations::channels(inputs[0], first, count),
            Op::Crop(sides) => operations::crop_sides(inputs[0], sides),
            Op::Resize(how) => stored(operations::resize(inputs[0], &how, inputs.get(1).copied())),
            Op::DepthToSpace { block, order } => {
                operations::depth_to_space(inputs[0], block, order)
            }
            Op::SpaceToDepth { block } => operations::space_to_depth(inputs[0], block),
            Op::MaxPool(pool) => operations::max_pool(inputs[0], &pool),
            Op::AveragePool { pool, counts_padding } => {
                stored(operations::average_pool(inputs[0], &pool, counts_padding))
            }
            Op::SpatialMean => stored(operations::of_channels(inputs[0], |plane| {
                plane.iter().sum::<f64>() / plane.len() as f64
            })),
            Op::SpatialMax => operations::of_channels(inputs[0], |plane| {
                plane.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }),
            Op::Add => stored(operations::combine(Arithmetic::Sum, inputs[0], inputs[1])),
            Op::Upsample => upsample(inputs[0]),
            // `Judgement` clamps and rounds later, so that differences stay visible here.
            Op::Picture => match self.given {
                GraphInput::Photo(photo) => crop(inputs[0], photo.height(), photo.width()),
                GraphInput::Maps(_) => inputs[0].clone(),
            },
        }
    }

    fn conv(&self, id: NodeId, padded: &Map, shape: &Conv) -> Map {
        let nodes = self.graph.nodes();
        let own = self.weights.of(&nodes[id].name);
        let (mut from, mut is_doubled) = (nodes[id].inputs[0], false);
        while let Op::Pad { .. } | Op::Upsample = nodes[from].op {
            is_doubled |= nodes[from].op == Op::Upsample;
            from = nodes[from].inputs[0];
        }
        let is_first = nodes[from].op == Op::Photo;
        let is_read_by = |op: fn(&Op) -> bool| {
            nodes.iter().filter(|node| node.inputs.contains(&id)).any(|node| op(&node.op))
        };
        let has_norm = is_read_by(|op| matches!(op, Op::InstanceNorm { .. }));
        let (padded, factors) = self.rounding.factors(
            padded,
            is_first,
            (&own.weight, shape.out_channels, shape.kernel[0]),
            is_doubled && shape.kernel == [3, 3],
        );
        let bias = self.rounding.bias(&own.bias, has_norm);
        let sums = self
            .rounding
            .biased(&bias, is_first, |bias| operations::conv2d(&padded, &factors, bias, shape));
        if is_read_by(|op| *op == Op::Picture) {
            self.rounding.picture(sums)
        } else {
            self.rounding.sums(sums, is_first)
        }
    }
}

/// Converts to float64.
pub fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// Index of a reflected position: ... 2 1 0 1 2 ... n-1 n-2 ..., repeated as often as needed. A side of one pixel
/// repeats that pixel.
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

/// The photo's colours as a map, reflected to the right and below if the photo is smaller.
fn levels(photo: &Frame, (height, width): (usize, usize)) -> Map {
    Map::from_fn((3, height, width), |c, y, x| {
        let (y, x) = (mirror(y as isize, photo.height()), mirror(x as isize, photo.width()));
        f64::from(photo.pixel(x, y)[c])
    })
}

/// Reflection padding by `pad` pixels on every side.
pub fn reflect_pad(input: &Map, pad: usize) -> Map {
    let sides = Sides { top: pad, left: pad, bottom: pad, right: pad };
    operations::pad(input, PadMode::Reflect, sides)
}

/// [`reflect_pad`], or below zero a crop.
pub fn with_margin(input: &Map, px: isize) -> Map {
    match usize::try_from(px) {
        Ok(px) => reflect_pad(input, px),
        Err(_) => operations::crop_sides(input, Sides::all(px.unsigned_abs())),
    }
}

/// Valid convolution with weights `[out][in][row][column]`.
pub fn conv(input: &Map, weight: &[f64], bias: &[f64], kernel: usize, stride: usize) -> Map {
    let conv = Conv::square(input.channels, bias.len(), kernel, stride);
    operations::conv2d(input, weight, bias, &conv)
}

/// Mean and biased variance of every channel, as a map of one row.
pub fn statistics(input: &Map) -> Map {
    let count = (input.height * input.width) as f64;
    let of = |plane: &[f64]| {
        let mean = plane.iter().sum::<f64>() / count;
        let squares = plane.iter().map(|v| (v - mean) * (v - mean));
        [mean, squares.sum::<f64>() / count]
    };
    let planes = input.data.chunks(input.height * input.width);
    Map { channels: input.channels, height: 1, width: 2, data: planes.flat_map(of).collect() }
}

/// Each channel minus its mean, divided by its standard deviation.
pub fn normalised(input: &Map, statistics: &Map, eps: f64) -> Map {
    let mut out = input.clone();
    let planes = out.data.chunks_mut(input.height * input.width);
    for (plane, own) in planes.zip(statistics.data.chunks(2)) {
        let (mean, variance) = (own[0], own[1]);
        for v in plane {
            *v = (*v - mean) / (variance + eps).sqrt();
        }
    }
    out
}

/// Instance norm with the biased variance of the map itself.
pub fn instance_norm(input: &Map, eps: f64, gamma: &[f64], beta: &[f64]) -> Map {
    affine(&normalised(input, &statistics(input), eps), gamma, beta)
}

/// Scales and shifts each channel.
pub fn affine(input: &Map, gamma: &[f64], beta: &[f64]) -> Map {
    Map::from_fn((input.channels, input.height, input.width), |c, y, x| {
        input.at(c, y, x) * gamma[c] + beta[c]
    })
}

pub fn relu(input: &Map) -> Map {
    input.clone().each(|v| v.max(0.0))
}

/// Every pixel becomes four.
pub fn upsample(input: &Map) -> Map {
    let size = (input.channels, input.height * 2, input.width * 2);
    Map::from_fn(size, |c, y, x| input.at(c, y / 2, x / 2))
}

/// The top left of a map.
pub fn crop(input: &Map, height: usize, width: usize) -> Map {
    Map::from_fn((input.channels, height, width), |c, y, x| input.at(c, y, x))
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
