//! Convolutions, transposed convolutions, and matrix products, which are convolutions of single values.

use super::{Axis, Held, MapValue, NodeId, Part, Reader};
use crate::{
    graph::{Conv, MAX_KERNEL_PX, Op, PadMode, Sides},
    network::NodeWeights,
    weights::{
        Result, WeightsError,
        error::shortened,
        onnx::{messages::Node, network::constants::Kernel, shown},
    },
};

/// Padding before an operation with windows.
pub enum Padding {
    /// A fixed number of pixels on each side.
    Fixed(Sides),
    /// An operation that pads as the map's size requires.
    Same(Op),
}

/// The padding of a node whose windows have this reach.
pub fn window_pads(node: &Node<'_>, reach: [usize; 2], stride: [usize; 2]) -> Result<Padding> {
    let pads = node.ints("pads");
    let odd = || node.refused(format!("has pads {}", shown(pads)));
    match node.text("auto_pad", "NOTSET") {
        "NOTSET" => {}
        "VALID" => return Ok(Padding::Fixed(Sides::default())),
        mode @ ("SAME_UPPER" | "SAME_LOWER") => {
            return Ok(Padding::Same(Op::PadSame {
                reach,
                stride,
                is_more_behind: mode == "SAME_UPPER",
            }));
        }
        other => {
            return Err(
                node.refused(format!("uses the unsupported auto_pad mode {}", shortened(other)))
            );
        }
    }
    if pads.is_empty() {
        return Ok(Padding::Fixed(Sides::default()));
    }
    let px = |at: usize| usize::try_from(*pads.get(at)?).ok();
    let sides = || {
        (pads.len() == 4).then_some(())?;
        Some(Sides { top: px(0)?, left: px(1)?, bottom: px(2)?, right: px(3)? })
    };
    sides().map(Padding::Fixed).ok_or_else(odd)
}

/// Rows and columns in an attribute; 1 if it is absent.
pub fn pair(node: &Node<'_>, name: &str) -> Result<[usize; 2]> {
    let list = node.ints(name);
    let px = |px: i64| usize::try_from(px).ok().filter(|px| (1..=MAX_KERNEL_PX).contains(px));
    let pair = match *list {
        [] => Some((1, 1)),
        [rows, columns] => px(rows).zip(px(columns)),
        _ => None,
    };
    let odd = || node.refused(format!("has {name} {}", shown(list)));
    pair.map(<[usize; 2]>::from).ok_or_else(odd)
}

/// Kernel, stride, dilation and groups of a node.
fn extent(node: &Node<'_>, sides: &[usize], is_transposed: bool) -> Result<Conv> {
    let [a, b, rows, columns] = *sides else {
        return Err(WeightsError::Shape {
            key: node.input_key(1),
            got: sides.to_vec(),
            needed: "four sides".to_owned(),
        });
    };
    let groups = node.int("group", 1);
    let groups = usize::try_from(groups).ok().filter(|groups| (1..=a.max(1)).contains(groups));
    let groups = groups.ok_or_else(|| node.refused("has odd groups"))?;
    let (in_channels, out_channels) =
        if is_transposed { (a, b.saturating_mul(groups)) } else { (b.saturating_mul(groups), a) };
    Ok(Conv {
        in_channels,
        out_channels,
        kernel: [rows, columns],
        stride: pair(node, "strides")?,
        dilation: pair(node, "dilations")?,
        groups,
    })
}

