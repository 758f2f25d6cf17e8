//! Norms as one node.

use super::{MapValue, Reader};
use crate::weights::{
    WeightsError,
    onnx::{messages::Node, refused},
};

/// Instance norm by the picture's own statistics.
pub(super) fn instance_norm<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    let id = reader.planes(node, &x)?;
    let count = reader.channels(id);
    let scale = reader.list_at(node, 1, count)?;
    let shift = reader.list_at(node, 2, count)?;
    let eps = f64::from(node.attribute("epsilon").map_or(1e-5, |a| a.f));
    if !(0.0..=1e6).contains(&eps) {
        return Err(refused(format!("{} has the epsilon {eps}", node.label())));
    }
    let normed = reader.instance_norm(id, eps, scale, shift)?;
    Ok(vec![x.moved_to(normed)])
}

/// Batch norm with the statistics of the training.
pub(super) fn batch_norm<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    reader.planes(node, &x)?;
    if node.attribute("training_mode").is_some_and(|a| a.i != 0) {
        return Err(refused(format!("{} is in training", node.label())));
    }
    let count = reader.channels(x.node);
    let mut list = |index: usize| reader.list_at(node, index, count);
    let (scale, shift) = (list(1)?, list(2)?);
    let (mean, variance) = (list(3)?, list(4)?);
    let eps = f64::from(node.attribute("epsilon").map_or(1e-5, |a| a.f));
    let (mut scales, mut shifts) = (Vec::new(), Vec::new());
    let of_batch = mean.iter().zip(&variance);
    for ((&scale, &shift), (&mean, &variance)) in scale.iter().zip(&shift).zip(of_batch) {
        let factor = f64::from(scale) / (f64::from(variance) + eps).sqrt();
        scales.push(factor as f32);
        shifts.push((f64::from(shift) - f64::from(mean) * factor) as f32);
    }
    reader.affine(&x, scales, shifts).map(|map| vec![map])
}
