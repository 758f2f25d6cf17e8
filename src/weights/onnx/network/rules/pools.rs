//! Pooling over windows.

use super::{
    MapValue, Reader,
    convolution::{Padding, pair, window_pads},
};
use crate::{
    graph::{Op, PadMode, Pool, Sides},
    weights::{Result, onnx::messages::Node},
};

pub fn pool(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    let mut id = reader.channels_first_node(node, &x)?;
    if node.ints("kernel_shape").len() != 2 {
        return Err(node.refused("has no windows of rows and columns"));
    }
    let (kernel, stride) = (pair(node, "kernel_shape")?, pair(node, "strides")?);
    if pair(node, "dilations")? != [1, 1] {
        return Err(node.refused("has windows with gaps"));
    }
    let is_ceil = node.flag("ceil_mode", false);
    let counts_padding = node.flag("count_include_pad", false);
    let is_max = node.op_type == "MaxPool";
    let sides = match window_pads(node, kernel, stride)? {
        Padding::Fixed(sides) => sides,
        Padding::Same(op) => {
            let of = |(height, width)| op.padding(height, width).map(|(_, sides)| sides);
            let sides: Vec<Option<Sides>> = reader.sizes_of(id).into_iter().map(of).collect();
            match sides.as_slice() {
                [Some(first), rest @ ..] if rest.iter().all(|sides| *sides == Some(*first)) => {
                    *first
                }
                // A separate operation pads with zeros, which is right only if the padding counts and for means, not
                // for maxima.
                _ if !is_max && counts_padding => {
                    id = reader.add(op, &[id])?;
                    Sides::default()
                }
                _ => {
                    let error = node.refused("pads by the size of the picture");
                    return Err(reader.scope.of_size(error));
                }
            }
        }
    };
    let sums = sides.sums();
    if is_max && (sums[0] / 2 >= kernel[0] || sums[1] / 2 >= kernel[1]) {
        return Err(node.refused("pads by more than a window"));
    }
    let mut pool = Pool { kernel, stride, sides, is_ceil };
    if !pool.has_short_sides() {
        if !counts_padding {
            return Err(node.refused("pads by more than a window"));
        }
        id = reader.add(Op::Pad { mode: PadMode::Constant(0.0), sides }, &[id])?;
        pool.sides = Sides::default();
    }
    let op = if is_max { Op::MaxPool(pool) } else { Op::AveragePool { pool, counts_padding } };
    let made = reader.add(op, &[id])?;
    Ok(reader.channels_first(made))
}
