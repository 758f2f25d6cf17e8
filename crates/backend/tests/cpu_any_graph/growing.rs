//! Random graphs of all operations, valid at the size of their photo or of the maps that they are given.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use network::graph::{
    Arithmetic, BlockOrder, Conv, Function, Graph, NodeId, Op, PadMode, Pool, Sides, SizeRule,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};
use values::tensor::Shape;

/// What norms add to the variance: large enough that no rounding error is amplified much.
const EPS: f64 = 0.1;
/// Maximum number of values of a map, because the oracle is slow.
const MAX_MAP: usize = 40_000;

/// A graph under construction. Nodes are only added if they can read their maps at the photo's size.
pub struct Growing {
    pub graph: Graph,
    /// Width and height of the photo.
    photo: (usize, usize),
    /// Maps that later nodes may read.
    pub maps: Vec<NodeId>,
    nodes: usize,
}

/// The numbers of a case, drawn one after another.
struct Draw<'a>(std::iter::Cycle<std::slice::Iter<'a, u16>>);

impl Draw<'_> {
    fn below(&mut self, end: usize) -> usize {
        usize::from(*self.0.next().expect("some numbers")) % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

impl Growing {
    fn empty(photo: (usize, usize)) -> Self {
        Self { graph: Graph::default(), photo, maps: Vec::new(), nodes: 0 }
    }

    /// A graph whose inputs are maps with these numbers of channels.
    pub fn on_maps(size: (usize, usize), channels: &[usize]) -> Self {
        let mut growing = Self::empty(size);
        for &channels in channels {
            let input = growing.add(Op::Input { channels }, &[]);
            growing.maps.push(input.expect("no inputs"));
        }
        growing
    }

    /// A graph whose input is the photo, with levels scaled to 0..1.
    pub fn new(photo: (usize, usize)) -> Self {
        let mut growing = Self::empty(photo);
        let photo = growing.add(Op::Photo, &[]).expect("no inputs");
        // Moves the values into the range in which the functions are not linear.
        let scaled = Function::HardSigmoid { alpha: 1.0 / 256.0, beta: 0.0 };
        let start = growing.add(Op::Function(scaled), &[photo]);
        growing.maps.push(start.expect("an input"));
        growing
    }

    /// Adds the node if it can read its inputs and its map is not too large.
    pub fn add(&mut self, op: Op, inputs: &[NodeId]) -> Option<NodeId> {
        let mut graph = self.graph.clone();
        self.nodes += 1;
        let name = format!("n{}", self.nodes);
        let id = graph.add(&name, &name, op, inputs).ok()?;
        let shape = graph.shapes(self.photo.1, self.photo.0).ok()?[id];
        (shape.len() <= MAX_MAP).then(|| self.graph = graph)?;
        Some(id)
    }

    pub fn channels(&self, map: NodeId) -> usize {
        self.graph.shapes(self.photo.1, self.photo.0).expect("maps")[map].channels
    }

    /// Adds one operation, preceded by the operations that it needs, or nothing if it does not fit.
    fn grow(&mut self, draw: &mut Draw<'_>) {
        let back = draw.below(3).min(self.maps.len() - 1);
        let x = self.maps[self.maps.len() - 1 - back];
        let y = self.maps[draw.below(self.maps.len())];
        let made = match draw.below(27) {
            0..=3 => self.conv(draw, x),
            4 | 5 => self.transposed(draw, x),
            6 => self.add(Op::Pad { mode: pad_mode(draw), sides: sides(draw, 3) }, &[x]),
            7 => self
                .add(Op::InstanceStatistics, &[x])
                .and_then(|s| self.add(Op::InstanceNorm { eps: EPS }, &[x, s])),
            8 => self.add(Op::Affine, &[x]),
            9 => self.add(draw.of(&[Op::Relu, Op::Prelu]), &[x]),
            10 | 11 => self.function(draw, x),
            12 => self.add(Op::Add, &[x, y]),
            13 | 14 => self.combine(draw, x, y),
            15 => self.add(Op::Concat { count: 2 }, &[x, y]),
            16 => {
                let first = draw.below(self.channels(x));
                let count = 1 + draw.below(self.channels(x) - first);
                self.add(Op::Channels { first, count }, &[x])
            }
            17 => self.add(Op::Crop(sides(draw, 2)), &[x]),
            18 => self.add(Op::Upsample, &[x]),
            19 | 20 => self.resize(draw, x, y),
            21 => {
                let order = draw.of(&[BlockOrder::BlockFirst, BlockOrder::ChannelFirst]);
                let block = draw.of(&[2, 3]);
                let channels = self.channels(x).div_ceil(block * block) * block * block;
                let conv = Op::Conv2d(Conv::square(self.channels(x), channels, 1, 1));
                self.add(conv, &[x])
                    .and_then(|wide| self.add(Op::DepthToSpace { block, order }, &[wide]))
            }
            22 => {
                let block = draw.of(&[2, 3]);
                self.add(Op::SpaceToDepth { block }, &[x])
            }
            23 => self.pool(draw, x),
            24 => self.add(Op::SpatialMean, &[x]),
            25 => {
                let rule = SizeRule::MultipleOf(draw.of(&[1, 2, 3]));
                self.add(Op::Sized(rule), &[x])
            }
            _ => self.add(Op::SpatialMax, &[x]),
        };
        self.maps.extend(made);
    }

    fn conv(&mut self, draw: &mut Draw<'_>, x: NodeId) -> Option<NodeId> {
        let in_channels = self.channels(x);
        let groups = draw.of(&[1, 1, 1, 2, 3, in_channels]);
        let groups = if in_channels.is_multiple_of(groups) { groups } else { 1 };
        let out_channels = match draw.below(3) {
            0 => in_channels,
            _ => draw.of(&[1usize, 3, 5, 8, 16, 20]).div_ceil(groups) * groups,
        };
        let pair = |draw: &mut Draw<'_>, of: &[usize]| [draw.of(of), draw.of(of)];
        let side = draw.of(&[1, 3, 3, 3, 5, 9]);
        let (kernel, stride, dilation) = match draw.below(4) {
            0 => (pair(draw, &[1, 2, 3, 4]), pair(draw, &[1, 2, 3]), pair(draw, &[1, 2, 3])),
            _ => ([side; 2], [draw.of(&[1, 1, 2]); 2], [1; 2]),
        };
        let conv = Conv { in_channels, out_channels, kernel, stride, dilation, groups };
        let [rows, columns] = conv.reach();
        let around = Sides {
            top: rows / 2,
            left: columns / 2,
            bottom: (rows - 1) / 2,
            right: (columns - 1) / 2,
        };
        let sides = match draw.below(4) {
            0 => sides(draw, 3),
            _ => around,
        };
        let mode = pad_mode(draw);
        let padded = match draw.below(8) {
            0 => Some(x),
            1 => {
                let op = Op::PadSame {
                    reach: conv.reach(),
                    stride: conv.stride,
                    is_same_upper: draw.below(2) == 0,
                };
                self.add(op, &[x])
            }
            _ => self.add(Op::Pad { mode, sides }, &[x]),
        };
        self.add(Op::Conv2d(conv), &[padded?])
    }

    fn transposed(&mut self, draw: &mut Draw<'_>, x: NodeId) -> Option<NodeId> {
        let in_channels = self.channels(x);
        let groups = if draw.below(4) == 0 { in_channels } else { 1 };
        let stride = [draw.of(&[1, 2, 2, 3]), draw.of(&[1, 2, 2, 3])];
        let conv = Conv {
            in_channels,
            out_channels: draw.of(&[1, 4, 17]) * groups,
            kernel: [1 + draw.below(5), 1 + draw.below(5)],
            stride,
            dilation: [draw.of(&[1, 1, 2, 3]), draw.of(&[1, 1, 2])],
            groups,
        };
        let op = Op::ConvTranspose2d {
            conv,
            cut: sides(draw, 3),
            extra: [draw.below(stride[0]), draw.below(stride[1])],
        };
        self.add(op, &[x])
    }

    /// Applies a function to values in a range in which it is not too steep.
    fn function(&mut self, draw: &mut Draw<'_>, x: NodeId) -> Option<NodeId> {
        let clip = |least, most| Some(Function::Clip { least, most });
        let (held, function) = draw.of(&[
            (None, Function::LeakyRelu { slope: 0.2 }),
            (None, Function::Elu { alpha: 0.7 }),
            (None, Function::Sigmoid),
            (None, Function::HardSigmoid { alpha: 0.3, beta: 0.4 }),
            (None, Function::Tanh),
            (None, Function::Clip { least: 0.25, most: f64::INFINITY }),
            (clip(0.25, 9.0), Function::Sqrt),
            (clip(0.25, 9.0), Function::Reciprocal),
            (None, Function::Abs),
            (clip(-2.0, 1.5), Function::Exp),
            (None, Function::Softplus),
            (None, Function::Erf),
        ]);
        let x = match held {
            Some(held) => self.add(Op::Function(held), &[x])?,
            None => x,
        };
        self.add(Op::Function(function), &[x])
    }

    fn combine(&mut self, draw: &mut Draw<'_>, x: NodeId, y: NodeId) -> Option<NodeId> {
        let y = match draw.below(4) {
            0 => self.add(Op::SpatialMean, &[x])?,
            1 => self.add(Op::Channels { first: 0, count: 1 }, &[x])?,
            _ => y,
        };
        let arithmetic = draw.of(&[
            Arithmetic::Sum,
            Arithmetic::Difference,
            Arithmetic::Product,
            Arithmetic::Quotient,
        ]);
        let held = Function::Clip { least: 0.5, most: 2.0 };
        let y = match arithmetic {
            Arithmetic::Quotient => self.add(Op::Function(held), &[y])?,
            _ => y,
        };
        let inputs = match (draw.below(2), arithmetic) {
            (0, Arithmetic::Sum | Arithmetic::Difference) => [y, x],
            _ => [x, y],
        };
        self.add(Op::Combine(arithmetic), &inputs)
    }

    /// Combines the newest map with a constant map, or with one that is constant over channels, rows or columns.
    fn constant(&mut self, draw: &mut Draw<'_>) {
        let x = self.maps[self.maps.len() - 1];
        let shapes = self.graph.shapes(self.photo.1, self.photo.0);
        let of = shapes.expect("maps")[x];
        let mut side = |side: usize| draw.of(&[1, side, side]);
        let shape = Shape::new(side(of.channels), side(of.height), side(of.width));
        let constant = self.add(Op::Constant(shape), &[]).expect("no inputs");
        let arithmetic = draw.of(&[Arithmetic::Sum, Arithmetic::Product, Arithmetic::Quotient]);
        let made = self.add(Op::Combine(arithmetic), &[x, constant]);
        self.maps.extend(made);
    }

    fn resize(&mut self, draw: &mut Draw<'_>, x: NodeId, y: NodeId) -> Option<NodeId> {
        let interpolation = draw.of(&[
            Interpolation::Nearest(Rounding::Floor),
            Interpolation::Nearest(Rounding::PreferCeil),
            Interpolation::Linear,
            Interpolation::Linear,
            Interpolation::Cubic { a: -0.75 },
            Interpolation::Fit { beyond: PadMode::Reflect, is_centred: true },
            Interpolation::Fit { beyond: PadMode::Replicate, is_centred: false },
            Interpolation::Fit { beyond: PadMode::Constant(0.0), is_centred: true },
        ]);
        let coordinates = draw.of(&[
            Coordinates::HalfPixel,
            Coordinates::PytorchHalfPixel,
            Coordinates::HalfPixelSymmetric,
            Coordinates::AlignCorners,
            Coordinates::Asymmetric,
        ]);
        let axis = draw.below(2);
        let target = draw.of(&[
            Target::Scale([2.0, 2.0]),
            Target::Scale([0.5, 1.5]),
            Target::Size([6, 11]),
            Target::Like,
            Target::LikeOnAxis(axis),
            Target::MultipleOf([3, 4]),
        ]);
        let resize = Op::Resize(Resize { interpolation, coordinates, target });
        match target {
            Target::Like | Target::LikeOnAxis(_) => self.add(resize, &[x, y]),
            _ => self.add(resize, &[x]),
        }
    }

    fn pool(&mut self, draw: &mut Draw<'_>, x: NodeId) -> Option<NodeId> {
        let kernel = [1 + draw.below(3), 1 + draw.below(3)];
        let pool = Pool {
            kernel,
            stride: [1 + draw.below(3), 1 + draw.below(3)],
            sides: Sides {
                top: draw.below(kernel[0]),
                left: draw.below(kernel[1]),
                bottom: draw.below(kernel[0]),
                right: draw.below(kernel[1]),
            },
            is_ceil: draw.below(2) == 0,
        };
        let op = draw.of(&[
            Op::MaxPool(pool),
            Op::AveragePool { pool, counts_padding: true },
            Op::AveragePool { pool, counts_padding: false },
        ]);
        self.add(op, &[x])
    }

    /// Ends the graph with a picture of its last map.
    pub fn finished(mut self) -> Graph {
        let last = self.maps[self.maps.len() - 1];
        let resize = Op::Resize(Resize {
            interpolation: Interpolation::Linear,
            coordinates: Coordinates::HalfPixel,
            target: Target::Like,
        });
        let sized = self.add(resize, &[last, 0]).unwrap_or(0);
        let rgb = Op::Conv2d(Conv::square(self.channels(sized), 3, 1, 1));
        let rgb = self.add(rgb, &[sized]).expect("a map");
        self.add(Op::Picture, &[rgb]).expect("three channels");
        self.graph
    }
}

fn sides(draw: &mut Draw<'_>, end: usize) -> Sides {
    Sides {
        top: draw.below(end),
        left: draw.below(end),
        bottom: draw.below(end),
        right: draw.below(end),
    }
}

fn pad_mode(draw: &mut Draw<'_>) -> PadMode {
    draw.of(&[PadMode::Reflect, PadMode::Replicate, PadMode::Constant(0.0), PadMode::Constant(0.3)])
}

/// A graph of at most `steps` operations, chosen by a case's numbers, on one or two given maps.
pub fn random_graph_on_maps(numbers: &[u16], size: (usize, usize), steps: usize) -> Graph {
    let mut draw = Draw(numbers.iter().cycle());
    let channels: Vec<usize> = (0..=draw.below(2)).map(|_| 1 + draw.below(40)).collect();
    let mut growing = Growing::on_maps(size, &channels);
    for _ in 0..steps {
        if draw.below(4) == 0 {
            growing.constant(&mut draw);
        }
        growing.grow(&mut draw);
    }
    let last = growing.maps[growing.maps.len() - 1];
    growing.add(Op::Affine, &[last]).expect("a map");
    growing.graph
}

/// A graph of at most `steps` operations, chosen by a case's numbers.
pub fn random_graph(numbers: &[u16], photo: (usize, usize), steps: usize) -> Graph {
    let mut growing = Growing::new(photo);
    let mut draw = Draw(numbers.iter().cycle());
    for _ in 0..steps {
        growing.grow(&mut draw);
    }
    growing.finished()
}
