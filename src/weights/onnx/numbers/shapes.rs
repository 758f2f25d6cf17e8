//! Numbers in another shape, and numbers created for a shape.

use super::super::wire::varints;
use super::{MAX_COUNT, Node, Numbers, Values, input, product, wrapped};

/// Numbers that gain or lose sides of length 1.
pub(super) fn squeezed(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let axes = match (node.attribute("axes"), input(inputs, 1)) {
        (Some(attribute), _) => Some(attribute.ints.as_slice()),
        (None, Some(axes)) => Some(axes.as_ints()?),
        (None, None) => None,
    };
    let shape = fewer_or_more(&source.shape, axes, node.op_type == "Squeeze")?;
    Numbers::new(shape, source.values.clone())
}

pub(super) fn reshape(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (source, sides) = (input(inputs, 0)?, input(inputs, 1)?.as_ints()?);
    Numbers::new(reshaped(node, &source.shape, sides)?, source.values.clone())
}

/// The sides without or with further sides of length 1.
pub(in super::super) fn fewer_or_more(
    own: &[usize],
    axes: Option<&[i64]>,
    is_fewer: bool,
) -> Option<Vec<usize>> {
    let Some(axes) = axes else {
        return is_fewer.then(|| own.iter().copied().filter(|&side| side != 1).collect());
    };
    let count = if is_fewer { own.len() } else { own.len() + axes.len() };
    let mut is_named = vec![false; count];
    for &axis in axes {
        if std::mem::replace(&mut is_named[wrapped(axis, count)?], true) {
            return None;
        }
    }
    if is_fewer {
        let is_one = own.iter().zip(&is_named).all(|(&side, &named)| !named || side == 1);
        let kept = own.iter().zip(&is_named).filter(|(_, named)| !**named);
        return is_one.then(|| kept.map(|(&side, _)| side).collect());
    }
    let mut rest = own.iter().copied();
    let side = |&named: &bool| if named { Some(1) } else { rest.next() };
    is_named.iter().map(side).collect()
}

/// The sides that a Reshape gives to values with the sides `own`. A side of -1 follows from the others.
pub(in super::super) fn reshaped(
    node: &Node<'_>,
    own: &[usize],
    wanted: &[i64],
) -> Option<Vec<usize>> {
    // Since opset 14 a side of 0 may mean 0; before, it keeps the side.
    let keeps = !node.flag("allowzero", false);
    let meant = |(index, side): (usize, &i64)| match side {
        0 if keeps => i64::try_from(*own.get(index)?).ok(),
        side => Some(*side),
    };
    let sides = wanted.iter().enumerate().map(meant).collect::<Option<Vec<i64>>>()?;
    let count = product(own.iter().copied().map(Some))?;
    let known = sides.iter().filter(|side| **side != -1);
    let free = sides.len() - known.clone().count();
    let known = product(known.map(|side| usize::try_from(*side).ok()))?;
    let left = if free == 0 { 1 } else { count.checked_div(known)? };
    let shape: Vec<usize> =
        sides.iter().map(|side| usize::try_from(*side).unwrap_or(left)).collect();
    (free <= 1 && product(shape.iter().copied().map(Some)) == Some(count)).then_some(shape)
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
