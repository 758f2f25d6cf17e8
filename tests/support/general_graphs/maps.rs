//! Operations that move values, and operations on windows of a map.

use network::graph::{
    Arithmetic, BlockOrder, Conv, NodeId, Op, PadMode, Pool, SizeRule,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};

use super::{Take, pad, resized_like, shaped, sides_of};

pub(super) fn places(case: Take<'_>) {
    for (name, mode) in [
        ("pads reflected", PadMode::Reflect),
        ("pads replicated", PadMode::Replicate),
        ("pads of zeros", PadMode::Constant(0.0)),
        ("pads of a value", PadMode::Constant(-1.25)),
    ] {
        for channels in [16, 21] {
            case(&format!("{name}, {channels} channels"), &|g, p| {
                let map = g.begin(p, channels);
                let padded = g.add(pad(mode, [3, 0, 1, 5]), &[map]);
                let relu = g.add(Op::Relu, &[padded]);
                let padded = g.add(pad(mode, [0, 2, 4, 1]), &[relu]);
                let conv = g.conv(padded, 8, Conv::square(1, 1, 3, 1));
                // Read by another node as well.
                let twice = g.add(Op::Add, &[padded, padded]);
                let cut = g.add(Op::Crop(sides_of([1; 4])), &[twice]);
                let joined = g.add(Op::Concat { count: 2 }, &[conv, cut]);
                g.finish(joined);
            });
        }
    }
    for is_same_upper in [false, true] {
        case(&format!("as many zeros as fit, {is_same_upper}"), &|g, p| {
            let photo = g.add(Op::Sized(SizeRule::Exactly([19, 27])), &[p]);
            let map = g.begin(photo, 20);
            let map = g.add(Op::Sized(SizeRule::MultipleOf(1)), &[map]);
            let zeros = |reach| Op::PadSame { reach, stride: [2, 3], is_same_upper };
            let padded = g.add(zeros([3, 6]), &[map]);
            let conv = g.conv(padded, 9, shaped([3, 6], [2, 3], [1, 1], 1));
            let again = g.add(zeros([4, 4]), &[conv]);
            let relu = g.add(Op::Relu, &[again]);
            let back = g.add(resized_like(Interpolation::Linear), &[relu, p]);
            g.finish(back);
        });
    }
    case("joined and cut channels", &|g, p| {
        let maps: Vec<NodeId> = [5, 16, 7, 32, 1].map(|channels| g.begin(p, channels)).to_vec();
        let joined = g.add(Op::Concat { count: 5 }, &maps);
        let part = |first, count| Op::Channels { first, count };
        let odd = g.add(part(3, 19), &[joined]);
        let even = g.add(part(16, 32), &[joined]);
        let last = g.add(part(60, 1), &[joined]);
        let again = g.add(Op::Concat { count: 3 }, &[even, odd, last]);
        let aligned = g.add(Op::Concat { count: 2 }, &[even, maps[1]]);
        let both = g.add(Op::Concat { count: 2 }, &[aligned, again]);
        g.finish(both);
    });
    for channels in [3, 16] {
        for order in [BlockOrder::BlockFirst, BlockOrder::ChannelFirst] {
            for block in [2, 3] {
                case(&format!("{block}x{block} blocks, {channels}, {order:?}"), &|g, p| {
                    let map = g.begin(p, channels * block * block);
                    let large = g.add(Op::DepthToSpace { block, order }, &[map]);
                    let relu = g.add(Op::Relu, &[large]);
                    let deep = g.add(Op::SpaceToDepth { block }, &[relu]);
                    let conv = g.same(deep, 12, 3);
                    g.finish(conv);
                });
            }
        }
    }
    case("doubled and cropped", &|g, p| {
        let map = g.begin(p, 18);
        let large = g.add(Op::Upsample, &[map]);
        let cut = g.add(Op::Crop(sides_of([3, 5, 2, 7])), &[large]);
        let larger = g.add(Op::Upsample, &[cut]);
        let conv = g.same(larger, 6, 3);
        g.finish(conv);
    });
}

pub(super) fn windows(case: Take<'_>) {
    let nearest = Interpolation::Nearest;
    for (name, interpolation) in [
        ("nearest, floor", nearest(Rounding::Floor)),
        ("nearest, ceil", nearest(Rounding::Ceil)),
        ("nearest, half floor", nearest(Rounding::PreferFloor)),
        ("nearest, half ceil", nearest(Rounding::PreferCeil)),
        ("linear", Interpolation::Linear),
        ("cubic", Interpolation::Cubic { a: -0.75 }),
    ] {
        for coordinates in [
            Coordinates::HalfPixel,
            Coordinates::PytorchHalfPixel,
            Coordinates::HalfPixelSymmetric,
            Coordinates::TensorflowHalfPixel,
            Coordinates::AlignCorners,
            Coordinates::Asymmetric,
        ] {
            case(&format!("{name}, {coordinates:?}"), &|g, p| {
                let map = g.begin(p, 18);
                let to = |target| Op::Resize(Resize { interpolation, coordinates, target });
                let large = g.add(to(Target::Scale([2.0, 1.5])), &[map]);
                let small = g.add(to(Target::Scale([0.5, 0.4])), &[large]);
                let fixed = g.add(to(Target::Size([13, 40])), &[small]);
                let like = g.add(to(Target::Like), &[fixed, map]);
                let sum = g.add(Op::Add, &[like, map]);
                g.finish(sum);
            });
        }
    }
    for (kernel, stride, sides, is_ceil) in [
        ([2, 2], [2, 2], [0; 4], false),
        ([3, 3], [2, 2], [1; 4], false),
        ([3, 3], [2, 2], [1; 4], true),
        ([2, 3], [3, 1], [1, 2, 0, 1], true),
        ([5, 5], [1, 1], [2; 4], false),
    ] {
        case(&format!("pools {kernel:?} by {stride:?}, {sides:?}, {is_ceil}"), &|g, p| {
            let map = g.begin(p, 21);
            let pool = Pool { kernel, stride, sides: sides_of(sides), is_ceil };
            let mean = |counts_padding| Op::AveragePool { pool, counts_padding };
            let most = g.add(Op::MaxPool(pool), &[map]);
            let inside = g.add(mean(false), &[map]);
            let counted = g.add(mean(true), &[map]);
            let sum = g.add(Op::Add, &[most, inside]);
            let sum = g.combine(Arithmetic::Difference, sum, counted);
            let back = g.add(resized_like(Interpolation::Linear), &[sum, p]);
            g.finish(back);
        });
    }
}
