//! Convolutions, transposed convolutions, and matrix products, which are convolutions of single values.

use super::{Axis, MapValue, NodeId, PendingWeights, Reader, equal};
use crate::{
    Result, WeightsError,
    error::shortened,
    onnx::{
        messages::Node,
        network::{
            constants::{Constant, Kernel},
            layout::MAX_SIDES,
        },
        shown,
    },
};
use network::{
    NodeWeights,
    graph::{Arithmetic, Conv, MAX_KERNEL_PX, Op, PadMode, Sides},
};

/// The padding of a node whose windows have this reach.
pub fn window_pads(node: &Node<'_>, reach: [usize; 2], stride: [usize; 2]) -> Result<Op> {
    let pads = node.ints("pads");
    let sides: Option<Vec<usize>> = pads.iter().map(|&px| usize::try_from(px).ok()).collect();
    let sides = match (node.text("auto_pad", "NOTSET"), sides.as_deref()) {
        (mode @ ("SAME_UPPER" | "SAME_LOWER"), _) => {
            return Ok(Op::PadSame { reach, stride, is_same_upper: mode == "SAME_UPPER" });
        }
        ("VALID", _) | ("NOTSET", Some([])) => Sides::default(),
        ("NOTSET", Some(&[top, left, bottom, right])) => Sides { top, left, bottom, right },
        ("NOTSET", _) => return Err(node.refused(format!("has pads {}", shown(pads)))),
        (other, _) => {
            return Err(
                node.refused(format!("uses the unsupported auto_pad mode {}", shortened(other)))
            );
        }
    };
    Ok(Op::Pad { mode: PadMode::Constant(0.0), sides })
}