/// What a convolution reads, its sizes and its weights.
fn parts(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    is_transposed: bool,
) -> Result<(NodeId, Conv, Held)> {
    let x = reader.map(node, 0)?;
    let id = reader.channels_first_node(node, &x)?;
    let (kernel, sides) = reader.kernel_at(node, 1)?;
    let conv = extent(node, &sides, is_transposed)?;
    let bias = if node.input(2).is_some() {
        reader.list_at(node, 2, conv.out_channels)?
    } else {
        // A weight without numbers may have any side, so the file's size does not limit the channels.
        reader.budget().bytes(conv.out_channels.saturating_mul(size_of::<f32>()))?;
        vec![0.0; conv.out_channels]
    };
    let (key, channels) = (node.input_key(1), reader.channels(id));
    if conv.in_channels != channels || sides.contains(&0) {
        let needed = format!("weights for {channels} channels");
        return Err(WeightsError::Shape { key, got: sides, needed });
    }
    let held = match kernel {
        Kernel::Stored(weight) => Held::Stored { weight, key, bias },
        Kernel::Own(weight) => Held::Own(NodeWeights { weight, bias }),
    };
    Ok((id, conv, held))
}

pub fn conv(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let (mut id, conv, held) = parts(reader, node, false)?;
    match window_pads(node, conv.reach(), conv.stride)? {
        Padding::Fixed(sides) if sides == Sides::default() => {}
        Padding::Fixed(sides) => {
            let mode = PadMode::Constant(0.0);
            id = reader.add(Op::Pad { mode, sides }, &[id])?;
        }
        Padding::Same(op) => id = reader.add(op, &[id])?,
    }
    let made = reader.add_held(Op::Conv2d(conv), &[id], Some(held))?;
    Ok(reader.channels_first(made))
}

pub fn conv_transpose(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let (id, conv, held) = parts(reader, node, true)?;
    let extra = node.ints("output_padding");
    let mut extra = match *extra {
        [] => [0; 2],
        [down, right] => [down, right].map(|px| usize::try_from(px).unwrap_or(usize::MAX)),
        _ => return Err(node.refused("has an unsupported output_padding")),
    };
    let is_same = matches!(node.text("auto_pad", "NOTSET"), "SAME_UPPER" | "SAME_LOWER");
    let sides = if let Some(shape) = node.attribute("output_shape") {
        let [.., rows, columns] = *shape.ints else {
            return Err(node.refused("has an odd output_shape"));
        };
        let made = [rows, columns].map(|px| usize::try_from(px).unwrap_or(0));
        // The crop must be the same at every probe. A picture of fixed size has only one.
        let cut = |size: &(usize, usize)| shape_cut(node, &conv, extra, *size, made);
        let cuts: Vec<_> = reader.sizes_of(id).iter().map(cut).collect();
        match cuts.as_slice() {
            [Some(first), rest @ ..] if rest.iter().all(|cut| *cut == Some(*first)) => {
                extra = first.1;
                first.0
            }
            _ => {
                let error = node.refused("makes a map of a fixed size");
                return Err(reader.scope.of_size(error));
            }
        }
    } else if is_same {
        let (cut, more) = same_cut(node, &conv, extra);
        extra = more;
        cut
    } else {
        match window_pads(node, conv.reach(), conv.stride)? {
            Padding::Fixed(sides) => sides,
            Padding::Same(_) => Sides::default(),
        }
    };
    let op = Op::ConvTranspose2d { conv, cut: sides, extra };
    let made = reader.add_held(op, &[id], Some(held))?;
    Ok(reader.channels_first(made))
}

/// The crop of a transposed convolution after which its result is `stride` times its input, and `extra`, increased if
/// the result is too small.
fn same_cut(node: &Node<'_>, conv: &Conv, extra: [usize; 2]) -> (Sides, [usize; 2]) {
    let reach = [0, 1].map(|axis| conv.reach()[axis] + extra[axis]);
    distributed(node, extra, reach, conv.stride)
}

/// The crop, and `extra`, for a result of exactly `made` rows and columns; `None` if that is impossible.
fn shape_cut(
    node: &Node<'_>,
    conv: &Conv,
    extra: [usize; 2],
    (height, width): (usize, usize),
    made: [usize; 2],
) -> Option<(Sides, [usize; 2])> {
    let whole = |axis: usize, side: usize| {
        let steps = side.checked_sub(1)?.checked_mul(conv.stride[axis])?;
        steps.checked_add(conv.reach()[axis])?.checked_add(extra[axis])
    };
    let whole = [whole(0, height)?, whole(1, width)?];
    (!made.contains(&0)).then(|| distributed(node, extra, whole, made))
}

