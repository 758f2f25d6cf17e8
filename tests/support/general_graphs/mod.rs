//! Graphs that contain every operation at least twice, at odd sizes.

mod layers;
mod maps;
mod networks;
mod tokens;

use std::sync::Arc;

use network::{
    Network, NodeWeights, Weights,
    graph::{
        Arithmetic, Conv, Function, Graph, NodeId, Op, PadMode, Sides,
        resize::{Coordinates, Interpolation, Resize, Target},
    },
};
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
    tensor::Shape,
};

/// Large enough that norms amplify no rounding error much.
const EPS: f64 = 0.01;

/// A network and the photo that it is run on.
pub struct Case {
    pub name: String,
    pub network: Arc<Network>,
    pub photo: Frame,
}

/// A graph under construction, and the rows and columns of its photo.
struct Growing(Graph, (usize, usize));

impl Growing {
    fn add(&mut self, op: Op, inputs: &[NodeId]) -> NodeId {
        let name = format!("n{}", self.0.nodes().len());
        self.0.add(&name, &name, op, inputs).expect("earlier nodes")
    }

    /// The map of a node.
    fn shape(&self, id: NodeId) -> Shape {
        let (height, width) = self.1;
        self.0.shapes(height, width).expect("maps")[id]
    }

    fn channels(&self, id: NodeId) -> usize {
        self.shape(id).channels
    }

    /// A convolution of `from`; fills in its channels.
    fn conv(&mut self, from: NodeId, out_channels: usize, conv: Conv) -> NodeId {
        let in_channels = self.channels(from);
        let conv = Conv { in_channels, out_channels, ..conv };
        self.add(Op::Conv2d(conv), &[from])
    }

    /// A plain convolution that keeps the size.
    fn same(&mut self, from: NodeId, out_channels: usize, kernel_px: usize) -> NodeId {
        let pad = zeros(kernel_px / 2);
        let padded = self.add(pad, &[from]);
        self.conv(padded, out_channels, Conv::square(1, 1, kernel_px, 1))
    }

    fn transposed(
        &mut self,
        from: NodeId,
        out_channels: usize,
        conv: Conv,
        cut: usize,
        extra: [usize; 2],
    ) -> NodeId {
        let conv = Conv { in_channels: self.channels(from), out_channels, ..conv };
        let cut = Sides::all(cut);
        self.add(Op::ConvTranspose2d { conv, cut, extra }, &[from])
    }

    fn norm(&mut self, from: NodeId) -> NodeId {
        let statistics = self.add(Op::InstanceStatistics, &[from]);
        self.add(Op::InstanceNorm { eps: EPS }, &[from, statistics])
    }

    fn function(&mut self, function: Function, from: NodeId) -> NodeId {
        self.add(Op::Function(function), &[from])
    }

    fn combine(&mut self, arithmetic: Arithmetic, a: NodeId, b: NodeId) -> NodeId {
        self.add(Op::Combine(arithmetic), &[a, b])
    }

    /// A map of the photo, with small values of both signs.
    fn begin(&mut self, photo: NodeId, channels: usize) -> NodeId {
        let conv = self.same(photo, channels, 3);
        self.norm(conv)
    }

    fn finish(&mut self, from: NodeId) {
        let rgb = self.same(from, 3, 3);
        self.add(Op::Picture, &[rgb]);
    }
}

fn zeros(px: usize) -> Op {
    pad(PadMode::Constant(0.0), [px; 4])
}

fn pad(mode: PadMode, sides: [usize; 4]) -> Op {
    Op::Pad { mode, sides: sides_of(sides) }
}

fn sides_of([top, left, bottom, right]: [usize; 4]) -> Sides {
    Sides { top, left, bottom, right }
}

const fn shaped(
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
) -> Conv {
    Conv { in_channels: 1, out_channels: 1, kernel, stride, dilation, groups }
}

/// Reproducible numbers from -1 to 1: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn values(&mut self, count: usize, centre: f32, spread: f32) -> Vec<f32> {
        (0..count).map(|_| centre + spread * self.next()).collect()
    }
}

/// Weights that keep the size of the values.
fn with_weights(graph: Graph) -> Network {
    let mut random = Random(5);
    let weights: Weights = graph
        .weight_shapes()
        .map(|(node, shape)| {
            let count = shape.weight_len();
            let (centre, spread) = match node.op {
                Op::Conv2d(conv) | Op::ConvTranspose2d { conv, .. } => {
                    let taps = conv.kernel[0] * conv.kernel[1] * conv.in_channels / conv.groups;
                    (0.0, (3.0 / taps as f32).sqrt())
                }
                Op::Prelu => (0.25, 0.25),
                _ => (1.0, 0.5),
            };
            let own = NodeWeights {
                weight: random.values(count, centre, spread),
                bias: random.values(shape.bias, 0.0, 0.5),
            };
            (node.name.clone(), own)
        })
        .collect();
    Network::new(graph, weights).expect("all weights")
}

