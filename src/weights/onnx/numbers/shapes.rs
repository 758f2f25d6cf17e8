//! Numbers in another shape, and numbers created for a shape.

use super::super::wire::varints;
use super::{MAX_COUNT, Node, Numbers, Values, input, product};

/// A single number that gains or loses its only side.
pub(super) fn single(inputs: &[Option<&Numbers>], from: &[usize], to: &[usize]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    if source.shape != from {
        return None;
    }
    Numbers::new(to.to_vec(), source.values.clone())
}

pub(super) fn reshape(inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (source, sides) = (input(inputs, 0)?, input(inputs, 1)?.as_ints()?);
    let shape = sides_for(source.count(), sides)?;
    Numbers::new(shape, source.values.clone())
}

/// The shape for `count` numbers. A side of -1 follows from the others. `None` if the numbers do not fill the shape.
pub(in super::super) fn sides_for(count: usize, sides: &[i64]) -> Option<Vec<usize>> {
    let known = sides.iter().filter(|side| **side != -1);
    let known = product(known.map(|side| usize::try_from(*side).ok()))?;
    let free = count.checked_div(known)?;
    let shape: Vec<usize> =
        sides.iter().map(|side| usize::try_from(*side).unwrap_or(free)).collect();
    (product(shape.iter().copied().map(Some)) == Some(count)).then_some(shape)
}

pub(super) fn constant_of_shape(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let [count] = input(inputs, 0)?.as_ints()? else {
        return None;
    };
    let count = usize::try_from(*count).ok().filter(|c| *c <= MAX_COUNT)?;
    let values = match node.attribute("value").and_then(|a| a.t.as_ref()) {
        Some(tensor) if tensor.data_type == 7 => {
            let raw = tensor.raw_data.first_chunk::<8>();
            let value = match raw {
                Some(raw) => i64::from_le_bytes(*raw),
                None => varints(&tensor.int64_data).next().unwrap_or_default(),
            };
            Values::Int(vec![value; count])
        }
        Some(tensor) if tensor.data_type == 1 => {
            let raw =
                (tensor.raw_data.first_chunk::<4>()).or_else(|| tensor.float_data.first_chunk());
            Values::Float(vec![f32::from_le_bytes(*raw?); count])
        }
        None => Values::Float(vec![0.0; count]),
        Some(_) => return None,
    };
    Numbers::new(vec![count], values)
}
