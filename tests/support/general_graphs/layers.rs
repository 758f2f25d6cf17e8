//! Convolutions of all kinds, and operations on single values.

use network::graph::{
    Arithmetic, Function, NodeId, Op, PadMode,
    resize::{Coordinates, Interpolation, Resize, Target},
};

use super::{EPS, Growing, Take, is_small, pad, resized_like, shaped, zeros};

pub(super) fn convolutions(case: Take<'_>) {
    for (name, conv, margins, out) in [
        ("conv 3x3", shaped([3, 3], [1, 1], [1, 1], 1), [1; 4], 32),
        ("conv 1x5, 96 outputs", shaped([1, 5], [1, 1], [1, 1], 1), [0, 2, 0, 2], 96),
        ("conv 3x2 stride 2, 1", shaped([3, 2], [2, 1], [1, 1], 1), [1, 0, 1, 1], 20),
        ("conv 3x3 dilation 2", shaped([3, 3], [1, 1], [2, 2], 1), [2; 4], 7),
        ("conv 4x4 stride 3", shaped([4, 4], [3, 3], [1, 1], 1), [1; 4], 40),
        ("conv 9x9", shaped([9, 9], [1, 1], [1, 1], 1), [4; 4], 12),
        ("conv 1x1", shaped([1, 1], [1, 1], [1, 1], 1), [0; 4], 80),
    ] {
        for (mode, what) in [
            (PadMode::Constant(0.0), "zeros"),
            (PadMode::Reflect, "reflected"),
            (PadMode::Replicate, "replicated"),
        ] {
            case(&format!("{name} {what}"), &|g, p| {
                let map = g.begin(p, 24);
                let padded = g.add(pad(mode, margins), &[map]);
                let conv = g.conv(padded, out, conv);
                let relu = g.add(Op::Relu, &[conv]);
                if is_small(g, relu) {
                    let back = g.add(resized_like(Interpolation::Linear), &[relu, p]);
                    g.finish(back);
                } else {
                    g.finish(relu);
                }
            });
        }
    }
    for (name, channels, groups, out) in [
        ("2 groups", 24, 2, 10),
        ("4 groups", 12, 4, 36),
        ("depthwise 16", 16, 16, 16),
        ("depthwise 21", 21, 21, 21),
        ("depthwise times 2", 9, 9, 18),
    ] {
        for (dilation, stride) in [(1, 1), (2, 2)] {
            case(&format!("{name}, stride {stride}"), &|g, p| {
                let map = g.begin(p, channels);
                let padded = g.add(zeros(dilation), &[map]);
                let shape = shaped([3; 2], [stride; 2], [dilation; 2], groups);
                let conv = g.conv(padded, out, shape);
                let slopes = g.add(Op::Prelu, &[conv]);
                let back = g.add(resized_like(Interpolation::Linear), &[slopes, p]);
                g.finish(back);
            });
        }
    }
    for (name, kernel, stride, dilation, groups, cut, extra) in [
        ("transposed 3x3 by 2", 3, 2, 1, 1, 1, 1),
        ("transposed 4x4 by 2", 4, 2, 1, 1, 1, 0),
        ("transposed 2x2 by 3", 2, 3, 1, 1, 0, 1),
        ("transposed 3x3 by 2, dilated", 3, 2, 2, 1, 2, 1),
        ("transposed 5x5", 5, 1, 1, 1, 2, 0),
        ("transposed 4x4 by 2, 4 groups", 4, 2, 1, 4, 1, 0),
        ("transposed 3x3 by 2, depthwise", 3, 2, 1, 20, 1, 1),
        ("transposed 6x6 by 4", 6, 4, 1, 1, 1, 2),
    ] {
        case(name, &|g, p| {
            let map = g.begin(p, 20);
            let shape = shaped([kernel; 2], [stride; 2], [dilation; 2], groups);
            let conv = g.transposed(map, 20, shape, cut, [extra, 0]);
            let clip = Function::Clip { least: -0.4, most: 1e30 };
            let clipped = g.function(clip, conv);
            let back = g.add(resized_like(Interpolation::Linear), &[clipped, p]);
            g.finish(back);
        });
    }
}