fn photo(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        let at = |a: usize, b: usize| (x * a + y * b + x * y * 3) as u8;
        [at(37, 11), at(5, 53), at(19, 7), at(1, 2)]
    })
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let mut sized =
        |name: &str, (width, height): (usize, usize), make: &dyn Fn(&mut Growing, NodeId)| {
            let mut growing = Growing(Graph::default(), (height, width));
            let source = growing.add(Op::Photo, &[]);
            make(&mut growing, source);
            all.push(Case {
                name: name.to_owned(),
                network: Arc::new(with_weights(growing.0)),
                photo: photo(width, height),
            });
        };
    layers::convolutions(&mut |name, make| sized(name, (29, 21), make));
    layers::pointwise(&mut |name, make| sized(name, (23, 17), make));
    maps::places(&mut |name, make| sized(name, (27, 19), make));
    maps::windows(&mut |name, make| sized(name, (25, 31), make));
    networks::whole(&mut |name, make| sized(name, (37, 29), make));
    networks::unlike(&mut |name, make| sized(name, (13, 11), make));
    tokens::tokens(&mut |name, make| sized(name, (15, 13), make));
    sized("statistics of many strips", (211, 157), &|g, p| {
        let conv = g.same(p, 5, 1);
        let norm = g.norm(conv);
        let mean = g.add(Op::SpatialMean, &[norm]);
        let most = g.add(Op::SpatialMax, &[conv]);
        let sum = g.add(Op::Add, &[mean, most]);
        let map = g.combine(Arithmetic::Sum, norm, sum);
        let rgb = g.same(map, 3, 1);
        g.add(Op::Picture, &[rgb]);
    });
    all
}

/// A case whose tokens are a photo's pixels: `mix` takes their map and returns another one.
fn case_of_tokens(
    name: String,
    (height, width): (usize, usize),
    mix: impl FnOnce(&mut Growing, NodeId) -> NodeId,
) -> Case {
    let mut growing = Growing(Graph::default(), (height, width));
    let source = growing.add(Op::Photo, &[]);
    // A norm over so small a map would cancel the values.
    let small = growing.function(Function::HardSigmoid { alpha: 1.0 / 256.0, beta: 0.0 }, source);
    let map = growing.linear(small, 24);
    let mixed = mix(&mut growing, map);
    let rgb = growing.linear(mixed, 3);
    let rgb = match is_small(&growing, rgb) {
        true => growing.sized(rgb, [height, width]),
        false => rgb,
    };
    growing.add(Op::Picture, &[rgb]);
    Case { name, network: Arc::new(with_weights(growing.0)), photo: photo(width, height) }
}

/// Attention of a photo's pixels to each other, or to those of another map of `other` rows and columns.
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub fn attention_case(
    (heads, head_size): (usize, usize),
    (height, width): (usize, usize),
    other: Option<[usize; 2]>,
) -> Case {
    let of = other.map_or_else(|| "itself".to_owned(), |[h, w]| format!("{w}x{h}"));
    let name = format!("{width}x{height} to {of}, {heads} heads of {head_size}");
    case_of_tokens(name, (height, width), |growing, map| match other {
        Some(size) => growing.attend_across(map, size, heads, head_size),
        None => growing.attend(map, heads, head_size),
    })
}

/// Attention of a photo's pixels to a map of `other` rows and columns that may have many more.
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub fn far_attention_case(head_size: usize, size: (usize, usize), other: [usize; 2]) -> Case {
    let (height, width) = size;
    let name = format!("{width}x{height} to {}x{} far", other[1], other[0]);
    case_of_tokens(format!("{name}, head of {head_size}"), size, |g, map| {
        g.attend_far(map, other, head_size)
    })
}

/// Attention of a photo's pixels to each other, visible at `seen` rows and columns of them: with all pixels computed,
/// and with only these, for the oracle.
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub fn sampled_attention_cases(
    head_size: usize,
    size: (usize, usize),
    seen: [usize; 2],
) -> [Case; 2] {
    let (height, width) = size;
    let name = format!("{width}x{height} to itself, sampled, head of {head_size}");
    [true, false].map(|is_whole| {
        case_of_tokens(name.clone(), size, |g, map| {
            g.attend_sampled(map, head_size, seen, is_whole)
        })
    })
}

/// Receives a case's name and the function that builds its graph from the photo.
type Take<'t> = &'t mut dyn FnMut(&str, &dyn Fn(&mut Growing, NodeId));

/// True if a map is smaller than the photo.
fn is_small(growing: &Growing, id: NodeId) -> bool {
    let shape = growing.shape(id);
    (shape.height, shape.width) != growing.1
}

fn resized_like(interpolation: Interpolation) -> Op {
    Op::Resize(Resize { interpolation, coordinates: Coordinates::HalfPixel, target: Target::Like })
}

/// The modes in which every graph runs.
pub fn modes() -> impl Iterator<Item = Mode> {
    let stored = [Precision::Fp32, Precision::Fp16, Precision::Bf16];
    let in_products = [Precision::Tf32, Precision::Mixed];
    let baseline = stored.map(|precision| Mode::new(Variant::Baseline, precision));
    let fused =
        stored.into_iter().chain(in_products).map(|precision| Mode::new(Variant::Fused, precision));
    baseline.into_iter().chain(fused)
}
