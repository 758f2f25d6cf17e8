//! Small networks of published kinds, and graphs that are almost Johnson's.

use network::graph::{
    Arithmetic, BlockOrder, Conv, Function, NodeId, Op, Pool, Sides, resize::Interpolation,
};

use super::{EPS, Growing, Take, resized_like, shaped, zeros};

pub(super) fn whole(case: Take<'_>) {
    case("transposed, zeros and tanh", &|g, p| {
        let small = g.add(Op::Affine, &[p]);
        let mut map = g.same(small, 16, 9);
        for channels in [24, 32] {
            let norm = g.norm(map);
            let relu = g.add(Op::Relu, &[norm]);
            let padded = g.add(zeros(1), &[relu]);
            map = g.conv(padded, channels, shaped([3; 2], [2; 2], [1; 2], 1));
        }
        for channels in [24, 16] {
            let norm = g.norm(map);
            let relu = g.add(Op::Relu, &[norm]);
            let shape = shaped([3; 2], [2; 2], [1; 2], 1);
            map = g.transposed(relu, channels, shape, 1, [1, 1]);
        }
        let norm = g.norm(map);
        let rgb = g.same(norm, 3, 9);
        let tanh = g.function(Function::Tanh, rgb);
        let levels = g.add(Op::Affine, &[tanh]);
        g.add(Op::Picture, &[levels]);
    });
    case("batch norm in front, depthwise, skips", &|g, p| {
        let small = g.add(Op::Affine, &[p]);
        let first = g.same(small, 16, 3);
        let affine = g.add(Op::Affine, &[first]);
        let relu = g.function(Function::Clip { least: 0.0, most: 6.0 }, affine);
        let padded = g.add(zeros(1), &[relu]);
        let deep = g.conv(padded, 16, shaped([3; 2], [2; 2], [1; 2], 16));
        let wide = g.same(deep, 48, 1);
        let mean = g.add(Op::SpatialMean, &[wide]);
        let squeezed = g.same(mean, 6, 1);
        let squeezed = g.add(Op::Relu, &[squeezed]);
        let excited = g.same(squeezed, 48, 1);
        let gate = g.function(Function::Sigmoid, excited);
        let gated = g.combine(Arithmetic::Product, wide, gate);
        let large = g.add(resized_like(Interpolation::Linear), &[gated, p]);
        let joined = g.add(Op::Concat { count: 2 }, &[large, first]);
        g.finish(joined);
    });
    case("large sums over levels before a norm", &|g, p| {
        // Like Johnson's first layer, but padded with zeros and read by a node that is not a convolution.
        let conv = g.same(p, 20, 9);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let pool = Pool { kernel: [2; 2], stride: [1; 2], sides: Sides::default(), is_ceil: false };
        let pooled = g.add(Op::MaxPool(pool), &[relu]);
        let back = g.add(resized_like(Interpolation::Linear), &[pooled, p]);
        g.finish(back);
    });
    case("twice the size", &|g, p| {
        let map = g.begin(p, 12);
        let blocks = Op::DepthToSpace { block: 2, order: BlockOrder::ChannelFirst };
        let rgb = g.add(blocks, &[map]);
        g.add(Op::Picture, &[rgb]);
    });
}

/// Graphs that the planner could mistake for Johnson's networks.
pub(super) fn unlike(case: Take<'_>) {
    let reflected =
        |g: &mut Growing, from: NodeId, out: usize, kernel_px: usize, stride_px: usize| {
            let padded = g.add(Op::reflect(kernel_px / 2), &[from]);
            g.conv(padded, out, Conv::square(1, 1, kernel_px, stride_px))
        };
    let finish = |g: &mut Growing, from: NodeId| {
        let rgb = reflected(g, from, 3, 3, 1);
        g.add(Op::Picture, &[rgb]);
    };
    case("photo to picture", &|g, p| finish(g, p));
    case("bare picture", &|g, p| {
        g.add(Op::Picture, &[p]);
    });
    case("no norm after the first convolution", &|g, p| {
        let conv = reflected(g, p, 16, 3, 1);
        let relu = g.add(Op::Relu, &[conv]);
        finish(g, relu);
    });
    case("a first convolution that is read raw", &|g, p| {
        let conv = reflected(g, p, 16, 3, 1);
        let norm = g.norm(conv);
        let sum = g.add(Op::Add, &[conv, norm]);
        finish(g, sum);
    });
    case("photo added to a map", &|g, p| {
        let conv = reflected(g, p, 3, 3, 1);
        let norm = g.norm(conv);
        let sum = g.add(Op::Add, &[norm, p]);
        finish(g, sum);
    });
    case("stride over a doubled map", &|g, p| {
        let conv = reflected(g, p, 16, 3, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let large = g.add(Op::Upsample, &[relu]);
        let conv = reflected(g, large, 16, 3, 2);
        let norm = g.norm(conv);
        finish(g, norm);
    });
    case("a first kernel of 11", &|g, p| {
        let conv = reflected(g, p, 16, 11, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        finish(g, relu);
    });
    case("600 channels", &|g, p| {
        let conv = reflected(g, p, 600, 1, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        finish(g, relu);
    });
    case("photo doubled", &|g, p| {
        let large = g.add(Op::Upsample, &[p]);
        let conv = reflected(g, large, 16, 3, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        finish(g, relu);
    });
    case("a first stride of 2", &|g, p| {
        let conv = reflected(g, p, 16, 9, 2);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let large = g.add(Op::Upsample, &[relu]);
        // The picture's own map is doubled.
        finish(g, large);
    });
    case("even kernels, stride of 3", &|g, p| {
        let conv = reflected(g, p, 16, 4, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let conv = reflected(g, relu, 24, 5, 3);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let large = g.add(Op::Upsample, &[relu]);
        let large = g.add(Op::Upsample, &[large]);
        let conv = reflected(g, large, 16, 3, 1);
        let norm = g.norm(conv);
        finish(g, norm);
    });
    case("as Johnson's", &|g, p| {
        let conv = reflected(g, p, 16, 9, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let conv = reflected(g, relu, 32, 3, 2);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let large = g.add(Op::Upsample, &[relu]);
        let conv = reflected(g, large, 16, 3, 1);
        let norm = g.norm(conv);
        let relu = g.add(Op::Relu, &[norm]);
        let rgb = reflected(g, relu, 3, 9, 1);
        g.add(Op::Picture, &[rgb]);
    });
    case("statistics of another", &|g, p| {
        let a = reflected(g, p, 16, 3, 1);
        let b = reflected(g, p, 16, 3, 1);
        let statistics = g.add(Op::InstanceStatistics, &[a]);
        let norm = g.add(Op::InstanceNorm { eps: EPS }, &[b, statistics]);
        let relu = g.add(Op::Relu, &[norm]);
        finish(g, relu);
    });
}
