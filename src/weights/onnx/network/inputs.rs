//! The picture that a graph reads, and its sides.

use super::Layout;
use crate::{
    graph::MAX_MAP_SIDE_PX,
    weights::{
        WeightsError,
        onnx::{
            messages::{Dimension, ValueInfo},
            refused, shown,
        },
    },
};

/// The sides of the picture that a network reads.
pub(super) struct InputSides {
    pub(super) layout: Layout,
    /// Rows and columns, where they are fixed.
    pub(super) fixed_size: Option<(usize, usize)>,
}

/// What the file says about the sides of its picture.
pub(super) fn sides(picture: &ValueInfo<'_>) -> Result<InputSides, WeightsError> {
    let free = || InputSides {
        layout: Layout::channels_first(3),
        fixed_size: None,
    };
    let tensor = picture.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let Some(tensor) = tensor else {
        return Ok(free());
    };
    // FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16; 0 where the file does not tell.
    if !matches!(tensor.elem_type, 0 | 1 | 2 | 10 | 11 | 16) {
        return Err(refused("its input is not a picture"));
    }
    let Some(shape) = &tensor.shape else {
        return Ok(free());
    };
    let side = |dim: &Dimension| usize::try_from(dim.dim_value).unwrap_or(0);
    let sides: Vec<usize> = shape.dim.iter().map(side).collect();
    let odd = || {
        refused(format!(
            "its input has the sides {}; a picture is a batch of one, 1 x 3 x height x width or 1 x height x width x 3",
            shown(&sides)
        ))
    };
    let (batch, rest) = match sides.as_slice() {
        [batch, rest @ ..] if rest.len() == 3 => (*batch, rest),
        rest if rest.len() == 3 => (1, rest),
        _ => return Err(odd()),
    };
    let (height, width, mut layout) = match *rest {
        [3, height, width] => (height, width, Layout::channels_first(3)),
        [height, width, 3] => (height, width, Layout::channels_last(3)),
        [0, height, width] => (height, width, Layout::channels_first(3)),
        _ => return Err(odd()),
    };
    if sides.len() == 3 {
        layout.sides.remove(0);
    }
    if batch > 1 || height.max(width) > MAX_MAP_SIDE_PX {
        return Err(odd());
    }
    let fixed_size = match (height, width) {
        (0, 0) => None,
        (0, _) | (_, 0) => return Err(odd()),
        size => Some(size),
    };
    Ok(InputSides { layout, fixed_size })
}
