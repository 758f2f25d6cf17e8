//! Graphs as a hostile file may contain them. A planner or a device must only return an error for them.
//!
//! Numbers come from bytes, so that both a fuzzer and a test can choose them.

#![allow(dead_code, reason = "the test and the fuzz target use parts of it")]

use std::sync::Arc;

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Network,
    graph::{
        Arithmetic, BlockOrder, Conv, Function, Graph, GraphError, NodeId, Op, PadMode, Pool,
        Sides, SizeRule,
        resize::{Coordinates, Interpolation, Resize, Rounding, Target},
    },
};
use plan::cuda::{CudaPlan, DeviceLimits};
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
    tensor::Shape,
};

/// Maximum multiply-adds of a graph that runs; larger ones are only planned.
const MAX_RUN: u64 = 1 << 23;
/// Longest side of a photo, in pixels.
const MAX_PHOTO_PX: usize = 4000;

/// Numbers drawn from bytes; zeros after their end.
pub struct Draw<'a>(pub std::slice::Iter<'a, u8>);

impl Draw<'_> {
    fn byte(&mut self) -> usize {
        self.0.next().copied().map_or(0, usize::from)
    }

    fn below(&mut self, end: usize) -> usize {
        let number = if end > 256 { self.byte() << 8 | self.byte() } else { self.byte() };
        number % end.max(1)
    }

    fn is_rare(&mut self) -> bool {
        self.byte() > 247
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Mostly a small number from 1 on; rarely one at or beyond any limit.
    fn number(&mut self, usual: usize) -> usize {
        match self.is_rare() {
            true => self.of(&[0, 1, 31, 32, 33, 512, 1024, 1025, 4096, 4097, 1 << 20, usize::MAX]),
            false => 1 + self.below(usual),
        }
    }

    fn pair(&mut self, usual: usize) -> [usize; 2] {
        let first = self.number(usual);
        if self.below(3) == 0 { [first, self.number(usual)] } else { [first; 2] }
    }

    fn sides(&mut self, usual: usize) -> Sides {
        let px = self.number(usual).saturating_sub(1);
        if self.below(2) == 0 {
            return Sides::all(px);
        }
        let mut side = || self.number(usual).saturating_sub(1);
        Sides { top: side(), left: side(), bottom: side(), right: side() }
    }

    fn value(&mut self) -> f64 {
        match self.is_rare() {
            true => self.of(&[f64::NAN, f64::INFINITY, 1e300, -1e300, 1e-300, -0.0]),
            false => self.below(9) as f64 / 2.0 - 2.0,
        }
    }

    /// A side of a photo; every number of digits is equally likely.
    fn side(&mut self) -> usize {
        let most = self.of(&[4, 16, 16, 64, 64, 100, 200, 1000, MAX_PHOTO_PX]);
        1 + self.below(most)
    }

    /// Width and height of a photo.
    pub fn photo(&mut self) -> (usize, usize) {
        (self.side(), self.side())
    }
}

/// A graph under construction.
struct Growing {
    graph: Graph,
    channels: Vec<usize>,
    /// Omits nodes that cannot read their maps at one size of a photo.
    is_strict: bool,
    error: Option<GraphError>,
}

impl Growing {
    /// Appends a node; keeps the first error and omits its node.
    fn add(&mut self, op: Op, inputs: &[NodeId]) -> NodeId {
        let before = self.graph.clone();
        let name = format!("n{}", self.graph.nodes().len());
        match self.graph.add(&name, "", op, inputs) {
            Ok(id) => {
                let shapes = self.graph.shapes(64, 64).ok();
                let channels = shapes.and_then(|all| all.last().map(|map| map.channels));
                // Nodes that run at no size are rarely worth more nodes.
                if channels.is_none() && self.is_strict {
                    self.graph = before;
                    return self.graph.nodes().len() - 1;
                }
                self.channels.push(channels.unwrap_or(3));
                id
            }
            Err(error) => {
                self.error.get_or_insert(error);
                self.graph.nodes().len() - 1
            }
        }
    }

    /// A convolution with its usual neighbours in Johnson's networks, or almost so.
    fn layer(&mut self, draw: &mut Draw<'_>, mut x: NodeId) -> NodeId {
        let kernel = draw.of(&[1, 3, 3, 3, 5, 9, 2, 4]);
        if draw.below(4) == 0 {
            x = self.add(Op::Upsample, &[x]);
        }
        if kernel > 1 && draw.below(8) > 0 {
            let margin = if draw.below(8) == 0 { draw.number(6) } else { kernel / 2 };
            x = self.add(Op::reflect(margin), &[x]);
        }
        let out = draw.of(&[3, 3, 8, 16, 17, 32]);
        let stride = draw.of(&[1, 1, 1, 2, 2, 3]);
        let conv = Conv::square(self.channels[x], out, kernel, stride);
        x = self.add(Op::Conv2d(conv), &[x]);
        if draw.below(4) > 0 {
            let statistics = self.add(Op::InstanceStatistics, &[x]);
            x = self.add(Op::InstanceNorm { eps: 1e-5 }, &[x, statistics]);
        }
        match draw.below(4) {
            0 => x,
            1 => {
                let other = draw.below(self.channels.len());
                self.add(Op::Add, &[x, other])
            }
            _ => self.add(Op::Relu, &[x]),
        }
    }

