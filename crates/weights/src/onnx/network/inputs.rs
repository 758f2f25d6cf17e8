//! The input of a graph, a picture or a map, and its sides.

use super::Layout;
use crate::{
    Result,
    onnx::{messages::ValueInfo, refused, shown},
};
use network::graph::{MAX_CHANNELS, MAX_MAP_SIDE_PX, Op};

pub struct InputSides {
    /// A photo or a map.
    pub op: Op,
    pub layout: Layout,
    /// Number of pictures per run.
    pub batch: usize,
    /// Rows and columns, if both are fixed.
    pub fixed_size: Option<(usize, usize)>,
}

/// The sides of an input; a free one is 0.
fn sides_of(dims: &[i64]) -> Vec<usize> {
    dims.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect()
}

/// What the file says about the sides of its picture.
pub fn picture_sides(picture: &ValueInfo<'_>) -> Result<InputSides> {
    // FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16; 0 if the file does not say.
    if !matches!(picture.elem_type, 0 | 1 | 2 | 10 | 11 | 16) {
        return Err(refused("its input is not a picture"));
    }
    let sides = sides_of(picture.dims.as_deref().unwrap_or(&[1, 3, 0, 0]));
    let odd = || {
        refused(format!(
            "its input has the sides {}; a picture is 1 x 3 x height x width or 1 x height x width x 3",
            shown(&sides)
        ))
    };
    let (batch, rest) = match sides.as_slice() {
        [batch, rest @ ..] if rest.len() == 3 => (*batch, rest),
        rest if rest.len() == 3 => (1, rest),
        _ => return Err(odd()),
    };
    const FIRST: [usize; 4] = [0, 1, 2, 3];
    const LAST: [usize; 4] = [0, 2, 3, 1];
    let (height, width, order) = match *rest {
        [3, height, width] => (height, width, FIRST),
        [height, width, 3] => (height, width, LAST),
        [0, height, width] => (height, width, FIRST),
        _ => return Err(odd()),
    };
    let mut layout = Layout::channels_first(3).transposed(&order).ok_or_else(odd)?;
    if sides.len() == 3 {
        layout.sides.remove(0);
    }
    if height.max(width) > MAX_MAP_SIDE_PX {
        return Err(odd());
    }
    Ok(InputSides { op: Op::Photo, layout, batch, fixed_size: fixed_size(height, width) })
}

/// Rows and columns, if both are fixed. If only one is, the network may still run at any size.
fn fixed_size(height: usize, width: usize) -> Option<(usize, usize)> {
    (height > 0 && width > 0).then_some((height, width))
}

/// What the file says about the sides of a map of any numbers. It must fix at least the channels.
pub fn map_sides(map: &ValueInfo<'_>) -> Result<InputSides> {
    // FLOAT, FLOAT16, DOUBLE, BFLOAT16; 0 if the file does not say.
    let is_map = matches!(map.elem_type, 0 | 1 | 10 | 11 | 16);
    let sides = sides_of(map.dims.as_deref().filter(|_| is_map).unwrap_or_default());
    let sized = match *sides.as_slice() {
        [0 | 1, channels @ 1..=MAX_CHANNELS, height, width]
            if height.max(width) <= MAX_MAP_SIDE_PX =>
        {
            Some((channels, fixed_size(height, width)))
        }
        _ => None,
    };
    let Some((channels, fixed_size)) = sized else {
        return Err(refused(format!(
            "its input has the sides {}; a map is one of fractions, 1 x channels x height x width",
            shown(&sides)
        )));
    };
    Ok(InputSides {
        op: Op::Input { channels },
        layout: Layout::channels_first(channels),
        batch: 1,
        fixed_size,
    })
}
