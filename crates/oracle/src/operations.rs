//! The operations of any picture network, each written as its definition in ONNX and PyTorch.

use super::{Map, mirror, sizes};
use network::graph::{
    Arithmetic, BlockOrder, Conv, Function, PadMode, Pool, Sides,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};

/// Adds values around a map.
pub fn pad(input: &Map, mode: PadMode, sides: Sides) -> Map {
    let size = (
        input.channels,
        input.height + sides.top + sides.bottom,
        input.width + sides.left + sides.right,
    );
    Map::from_fn(size, |c, y, x| {
        let (y, x) = (y as isize - sides.top as isize, x as isize - sides.left as isize);
        match mode {
            PadMode::Reflect => input.at(c, mirror(y, input.height), mirror(x, input.width)),
            PadMode::Replicate => {
                let nearest = |at: isize, side: usize| at.clamp(0, side as isize - 1) as usize;
                input.at(c, nearest(y, input.height), nearest(x, input.width))
            }
            PadMode::Constant(value) => input.inside(c, y, x).unwrap_or(value),
        }
    })
}

/// Adds zeros around a map by TensorFlow's formula: `max((ceil(in / stride) - 1) * stride + reach - in, 0)` zeros.
pub fn pad_same(input: &Map, reach: [usize; 2], stride: [usize; 2], is_same_upper: bool) -> Map {
    let ends = |side: usize, axis: usize| {
        let outputs = side.div_ceil(stride[axis]) as isize;
        let zeros = (outputs - 1) * stride[axis] as isize + reach[axis] as isize - side as isize;
        let zeros = zeros.max(0) as usize;
        let front = if is_same_upper { zeros / 2 } else { zeros - zeros / 2 };
        [front, zeros - front]
    };
    let ([top, bottom], [left, right]) = (ends(input.height, 0), ends(input.width, 1));
    let sides = Sides { top, left, bottom, right };
    pad(input, PadMode::Constant(0.0), sides)
}

/// A convolution without padding; weights `[out][in of a group][row][column]`.
pub fn conv2d(input: &Map, weight: &[f64], bias: &[f64], conv: &Conv) -> Map {
    let side = |side: usize, axis: usize| {
        (side - conv.dilation[axis] * (conv.kernel[axis] - 1) - 1) / conv.stride[axis] + 1
    };
    let (height, width) = (side(input.height, 0), side(input.width, 1));
    let ins = conv.in_channels / conv.groups;
    let outs = conv.out_channels / conv.groups;
    let [rows, columns] = conv.kernel;
    let mut sums = Map::from_fn((conv.out_channels, height, width), |o, _, _| bias[o]);
    for (o, plane) in sums.data.chunks_exact_mut(height * width).enumerate() {
        for i in 0..ins {
            for ky in 0..rows {
                for kx in 0..columns {
                    let factor = weight[((o * ins + i) * rows + ky) * columns + kx];
                    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
                        let y = y * conv.stride[0] + ky * conv.dilation[0];
                        for (x, sum) in row.iter_mut().enumerate() {
                            let x = x * conv.stride[1] + kx * conv.dilation[1];
                            *sum += factor * input.at(o / outs * ins + i, y, x);
                        }
                    }
                }
            }
        }
    }
    sums
}

