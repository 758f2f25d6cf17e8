//! The picture that a graph reads: its sides where the file fixes them, and sizes to try where it does not.

use super::{
    super::{
        messages::{Dimension, ValueInfo},
        shown,
    },
    MAX_SIDE_PX, WeightsError, refused,
};

/// Heights and widths at which a graph with free sides is tried; the odd ones tell 2x from
/// everything that only looks like it at round sizes.
const PROBES: [(usize, usize); 3] = [(64, 96), (61, 83), (338, 531)];

/// Batch size, and the sizes at which the graph's arithmetic is tried: its own if they are fixed.
pub(super) fn probes(
    picture: &ValueInfo<'_>,
) -> Result<(usize, Vec<(usize, usize)>), WeightsError> {
    let tensor = picture.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let Some(tensor) = tensor else {
        return Ok((1, PROBES.to_vec()));
    };
    // FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16; 0 where the file does not tell.
    if !matches!(tensor.elem_type, 0 | 1 | 2 | 10 | 11 | 16) {
        return Err(refused("its input is not a picture"));
    }
    let Some(shape) = &tensor.shape else {
        return Ok((1, PROBES.to_vec()));
    };
    let side = |dim: &Dimension| usize::try_from(dim.dim_value).unwrap_or(0);
    let odd = || {
        let sides: Vec<usize> = shape.dim.iter().map(side).collect();
        refused(format!(
            "its input has shape {}, a picture is batch x 3 x height x width",
            shown(&sides)
        ))
    };
    let [batch, channels, height, width] = shape.dim.as_slice() else {
        return Err(odd());
    };
    let [batch, channels, height, width] = [batch, channels, height, width].map(side);
    let largest = batch.max(height).max(width);
    if !matches!(channels, 0 | 3) || largest > MAX_SIDE_PX {
        return Err(odd());
    }
    let fixed = |side: usize, probe: usize| if side == 0 { probe } else { side };
    let mut sizes: Vec<(usize, usize)> =
        PROBES.iter().map(|(h, w)| (fixed(height, *h), fixed(width, *w))).collect();
    sizes.dedup();
    Ok((batch.max(1), sizes))
}