/// Rows and columns in an attribute; 1 if it is absent.
pub fn pair(node: &Node<'_>, name: &str) -> Result<[usize; 2]> {
    let list = node.ints(name);
    let px = |px: i64| usize::try_from(px).ok().filter(|px| (1..=MAX_KERNEL_PX).contains(px));
    match *list {
        [] => Some((1, 1)),
        [rows, columns] => px(rows).zip(px(columns)),
        _ => None,
    }
    .map(<[usize; 2]>::from)
    .ok_or_else(|| node.refused(format!("has {name} {}", shown(list))))
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
    let groups = usize::try_from(node.int("group", 1))
        .ok()
        .filter(|groups| (1..=a.max(1)).contains(groups))
        .ok_or_else(|| node.refused("has odd groups"))?;
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

/// The crop at both ends for a result of exactly `made` rows and columns, and `extra` with the missing ones added;
/// `None` if that is impossible.
fn shape_cut(
    node: &Node<'_>,
    conv: &Conv,
    mut extra: [usize; 2],
    size: [usize; 2],
    made: [usize; 2],
) -> Option<(Sides, [usize; 2])> {
    let is_upper = node.text("auto_pad", "NOTSET") == "SAME_UPPER";
    let mut ends = [[0; 2]; 2];
    for axis in 0..2 {
        let steps = size[axis].checked_sub(1)?.checked_mul(conv.stride[axis])?;
        let whole = steps.checked_add(conv.reach()[axis])?.checked_add(extra[axis])?;
        extra[axis] = extra[axis].saturating_add(made[axis].saturating_sub(whole));
        let cut = whole.saturating_sub(made[axis]);
        let (less, more) = (cut / 2, cut - cut / 2);
        ends[axis] = if is_upper { [less, more] } else { [more, less] };
    }
    (!made.contains(&0)).then_some((Sides::of_ends(ends[0], ends[1]), extra))
}

impl Reader<'_> {
    /// What a convolution reads, its sizes and its weights.
    fn convolution(
        &mut self,
        x: &MapValue,
        is_transposed: bool,
    ) -> Result<(NodeId, Conv, PendingWeights)> {
        let node = self.scope.node;
        let id = self.channels_first_node(x)?;
        let (kernel, sides) = self.kernel_at(1)?;
        let conv = extent(node, &sides, is_transposed)?;
        let bias = if node.input(2).is_some() {
            self.list_at(2, conv.out_channels)?
        } else {
            // A weight without numbers may have any side, so the file's size does not limit the channels.
            self.budget().items::<f32>(conv.out_channels)?;
            vec![0.0; conv.out_channels]
        };
        let (key, channels) = (node.input_key(1), self.channels(id));
        if conv.in_channels != channels || sides.contains(&0) {
            let needed = format!("weights for {channels} channels");
            return Err(WeightsError::Shape { key, got: sides, needed });
        }
        let held = match kernel {
            Kernel::Stored(weight) => PendingWeights::Stored { weight, key, bias },
            Kernel::Own(weight) => PendingWeights::Own(NodeWeights { weight, bias }),
        };
        Ok((id, conv, held))
    }

    pub fn conv(&mut self, x: MapValue) -> Result<MapValue> {
        let (mut id, conv, held) = self.convolution(&x, false)?;
        let pad = window_pads(self.scope.node, conv.reach(), conv.stride)?;
        if pad != (Op::Pad { mode: PadMode::Constant(0.0), sides: Sides::default() }) {
            id = self.add(pad, &[id])?;
        }
        let made = self.add_held(Op::Conv2d(conv), &[id], Some(held))?;
        Ok(self.channels_first(made))
    }

    pub fn conv_transpose(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let (id, conv, held) = self.convolution(&x, true)?;
        let extra = node.ints("output_padding");
        let mut extra = match *extra {
            [] => [0; 2],
            [down, right] => [down, right].map(|px| usize::try_from(px).unwrap_or(usize::MAX)),
            _ => return Err(node.refused("has an unsupported output_padding")),
        };
        let is_same = matches!(node.text("auto_pad", "NOTSET"), "SAME_UPPER" | "SAME_LOWER");
        let wanted = match node.attribute("output_shape").map(|shape| shape.ints.as_slice()) {
            Some(&[.., rows, columns]) => {
                Some([rows, columns].map(|px| usize::try_from(px).unwrap_or(0)))
            }
            Some(_) => return Err(node.refused("has an odd output_shape")),
            None => None,
        };
        let sides = if is_same || wanted.is_some() {
            // The crop must be the same at every probe. A picture of fixed size has only one.
            let cut = |&(height, width): &(usize, usize)| {
                let [down, right] = conv.stride;
                let made = wanted.unwrap_or([height * down, width * right]);
                shape_cut(node, &conv, extra, [height, width], made)
            };
            let sides = equal(self.sizes_of(id).iter().map(cut)).flatten();
            let (sides, more) = sides
                .ok_or_else(|| self.scope.of_size(node.refused("makes a map of a fixed size")))?;
            extra = more;
            sides
        } else {
            window_pads(node, conv.reach(), conv.stride)?
                .padding(1, 1)
                .map_or(Sides::default(), |(_, sides)| sides)
        };
        let op = Op::ConvTranspose2d { conv, cut: sides, extra };
        let made = self.add_held(op, &[id], Some(held))?;
        Ok(self.channels_first(made))
    }

    /// The product of channels and a matrix, at every pixel: a convolution with a kernel of one pixel.
    pub fn matrix_product(&mut self, mut x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        // A matrix before the map multiplies the side before the last one.
        let from_end = if self.map(0).is_ok() { 1 } else { 2 };
        if node.flag(if from_end == 1 { "transA" } else { "transB" }, false) {
            return Err(node.refused("transposes a map that it multiplies"));
        }
        let mut matrix = self.weights_at(2 - from_end)?;
        let more = matrix.sides.len().saturating_sub(x.layout.sides.len());
        let extra = matrix.sides.len().saturating_sub(2);
        if extra > MAX_SIDES || matrix.sides.drain(..extra).any(|side| side != 1) {
            return Err(node.refused("multiplies a map by more than one matrix"));
        }
        x.layout.sides.splice(0..0, vec![Vec::new(); more]);
        let is_transposed =
            if from_end == 1 { !node.flag("transB", false) } else { node.flag("transA", false) };
        let side = x.layout.sides.len().checked_sub(from_end);
        let mut made =
            self.by_matrix(&x, side, &matrix, is_transposed, node.float("alpha", 1.0))?;
        if node.input(2).is_some() {
            let mut bias = self.weights_at(2)?;
            let beta = node.float("beta", 1.0);
            bias.values.iter_mut().for_each(|value| *value *= beta);
            made = self.with_broadcast(&made, Arithmetic::Sum, &bias, false)?;
        }
        Ok(made)
    }

    /// The channels, which are a side of the map, times a matrix of outputs and inputs, or the reverse if it is
    /// transposed, and `alpha`.
    fn by_matrix(
        &mut self,
        x: &MapValue,
        side: Option<usize>,
        matrix: &Constant,
        is_transposed: bool,
        alpha: f32,
    ) -> Result<MapValue> {
        if side.is_none_or(|side| x.layout.axis(side) != Axis::Channels) {
            return Err(self.refused(format!(
                "multiplies a side that is not the channels of a map with the sides {}",
                self.sides_shown(x)
            )));
        }
        let [rows, columns] = *matrix.sides else {
            return Err(self.refused("multiplies a map by something other than a matrix"));
        };
        let [outputs, inputs] = if is_transposed { [columns, rows] } else { [rows, columns] };
        let at = |output: usize, input: usize| {
            let place =
                if is_transposed { input * columns + output } else { output * columns + input };
            alpha * matrix.values[place]
        };
        let weight = (0..outputs).flat_map(|o| (0..inputs).map(move |i| at(o, i))).collect();
        let weights = NodeWeights { weight, bias: vec![0.0; outputs] };
        let conv = Conv::square(inputs, outputs, 1, 1);
        let made = self.add_weighted(Op::Conv2d(conv), &[x.node], weights)?;
        Ok(self.with_channels(x, made))
    }

    /// A sum over channels in Einstein's notation that is a product with a matrix, or another order of the sides.
    pub fn einsum(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || node.refused("computes neither a transpose nor channels times a matrix");
        let map = (0..node.input.len()).position(|index| self.map(index).is_ok());
        let mut equation = node.text("equation", "").replace(' ', "");
        let own = map.and_then(|map| equation.split([',', '-']).nth(map)).ok_or_else(odd)?;
        // Digits replace the sides that have no letters.
        let unnamed = (x.layout.sides.len() + 3).saturating_sub(own.len());
        equation = equation.replace("...", "01234567".get(..unnamed).ok_or_else(odd)?);
        let (terms, result) = equation.split_once("->").ok_or_else(odd)?;
        let terms: Vec<Vec<char>> = terms.split(',').map(|term| term.chars().collect()).collect();
        let mut sides = map.and_then(|map| terms.get(map)).ok_or_else(odd)?.clone();
        if terms.len() != node.input.len() || sides.len() != x.layout.sides.len() {
            return Err(odd());
        }
        let made = match (terms.as_slice(), map) {
            ([_], _) => x,
            ([_, _], Some(map)) => {
                let matrix = self.weights_at(1 - map)?;
                let &[first, second] = terms[1 - map].as_slice() else {
                    return Err(odd());
                };
                let is_transposed = sides.contains(&first);
                let (from, to) = if is_transposed { (first, second) } else { (second, first) };
                let side = sides.iter().position(|&side| side == from);
                if sides.contains(&to) || result.contains(from) {
                    return Err(odd());
                }
                let made = self.by_matrix(&x, side, &matrix, is_transposed, 1.0)?;
                side.into_iter().for_each(|side| sides[side] = to);
                made
            }
            _ => return Err(odd()),
        };
        let order: Option<Vec<usize>> =
            result.chars().map(|side| sides.iter().position(|&own| own == side)).collect();
        let layout = order.and_then(|order| made.layout.transposed(&order)).ok_or_else(odd)?;
        self.settled(MapValue { layout, ..made })
    }

    /// The node of a map whose sides are batch, channels, rows and columns.
    pub fn channels_first_node(&self, x: &MapValue) -> Result<NodeId> {
        if x.layout.is_channels_first() {
            return Ok(x.node);
        }
        Err(self.refused(format!(
            "reads a map whose sides are {}, not batch, channels, rows and columns",
            self.sides_shown(x)
        )))
    }

    /// The node of a map whose second side is its channels, followed by its planes in any shape.
    pub fn planes(&self, x: &MapValue) -> Result<NodeId> {
        // Channels that are a side are in no other side.
        if x.layout.axis(0) == Axis::One && x.layout.axis(1) == Axis::Channels {
            return Ok(x.node);
        }
        Err(self.refused("normalises something other than the channels of a map"))
    }
}
