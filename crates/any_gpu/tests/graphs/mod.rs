//! Graphs with every operation that GPUs compute, for tests of plans and of devices.

use network::graph::{
    Arithmetic, BlockOrder, Conv, Function, Graph, NodeId, Op, PadMode, Pool, Sides,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};

fn add(graph: &mut Graph, op: Op, inputs: &[NodeId]) -> NodeId {
    let name = format!("n{}", graph.nodes().len());
    graph.add(&name, "", op, inputs).expect("earlier nodes")
}

fn resize(interpolation: Interpolation, scales: [f64; 2]) -> Op {
    let (coordinates, target) = (Coordinates::HalfPixel, Target::Scale(scales));
    Op::Resize(Resize { interpolation, coordinates, target })
}

/// A norm of a map.
fn norm(graph: &mut Graph, map: NodeId) -> NodeId {
    let statistics = add(graph, Op::InstanceStatistics, &[map]);
    add(graph, Op::InstanceNorm { eps: 1e-5 }, &[map, statistics])
}

/// Every operation, at photos of any size from 12 pixels on, with odd numbers of channels.
pub fn everything() -> Graph {
    let mut g = Graph::default();
    let photo = add(&mut g, Op::Photo, &[]);
    let padded = add(&mut g, Op::Pad { mode: PadMode::Replicate, sides: Sides::all(2) }, &[photo]);
    let first = add(&mut g, Op::Conv2d(Conv::square(3, 23, 5, 1)), &[padded]);
    let normed = norm(&mut g, first);
    let relu = add(&mut g, Op::Relu, &[normed]);
    // Convolutions of all kinds.
    let sides = Sides { top: 1, left: 2, bottom: 3, right: 1 };
    let padded = add(&mut g, Op::Pad { mode: PadMode::Constant(0.5), sides }, &[relu]);
    let own = Conv { groups: 23, dilation: [1, 2], ..Conv::square(23, 23, 3, 1) };
    let own = add(&mut g, Op::Conv2d(own), &[padded]);
    let affine = add(&mut g, Op::Affine, &[own]);
    let slopes = add(&mut g, Op::Prelu, &[affine]);
    let same = Op::PadSame { reach: [3, 3], stride: [2, 2], is_same_upper: true };
    let padded = add(&mut g, same, &[slopes]);
    let mixed = add(&mut g, Op::Conv2d(Conv::square(23, 36, 3, 2)), &[padded]);
    let grouped = Conv { groups: 2, ..Conv::square(36, 30, 1, 1) };
    let grouped = add(&mut g, Op::Conv2d(grouped), &[mixed]);
    let normed = norm(&mut g, grouped);
    // Functions. Norms between them keep values spread, so that rounding to halves stays small.
    let mut functions = normed;
    for group in [
        &[Function::LeakyRelu { slope: 0.3 }, Function::Elu { alpha: 0.8 }][..],
        &[Function::Tanh],
        &[Function::Gelu],
        &[Function::Sigmoid],
        &[Function::Softplus],
        &[Function::Erf],
        &[Function::HardSigmoid { alpha: 0.4, beta: 0.3 }],
        &[Function::Exp, Function::Sqrt, Function::Reciprocal],
        &[Function::Abs],
        &[Function::Clip { least: -1.0, most: 1.5 }],
    ] {
        for &function in group {
            functions = add(&mut g, Op::Function(function), &[functions]);
        }
        functions = norm(&mut g, functions);
    }
    let sum = add(&mut g, Op::Add, &[functions, normed]);
    // Moves.
    let small = add(&mut g, Op::SpaceToDepth { block: 1 }, &[sum]);
    let part = add(&mut g, Op::Channels { first: 3, count: 17 }, &[small]);
    let joined = add(&mut g, Op::Concat { count: 2 }, &[part, small]);
    let cut = Op::Crop(Sides { top: 1, left: 0, bottom: 0, right: 1 });
    let cut = add(&mut g, cut, &[joined]);
    let mirrored =
        Op::Pad { mode: PadMode::Reflect, sides: Sides { top: 1, left: 0, bottom: 0, right: 1 } };
    let mirrored = add(&mut g, mirrored, &[cut]);
    // Whole channels, and broadcasting.
    let mean = add(&mut g, Op::SpatialMean, &[mirrored]);
    let largest = add(&mut g, Op::SpatialMax, &[mirrored]);
    let gate = add(&mut g, Op::Combine(Arithmetic::Sum), &[mean, largest]);
    let gate = add(&mut g, Op::Function(Function::Sigmoid), &[gate]);
    let gated = add(&mut g, Op::Combine(Arithmetic::Product), &[mirrored, gate]);
    let one = add(&mut g, Op::Channels { first: 5, count: 1 }, &[gated]);
    let less = add(&mut g, Op::Combine(Arithmetic::Difference), &[gated, one]);
    let share = add(&mut g, Op::Function(Function::Exp), &[gate]);
    let less = add(&mut g, Op::Combine(Arithmetic::Quotient), &[less, share]);
    // Windows.
    let pool =
        Pool { sides: Sides::all(1), ..Pool { kernel: [3, 3], stride: [1, 1], ..Pool::blocks(3) } };
    let pooled = add(&mut g, Op::MaxPool(pool), &[less]);
    let pooled = add(&mut g, Op::AveragePool { pool, counts_padding: false }, &[pooled]);
    let pooled = add(&mut g, Op::AveragePool { pool, counts_padding: true }, &[pooled]);
    let wide = add(&mut g, resize(Interpolation::Cubic { a: -0.75 }, [1.5, 1.25]), &[pooled]);
    let wide = add(&mut g, resize(Interpolation::Linear, [1.0, 1.6]), &[wide]);
    let near = resize(Interpolation::Nearest(Rounding::Floor), [1.4, 1.0]);
    let wide = add(&mut g, near, &[wide]);
    // Tokens: heads that begin within packs.
    let shrunk = add(&mut g, Op::Conv2d(Conv::square(47, 28, 3, 2)), &[wide]);
    let tokens = add(&mut g, Op::LayerNorm { eps: 1e-6 }, &[shrunk]);
    let placed = add(&mut g, Op::Positions, &[tokens]);
    let all = add(&mut g, Op::Conv2d(Conv::square(28, 84, 1, 1)), &[placed]);
    let parts = [0, 28, 56].map(|first| add(&mut g, Op::Channels { first, count: 28 }, &[all]));
    let seen = add(&mut g, Op::Attention { heads: 4 }, &parts);
    let uneven = [1, 15, 29].map(|first| add(&mut g, Op::Channels { first, count: 14 }, &[all]));
    let also = add(&mut g, Op::Attention { heads: 7 }, &uneven);
    let linear = add(&mut g, Op::Conv2d(Conv::square(14, 28, 1, 1)), &[also]);
    let added = add(&mut g, Op::Add, &[seen, linear]);
    // Means of all tokens are nearly equal, and a norm of them alone would be one of rounding errors.
    let added = add(&mut g, Op::Add, &[added, shrunk]);
    let added = norm(&mut g, added);
    // Back to pixels.
    let more = Conv { kernel: [3, 4], stride: [2, 2], ..Conv::square(28, 24, 1, 1) };
    let up = Op::ConvTranspose2d { conv: more, cut: Sides::all(1), extra: [1, 0] };
    let up = add(&mut g, up, &[added]);
    let doubled = add(&mut g, Op::Upsample, &[up]);
    let mirrored = add(&mut g, Op::reflect(1), &[doubled]);
    let last = add(&mut g, Op::Conv2d(Conv::square(24, 20, 3, 1)), &[mirrored]);
    let last = norm(&mut g, last);
    let order = BlockOrder::BlockFirst;
    let blocks = add(&mut g, Op::DepthToSpace { block: 2, order }, &[last]);
    let rgb = add(&mut g, Op::Conv2d(Conv::square(5, 12, 1, 1)), &[blocks]);
    let order = BlockOrder::ChannelFirst;
    let rgb = add(&mut g, Op::DepthToSpace { block: 2, order }, &[rgb]);
    let scaled = add(&mut g, Op::Function(Function::Tanh), &[rgb]);
    let scaled = add(&mut g, Op::Affine, &[scaled]);
    add(&mut g, Op::Picture, &[scaled]);
    g
}