/// Crops `whole` to `made` rows and columns at both ends. Missing rows and columns are added to `extra`.
fn distributed(
    node: &Node<'_>,
    mut extra: [usize; 2],
    whole: [usize; 2],
    made: [usize; 2],
) -> (Sides, [usize; 2]) {
    let is_upper = node.text("auto_pad", "NOTSET") == "SAME_UPPER";
    let mut ends = [(0, 0); 2];
    for axis in 0..2 {
        extra[axis] = extra[axis].saturating_add(made[axis].saturating_sub(whole[axis]));
        let cut = whole[axis].saturating_sub(made[axis]);
        let (less, more) = (cut / 2, cut - cut / 2);
        ends[axis] = if is_upper { (less, more) } else { (more, less) };
    }
    let sides = Sides { top: ends[0].0, left: ends[1].0, bottom: ends[0].1, right: ends[1].1 };
    (sides, extra)
}

/// The product of a row of channels and a matrix.
pub fn product(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    let lengths = reader.lengths(&x);
    let last = x.layout.sides.len() - 1;
    let is_row = x.layout.axis(last) == Axis::Channels
        && lengths.iter().all(|lengths| lengths[..last].iter().all(|&length| length == 1));
    if !is_row || node.flag("transA", false) {
        return Err(node.refused("multiplies matrices of pixels, which is not supported"));
    }
    let matrix = reader.weights_at(node, 1)?;
    let [rows, columns] = *matrix.sides else {
        return Err(node.refused("has no matrix"));
    };
    let is_transposed = node.op_type == "Gemm" && node.flag("transB", false);
    let (inputs, outputs) = if is_transposed { (columns, rows) } else { (rows, columns) };
    let conv = Conv::square(inputs, outputs, 1, 1);
    let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
    reader.budget().bytes(size_of_val(matrix.values.as_slice()))?;
    let at = |output: usize, input: usize| {
        let place = if is_transposed { output * columns + input } else { input * columns + output };
        alpha * matrix.values[place]
    };
    let weight = (0..outputs).flat_map(|o| (0..inputs).map(move |i| at(o, i))).collect();
    let bias = match node.input(2) {
        Some(_) => {
            let bias = reader.weights_at(node, 2)?;
            match bias.values.len() {
                1 => vec![beta * bias.values[0]; outputs],
                count if count == outputs => bias.values.iter().map(|v| beta * v).collect(),
                _ => return Err(node.refused("has an odd bias")),
            }
        }
        None => vec![0.0; outputs],
    };
    let made = reader.add_weighted(Op::Conv2d(conv), &[x.node], weight, bias)?;
    Ok(reader.with_channels(&x, made))
}

impl Reader<'_> {
    /// The node of a map whose sides are batch, channels, rows and columns.
    pub fn channels_first_node(&self, node: &Node<'_>, x: &MapValue) -> Result<NodeId> {
        if x.layout.is_channels_first() {
            return Ok(x.node);
        }
        Err(node.refused(format!(
            "reads a map whose sides are {}, not batch, channels, rows and columns",
            self.sides_shown(x)
        )))
    }

    /// The node of a map whose second side is its channels, followed by its planes in any shape.
    pub fn planes(&self, node: &Node<'_>, x: &MapValue) -> Result<NodeId> {
        let rest_has_channels = x.layout.sides.iter().skip(2).flatten();
        let mut rest = rest_has_channels.filter(|part| matches!(part, Part::Channel(_)));
        if x.layout.axis(0) == Axis::One
            && x.layout.axis(1) == Axis::Channels
            && rest.next().is_none()
        {
            return Ok(x.node);
        }
        Err(node.refused("normalises something other than the channels of a map"))
    }
}
