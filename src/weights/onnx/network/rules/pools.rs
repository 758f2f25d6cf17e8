//! Pooling over windows.

use super::{MapValue, Reader, convolution::window_pads};
use crate::{
    graph::{Op, PadMode, Pool, Sides},
    weights::{
        WeightsError,
        onnx::{messages::Node, refused, shown},
    },
};

pub(super) fn pool<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    let mut id = reader.channels_first_node(node, &x)?;
    let list = |name: &str| node.attribute(name).map_or(&[][..], |a| &a.ints);
    let wrong = |what: String| refused(format!("{} {what}", node.label()));
    let pair = |name: &str, absent: usize| match list(name) {
        [] => Ok([absent; 2]),
        [rows, columns] => [*rows, *columns]
            .map(|px| usize::try_from(px).ok().filter(|px| (1..=64).contains(px)))
            .into_iter()
            .collect::<Option<Vec<usize>>>()
            .map(|pair| [pair[0], pair[1]])
            .ok_or_else(|| wrong(format!("has {name} {}", shown(list(name))))),
        other => Err(wrong(format!("has {name} {}", shown(other)))),
    };
    if list("kernel_shape").len() != 2 {
        return Err(wrong("has no windows of rows and columns".to_owned()));
    }
    let (kernel, stride) = (pair("kernel_shape", 1)?, pair("strides", 1)?);
    if pair("dilations", 1)? != [1, 1] {
        return Err(wrong("has windows with gaps".to_owned()));
    }
    let is_ceil = node.attribute("ceil_mode").is_some_and(|a| a.i != 0);
    let counts_padding = node.attribute("count_include_pad").is_some_and(|a| a.i != 0);
    let is_max = node.op_type == "MaxPool";
    let sides = match window_pads(node, kernel, stride)? {
        super::convolution::Padding::Fixed(sides) => sides,
        super::convolution::Padding::Same(op) => {
            let of = |(height, width)| op.padding(height, width).map(|(_, sides)| sides);
            let sides: Vec<Option<Sides>> = reader.sizes_of(id).into_iter().map(of).collect();
            match sides.as_slice() {
                [Some(first), rest @ ..] if rest.iter().all(|sides| *sides == Some(*first)) => {
                    *first
                }
                // A separate operation pads with zeros, which is right only if the padding counts and for means, not
                // for maxima.
                _ if !is_max && counts_padding => {
                    id = reader.add(op, &[id], None)?;
                    Sides::default()
                }
                _ => {
                    let error = wrong("pads by the size of the picture".to_owned());
                    return Err(reader.scope.of_size(error));
                }
            }
        }
    };
    let sums = sides.sums();
    if is_max && (sums[0] / 2 >= kernel[0] || sums[1] / 2 >= kernel[1]) {
        return Err(wrong("pads by more than a window".to_owned()));
    }
    let fits = sides.top.max(sides.bottom) < kernel[0] && sides.left.max(sides.right) < kernel[1];
    let sides = if fits {
        sides
    } else if counts_padding {
        let mode = PadMode::Constant(0.0);
        id = reader.add(Op::Pad { mode, sides }, &[id], None)?;
        Sides::default()
    } else {
        return Err(wrong("pads by more than a window".to_owned()));
    };
    let pool = Pool { kernel, stride, sides, is_ceil };
    let op = if is_max { Op::MaxPool(pool) } else { Op::AveragePool { pool, counts_padding } };
    let made = reader.add(op, &[id], None)?;
    Ok(vec![reader.channels_first(made)])
}