/// A transposed convolution; weights `[in][out of a group][row][column]`.
pub fn conv_transpose2d(
    input: &Map,
    weight: &[f64],
    bias: &[f64],
    conv: &Conv,
    cut: Sides,
    extra: [usize; 2],
) -> Map {
    let whole = |side: usize, axis: usize| {
        (side - 1) * conv.stride[axis]
            + conv.dilation[axis] * (conv.kernel[axis] - 1)
            + 1
            + extra[axis]
    };
    let (height, width) = (whole(input.height, 0), whole(input.width, 1));
    let ins = conv.in_channels / conv.groups;
    let outs = conv.out_channels / conv.groups;
    let [rows, columns] = conv.kernel;
    let mut sums = Map::from_fn((conv.out_channels, height, width), |o, _, _| bias[o]);
    for i in 0..conv.in_channels {
        for o in 0..outs {
            let to = i / ins * outs + o;
            for y in 0..input.height {
                for x in 0..input.width {
                    for ky in 0..rows {
                        for kx in 0..columns {
                            let row = y * conv.stride[0] + ky * conv.dilation[0];
                            let column = x * conv.stride[1] + kx * conv.dilation[1];
                            let factor = weight[((i * outs + o) * rows + ky) * columns + kx];
                            sums.data[(to * height + row) * width + column] +=
                                factor * input.at(i, y, x);
                        }
                    }
                }
            }
        }
    }
    crop_sides(&sums, cut)
}

/// Removes the sides of a map.
pub fn crop_sides(input: &Map, sides: Sides) -> Map {
    let size = (
        input.channels,
        input.height - sides.top - sides.bottom,
        input.width - sides.left - sides.right,
    );
    Map::from_fn(size, |c, y, x| input.at(c, y + sides.top, x + sides.left))
}

/// Multiplies negative values by the slope of their channel.
pub fn prelu(input: &Map, slopes: &[f64]) -> Map {
    Map::from_fn((input.channels, input.height, input.width), |c, y, x| {
        let value = input.at(c, y, x);
        if value < 0.0 { value * slopes[c] } else { value }
    })
}

/// Applies an elementwise function.
pub fn function(function: Function, x: f64) -> f64 {
    use Function::*;

    match function {
        LeakyRelu { slope } if x < 0.0 => slope * x,
        Elu { alpha } if x < 0.0 => alpha * x.exp_m1(),
        LeakyRelu { .. } | Elu { .. } => x,
        Sigmoid => 1.0 / (1.0 + (-x).exp()),
        HardSigmoid { alpha, beta } => (alpha * x + beta).clamp(0.0, 1.0),
        Tanh => x.tanh(),
        Clip { least, most } => x.max(least).min(most),
        Sqrt => x.sqrt(),
        Reciprocal => 1.0 / x,
        Abs => x.abs(),
        Exp => x.exp(),
        Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Erf => error_function(x),
        Log => x.ln(),
        Round => x.round_ties_even(),
        Floor => x.floor(),
        Gelu => 0.5 * x * (1.0 + error_function(x / std::f64::consts::SQRT_2)),
    }
}