    fn any(&mut self, draw: &mut Draw<'_>, x: NodeId) -> NodeId {
        let y = draw.below(self.channels.len());
        let channels = self.channels[x];
        let pool = |draw: &mut Draw<'_>| Pool {
            kernel: draw.pair(4),
            stride: draw.pair(3),
            sides: draw.sides(3),
            is_ceil: draw.below(2) == 0,
        };
        let conv = |draw: &mut Draw<'_>| {
            let groups = draw.of(&[1, 1, channels, 2, 3]);
            Conv {
                in_channels: if draw.is_rare() { draw.number(9) } else { channels },
                out_channels: draw.number(20).div_ceil(groups).wrapping_mul(groups),
                kernel: draw.pair(4),
                stride: draw.pair(3),
                dilation: draw.pair(3),
                groups,
            }
        };
        let op = match draw.below(25) {
            0 | 1 => Op::Conv2d(conv(draw)),
            2 | 3 => {
                let conv = conv(draw);
                let extra = draw.pair(2).map(|px| px.wrapping_sub(1));
                Op::ConvTranspose2d { conv, cut: draw.sides(3), extra }
            }
            4 => Op::Pad {
                mode: draw.of(&[PadMode::Reflect, PadMode::Replicate]),
                sides: draw.sides(5),
            },
            5 => Op::Pad { mode: PadMode::Constant(draw.value()), sides: draw.sides(5) },
            6 => Op::PadSame {
                reach: draw.pair(5),
                stride: draw.pair(3),
                is_same_upper: draw.below(2) == 0,
            },
            7 => Op::InstanceStatistics,
            8 => Op::LayerNorm { eps: draw.value() },
            9 => draw.of(&[Op::Affine, Op::Relu, Op::Prelu, Op::Positions]),
            10 => {
                let slope = draw.value();
                Op::Function(draw.of(&[
                    Function::LeakyRelu { slope },
                    Function::Clip { least: slope, most: 3.0 },
                    Function::Sqrt,
                    Function::Reciprocal,
                    Function::Exp,
                    Function::Gelu,
                    Function::Log,
                    Function::Round,
                    Function::Floor,
                ]))
            }
            11 => Op::Channels {
                first: draw.number(channels).saturating_sub(1),
                count: draw.number(channels),
            },
            12 => Op::Crop(draw.sides(3)),
            13 => Op::Upsample,
            14 | 15 => Op::Resize(Resize {
                interpolation: draw.of(&[
                    Interpolation::Nearest(Rounding::Floor),
                    Interpolation::Nearest(Rounding::PreferCeil),
                    Interpolation::Linear,
                    Interpolation::Cubic { a: -0.75 },
                ]),
                coordinates: draw.of(&[
                    Coordinates::HalfPixel,
                    Coordinates::AlignCorners,
                    Coordinates::Asymmetric,
                    Coordinates::HalfPixelSymmetric,
                ]),
                target: match draw.below(3) {
                    0 => Target::Scale(draw.of(&[[0.5; 2], [2.0; 2], [0.865, 1.3], [64.0, 0.02]])),
                    1 => Target::Size(draw.pair(40)),
                    _ => Target::Scale([draw.value(), 1.0]),
                },
            }),
            16 => {
                let order = draw.of(&[BlockOrder::BlockFirst, BlockOrder::ChannelFirst]);
                Op::DepthToSpace { block: draw.number(3), order }
            }
            17 => Op::SpaceToDepth { block: draw.number(3) },
            18 => Op::MaxPool(pool(draw)),
            19 => Op::AveragePool { pool: pool(draw), counts_padding: draw.below(2) == 0 },
            20 => draw.of(&[Op::SpatialMean, Op::SpatialMax]),
            21 => Op::Sized(match draw.below(4) {
                0 => SizeRule::Exactly(draw.pair(40)),
                _ => SizeRule::MultipleOf(draw.number(5)),
            }),
            22 => {
                let heads = draw.of(&[1, 2, 4]);
                return self.add(Op::Attention { heads }, &[x, y, y]);
            }
            23 => {
                let shape = Shape::new(draw.number(4), draw.number(9), draw.number(9));
                let constant = self.add(Op::Constant(shape), &[]);
                let arithmetic = draw.of(&[Arithmetic::Sum, Arithmetic::Quotient]);
                return self.add(Op::Combine(arithmetic), &[x, constant]);
            }
            _ => {
                let op = draw.of(&[
                    Op::Add,
                    Op::Combine(Arithmetic::Product),
                    Op::Concat { count: 2 },
                    Op::Resize(Resize {
                        interpolation: Interpolation::Linear,
                        coordinates: Coordinates::HalfPixel,
                        target: Target::Like,
                    }),
                    Op::InstanceNorm { eps: 0.1 },
                ]);
                return self.add(op, &[x, y]);
            }
        };
        self.add(op, &[x])
    }
}

