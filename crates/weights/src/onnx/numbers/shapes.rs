//! Numbers in another shape, and numbers created for a shape.

use super::{Call, MAX_COUNT, Node, Numbers, Values, product, wrapped};
use crate::onnx::tensors::stored;

impl Call<'_> {
    pub fn constant_of_shape(&self) -> Option<Numbers> {
        let [count] = self.input(0)?.as_ints()? else {
            return None;
        };
        let count = usize::try_from(*count).ok().filter(|c| *c <= MAX_COUNT)?;
        let value = match self.node.attribute("value").and_then(|a| a.t.as_deref()) {
            Some(tensor) => Numbers::of(&stored("", tensor, self.budget).ok()?, &[])?.values,
            None => Values::Float(vec![0.0]),
        };
        let values = match value {
            Values::Int(one) => Values::Int(one.repeat(count)),
            Values::Float(one) => Values::Float(one.repeat(count)),
        };
        Numbers::few(vec![count], values)
    }
}

/// The sides without or with further sides of length 1.
pub fn fewer_or_more(own: &[usize], axes: Option<&[i64]>, is_fewer: bool) -> Option<Vec<usize>> {
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
pub fn reshaped(node: &Node<'_>, own: &[usize], wanted: &[i64]) -> Option<Vec<usize>> {
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