/// The error function: its series near zero, and a continued fraction of its complement beyond (Abramowitz and Stegun,
/// 7.1.6 and 7.1.14).
fn error_function(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 3.0 {
        let (mut term, mut sum) = (a, a);
        for n in 1..200 {
            term *= 2.0 * a * a / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 / std::f64::consts::PI.sqrt() * (-a * a).exp() * sum
    } else if a < 6.0 {
        let mut fraction = a;
        for n in (1..=60).rev() {
            fraction = a + f64::from(n) / 2.0 / fraction;
        }
        1.0 - (-a * a).exp() / fraction / std::f64::consts::PI.sqrt()
    } else {
        1.0
    };
    value.copysign(x)
}

/// Combines two maps value by value. A single channel, row or column is repeated.
pub fn combine(arithmetic: Arithmetic, a: &Map, b: &Map) -> Map {
    let size = (a.channels.max(b.channels), a.height.max(b.height), a.width.max(b.width));
    let of = |map: &Map, c: usize, y: usize, x: usize| {
        let place = |at: usize, side: usize| if side == 1 { 0 } else { at };
        map.at(place(c, map.channels), place(y, map.height), place(x, map.width))
    };
    Map::from_fn(size, |c, y, x| {
        let (a, b) = (of(a, c, y, x), of(b, c, y, x));
        match arithmetic {
            Arithmetic::Sum => a + b,
            Arithmetic::Difference => a - b,
            Arithmetic::Product => a * b,
            Arithmetic::Quotient => a / b,
        }
    })
}

/// Concatenates the channels of all maps.
pub fn concat(inputs: &[&Map]) -> Map {
    Map {
        channels: inputs.iter().map(|map| map.channels).sum(),
        height: inputs[0].height,
        width: inputs[0].width,
        data: inputs.iter().flat_map(|map| map.data.iter().copied()).collect(),
    }
}

/// Selects neighbouring channels.
pub fn channels(input: &Map, first: usize, count: usize) -> Map {
    let plane = input.height * input.width;
    Map {
        channels: count,
        data: input.data[first * plane..(first + count) * plane].to_vec(),
        ..*input
    }
}

/// Changes the number of rows and columns by ONNX's formulas.
pub fn resize(input: &Map, resize: &Resize, like: Option<&Map>) -> Map {
    let (height, width, scales) = match resize.target {
        Target::Scale(scales) => (
            (input.height as f64 * scales[0]).floor() as usize,
            (input.width as f64 * scales[1]).floor() as usize,
            scales,
        ),
        Target::Size([height, width]) => (height, width, quotients(input, height, width)),
        Target::Like | Target::LikeOnAxis(_) => {
            let (mut height, mut width) = like.map_or((0, 0), |map| (map.height, map.width));
            match resize.target {
                Target::LikeOnAxis(0) => width = input.width,
                Target::LikeOnAxis(_) => height = input.height,
                _ => {}
            }
            (height, width, quotients(input, height, width))
        }
        Target::MultipleOf([rows, columns]) => {
            let height = input.height.div_ceil(rows) * rows;
            let width = input.width.div_ceil(columns) * columns;
            (height, width, quotients(input, height, width))
        }
    };
    let original = |out: usize, side: usize, new: usize, scale: f64| {
        let (out, side, new) = (out as f64, side as f64, new as f64);
        let centre = (out + 0.5) / scale;
        if let Interpolation::Fit { is_centred, .. } = resize.interpolation {
            return out - if is_centred { ((new - side) / 2.0).trunc() } else { 0.0 };
        }
        match resize.coordinates {
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if new <= 1.0 => 0.0,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => centre - 0.5,
            Coordinates::HalfPixelSymmetric => {
                let adjustment = new / (scale * side);
                let offset = side / 2.0 * (1.0 - adjustment);
                offset + centre - 0.5
            }
            Coordinates::TensorflowHalfPixel => centre,
            Coordinates::AlignCorners => out * (side - 1.0) / (new - 1.0),
            Coordinates::Asymmetric => out / scale,
        }
    };
    let on_axis = |at: f64, side: usize, read: &dyn Fn(usize) -> f64| {
        let edge = |i: f64| i.clamp(0.0, side as f64 - 1.0) as usize;
        match resize.interpolation {
            Interpolation::Nearest(rounding) => read(edge(match rounding {
                Rounding::Floor => at.floor(),
                Rounding::Ceil => at.ceil(),
                Rounding::PreferFloor if at.fract().abs() == 0.5 => at.floor(),
                Rounding::PreferCeil if at.fract().abs() == 0.5 => at.ceil(),
                Rounding::PreferFloor | Rounding::PreferCeil => at.round(),
            })),
            Interpolation::Fit { beyond, .. } => match beyond {
                PadMode::Constant(value) if at != edge(at) as f64 => value,
                PadMode::Reflect => read(mirror(at as isize, side)),
                _ => read(edge(at)),
            },
            Interpolation::Linear => {
                let at = at.clamp(0.0, side as f64 - 1.0);
                let below = at.floor();
                (1.0 - (at - below)) * read(edge(below)) + (at - below) * read(edge(below + 1.0))
            }
            Interpolation::Cubic { a } => {
                let below = at.floor();
                let t = at - below;
                let near = |s: f64| ((a + 2.0) * s - (a + 3.0)) * s * s + 1.0;
                let far = |s: f64| ((a * s - 5.0 * a) * s + 8.0 * a) * s - 4.0 * a;
                far(t + 1.0) * read(edge(below - 1.0))
                    + near(t) * read(edge(below))
                    + near(1.0 - t) * read(edge(below + 1.0))
                    + far(2.0 - t) * read(edge(below + 2.0))
            }
        }
    };
    Map::from_fn((input.channels, height, width), |c, y, x| {
        let (row, column) = (
            original(y, input.height, height, scales[0]),
            original(x, input.width, width, scales[1]),
        );
        on_axis(row, input.height, &|y| on_axis(column, input.width, &|x| input.at(c, y, x)))
    })
}

fn quotients(input: &Map, height: usize, width: usize) -> [f64; 2] {
    [height as f64 / input.height as f64, width as f64 / input.width as f64]
}

/// Turns channels into blocks of pixels.
pub fn depth_to_space(input: &Map, block: usize, order: BlockOrder) -> Map {
    let channels = input.channels / (block * block);
    Map::from_fn((channels, input.height * block, input.width * block), |c, y, x| {
        let (by, bx) = (y % block, x % block);
        let from = match order {
            BlockOrder::BlockFirst => (by * block + bx) * channels + c,
            BlockOrder::ChannelFirst => (c * block + by) * block + bx,
        };
        input.at(from, y / block, x / block)
    })
}

/// Turns blocks of pixels into channels.
pub fn space_to_depth(input: &Map, block: usize) -> Map {
    let size = (input.channels * block * block, input.height / block, input.width / block);
    Map::from_fn(size, |c, y, x| {
        let (at, from) = (c / input.channels, c % input.channels);
        input.at(from, y * block + at / block, x * block + at % block)
    })
}

/// Applies `of` to the values in every window; values beyond the edge are `None`. A window may extend beyond the
/// padding; those positions are left out.
fn windows(input: &Map, pool: &Pool, of: impl Fn(&[Option<f64>]) -> f64) -> Map {
    let count = |side: usize, axis: usize| sizes::windows(pool, side, axis).unwrap_or(1);
    let Sides { top, left, bottom, right } = pool.sides;
    let size = (input.channels, count(input.height, 0), count(input.width, 1));
    Map::from_fn(size, |c, y, x| {
        let mut values = Vec::new();
        for ky in 0..pool.kernel[0] {
            for kx in 0..pool.kernel[1] {
                let row = (y * pool.stride[0] + ky) as isize - top as isize;
                let column = (x * pool.stride[1] + kx) as isize - left as isize;
                let is_there = row < (input.height + bottom) as isize
                    && column < (input.width + right) as isize;
                if is_there {
                    values.push(input.inside(c, row, column));
                }
            }
        }
        of(&values)
    })
}

/// The maximum of every window.
pub fn max_pool(input: &Map, pool: &Pool) -> Map {
    windows(input, pool, |values| {
        values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max)
    })
}

/// The mean of every window.
pub fn average_pool(input: &Map, pool: &Pool, counts_padding: bool) -> Map {
    windows(input, pool, |values| {
        let sum: f64 = values.iter().flatten().sum();
        let inside = values.iter().flatten().count();
        sum / if counts_padding { values.len() } else { inside } as f64
    })
}

/// Reduces every channel to one value.
pub fn of_channels(input: &Map, of: impl Fn(&[f64]) -> f64) -> Map {
    let planes = input.data.chunks(input.height * input.width);
    Map { channels: input.channels, height: 1, width: 1, data: planes.map(of).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_known_values() {
        for (x, value) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.5, 0.999_593_047_982_555),
            (3.5, 0.999_999_256_901_627_7),
            (7.0, 1.0),
        ] {
            for sign in [1.0, -1.0] {
                let error = function(Function::Erf, sign * x) - sign * value;
                assert!(error.abs() < 1e-14, "{x}: {error}");
            }
        }
    }
}