/// A graph, valid or not.
///
/// # Errors
/// Returns the error of the first invalid node, if any, which is omitted.
pub fn graph(draw: &mut Draw<'_>) -> (Graph, Option<GraphError>) {
    let is_strict = draw.below(8) > 0;
    let (graph, channels) = (Graph::default(), Vec::new());
    let mut growing = Growing { graph, channels, is_strict, error: None };
    let mut x = growing.add(Op::Photo, &[]);
    let is_of_layers = draw.below(2) == 0;
    for _ in 0..1 + draw.below(7) {
        // Mostly the newest map.
        if draw.below(4) == 0 {
            x = draw.below(growing.channels.len());
        }
        x = match is_of_layers && draw.below(8) > 0 {
            true => growing.layer(draw, x),
            false => growing.any(draw, x),
        };
    }
    if growing.channels[x] != 3 || draw.below(4) == 0 {
        let kernel = draw.of(&[1, 3, 9, 5]);
        if kernel > 1 {
            x = growing.add(Op::reflect(kernel / 2), &[x]);
        }
        let conv = Conv::square(growing.channels[x], 3, kernel, draw.of(&[1, 1, 1, 2]));
        x = growing.add(Op::Conv2d(conv), &[x]);
    }
    growing.add(Op::Picture, &[x]);
    (growing.graph, growing.error)
}

/// The outcome of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The graph does not make a picture of the photo.
    Refused,
    /// No CPU variant runs it, or it is too large to be run here.
    Planned,
    Painted,
}

/// Plans a graph for all devices, and runs it on `backends`. Each run ends with an error or with the same picture for
/// the same photo, regardless of what was painted before.
pub fn try_graph(
    draw: &mut Draw<'_>,
    devices: &[DeviceLimits],
    backends: &[CpuBackend],
) -> Outcome {
    let (graph, _) = graph(draw);
    let (width, height) = draw.photo();
    let mode = draw.of(&Mode::all().collect::<Vec<_>>());
    let device = &devices[draw.below(devices.len())];
    let batch = draw.of(&[1, 1, 1, 4]);
    if let Ok(plan) = CudaPlan::new(&graph, (height, width), batch, mode, device) {
        for map in &plan.maps {
            assert!(map.offset < plan.arena_bytes.max(1));
        }
        assert!(plan.device_bytes() > 0);
    }
    let Ok((_, shapes)) = graph.for_photo(height, width) else {
        return Outcome::Refused;
    };
    let weights: usize =
        graph.weight_shapes().map(|(_, shape)| shape.weight_len() + shape.bias).sum();
    if graph.multiply_adds(&shapes) > MAX_RUN || weights > 1 << 18 {
        return Outcome::Planned;
    }
    let Ok(network) = Network::random(graph, 5) else { return Outcome::Refused };
    let network = Arc::new(network);
    let precision = draw.of(&[Precision::Fp32, Precision::Fp32, Precision::Int8]);
    let mode = Mode::new(draw.of(&[Variant::Fused, Variant::Fused, Variant::Baseline]), precision);
    let backend = &backends[draw.below(backends.len())];
    let Ok(mut session) = backend.open(&network, &SessionSpec::single(width, height, mode)) else {
        return Outcome::Planned;
    };
    let photo = |seed: usize| {
        let level = |x: usize, y: usize, c: usize| (x * 37 + y * 53 + x * y * seed + c * 91) as u8;
        Frame::from_fn(width, height, |x, y| [level(x, y, 0), level(x, y, 1), level(x, y, 2), 255])
    };
    let mut paint = |photo: &Frame| {
        let mut painting = photo.clone();
        session.paint(photo, &mut painting, &RunControl::default()).map(|_| painting)
    };
    let first = paint(&photo(3));
    let other = paint(&photo(7));
    let again = paint(&photo(3));
    match (first, other, again) {
        (Ok(first), Ok(_), Ok(again)) => {
            assert!(first == again, "a picture depends on what was painted before it");
            Outcome::Painted
        }
        (Err(_), ..) => Outcome::Planned,
        _ => panic!("the same session paints once and then fails"),
    }
}

/// One GPU for each kind of kernels.
pub const DEVICES: [DeviceLimits; 3] = [
    device((7, 5), 40, (64, 64)),
    device((8, 0), 108, (163, 164)),
    device((9, 0), 132, (227, 228)),
];

const fn device(
    compute_capability: (i32, i32),
    multiprocessors: usize,
    shared_kib: (usize, usize),
) -> DeviceLimits {
    DeviceLimits {
        compute_capability,
        multiprocessors,
        shared_bytes_per_cta: shared_kib.0 * 1024,
        shared_bytes_per_multiprocessor: shared_kib.1 * 1024,
    }
}