pub(super) fn pointwise(case: Take<'_>) {
    let functions = [
        Function::LeakyRelu { slope: 0.2 },
        Function::Elu { alpha: 1.3 },
        Function::Sigmoid,
        Function::HardSigmoid { alpha: 0.2, beta: 0.5 },
        Function::Tanh,
        Function::Clip { least: -0.3, most: 0.6 },
        Function::Abs,
        Function::Softplus,
        Function::Erf,
    ];
    for function in functions {
        case(function.name(), &|g, p| {
            let map = g.begin(p, 19);
            let alone = g.function(function, map);
            // After a convolution it may be computed with it.
            let conv = g.same(alone, 18, 3);
            let after = g.function(function, conv);
            g.finish(after);
        });
    }
    case("exp", &|g, p| {
        let map = g.begin(p, 19);
        let small = g.function(Function::Tanh, map);
        let alone = g.function(Function::Exp, small);
        let tanh = g.same(alone, 18, 3);
        let small = g.function(Function::Tanh, tanh);
        let again = g.function(Function::Exp, small);
        g.finish(again);
    });
    for (name, function) in [("square root", Function::Sqrt), ("reciprocal", Function::Reciprocal)]
    {
        case(name, &|g, p| {
            let map = g.begin(p, 17);
            let positive = g.function(Function::Softplus, map);
            // Away from zero.
            let clip = Function::Clip { least: 0.3, most: 9.0 };
            let positive = g.function(clip, positive);
            let once = g.function(function, positive);
            let twice = g.function(function, once);
            g.finish(twice);
        });
    }
    case("affine and slopes", &|g, p| {
        let map = g.begin(p, 18);
        let affine = g.add(Op::Affine, &[map]);
        let slopes = g.add(Op::Prelu, &[affine]);
        let conv = g.same(slopes, 33, 3);
        let affine = g.add(Op::Affine, &[conv]);
        let slopes = g.add(Op::Prelu, &[affine]);
        let conv = g.same(slopes, 33, 1);
        let affine = g.add(Op::Affine, &[conv]);
        let affine = g.add(Op::Affine, &[affine]);
        let relu = g.add(Op::Relu, &[affine]);
        g.finish(relu);
    });
    for (name, arithmetic) in [
        ("sums", Arithmetic::Sum),
        ("differences", Arithmetic::Difference),
        ("products", Arithmetic::Product),
        ("quotients", Arithmetic::Quotient),
    ] {
        case(name, &|g, p| {
            let map = g.begin(p, 20);
            let divisor = |g: &mut Growing, from: NodeId| {
                let clip = Function::Clip { least: 0.5, most: 2.0 };
                g.function(clip, from)
            };
            // Maps of one channel, one row, one column, one pixel, and of them all.
            let conv = g.same(map, 1, 3);
            let plane = divisor(g, conv);
            let whole = divisor(g, map);
            let one = g.add(Op::SpatialMean, &[whole]);
            let row = g.add(size_of(whole_rows(1, 23)), &[whole]);
            let column = g.add(size_of(whole_rows(17, 1)), &[plane]);
            let mut made = map;
            for other in [plane, whole, one, row, column] {
                made = g.combine(arithmetic, made, other);
            }
            let other_way = g.combine(arithmetic, one, row);
            let other_way = divisor(g, other_way);
            let made = g.combine(arithmetic, made, other_way);
            let two = g.add(Op::Add, &[made, map]);
            g.finish(two);
        });
    }
    case("norms of all kinds", &|g, p| {
        let photo = g.norm(p);
        let conv = g.same(photo, 17, 3);
        let other = g.same(photo, 17, 1);
        let s = g.add(Op::InstanceStatistics, &[conv]);
        let a = g.add(Op::InstanceNorm { eps: EPS }, &[conv, s]);
        let b = g.add(Op::InstanceNorm { eps: 1.0 }, &[conv, s]);
        let c = g.add(Op::InstanceNorm { eps: 0.1 }, &[other, s]);
        let sum = g.add(Op::Add, &[a, b]);
        let sum = g.add(Op::Add, &[sum, c]);
        g.finish(sum);
    });
    case("1100 channels", &|g, p| {
        let map = g.begin(p, 9);
        let wide = g.same(map, 1100, 1);
        let norm = g.norm(wide);
        let relu = g.add(Op::Relu, &[norm]);
        let mean = g.add(Op::SpatialMean, &[relu]);
        let most = g.add(Op::SpatialMax, &[wide]);
        let scaled = g.combine(Arithmetic::Product, relu, mean);
        let sum = g.combine(Arithmetic::Sum, scaled, most);
        let narrow = g.same(sum, 4, 1);
        g.finish(narrow);
    });
}

const fn whole_rows(height: usize, width: usize) -> Target {
    Target::Size([height, width])
}

fn size_of(target: Target) -> Op {
    Op::Resize(Resize {
        interpolation: Interpolation::Linear,
        coordinates: Coordinates::HalfPixel,
        target,
    })
}
