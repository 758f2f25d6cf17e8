//! Selection and concatenation of numbers.

use super::{MAX_COUNT, Node, Numbers, Values, few, input};
use crate::weights::tensor::row_major;

fn axis(node: &Node<'_>) -> i64 {
    node.int("axis", 0)
}

/// A position. Negative ones count from the end.
pub(in super::super) fn wrapped(index: i64, count: usize) -> Option<usize> {
    let count = i64::try_from(count).ok()?;
    let index = if index < 0 { index + count } else { index };
    (0..count).contains(&index).then_some(index as usize)
}

pub(super) fn gather(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (source, indices) = (input(inputs, 0)?, input(inputs, 1)?);
    if source.shape.len() != 1 || !matches!(axis(node), 0 | -1) {
        return None;
    }
    let positions: Vec<usize> =
        indices.as_ints()?.iter().map(|i| wrapped(*i, source.count())).collect::<Option<_>>()?;
    source.picked(indices.shape.clone(), &positions)
}

/// Numbers that are repeated along some sides.
pub(super) fn expand(_: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (source, sides) = (input(inputs, 0)?, input(inputs, 1)?.as_ints()?);
    let wanted: Option<Vec<usize>> = sides.iter().map(|side| usize::try_from(*side).ok()).collect();
    let shape = joint_sides(&source.shape, &wanted?)?;
    few(&shape)?;
    let positions: Vec<usize> = spread(&source.shape, &shape).collect();
    source.picked(shape, &positions)
}

/// The sides of values that are combined, with sides of length 1 repeated; `None` if they do not fit.
pub(in super::super) fn joint_sides(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let joint = |side: usize| match (aligned(a, side, rank), aligned(b, side, rank)) {
        (1, other) | (other, 1) => Some(other),
        (own, other) => (own == other).then_some(own),
    };
    (0..rank).map(joint).collect()
}

/// The length of one of `rank` sides. Missing sides are the first ones.
fn aligned(sides: &[usize], side: usize, rank: usize) -> usize {
    (side + sides.len()).checked_sub(rank).map_or(1, |own| sides[own])
}

/// For each value with these `sides`, its position in a list with the sides `own` that is repeated along some of them.
pub(in super::super) fn spread<'s>(
    own: &'s [usize],
    sides: &'s [usize],
) -> impl Iterator<Item = usize> + 's {
    let (rank, strides) = (sides.len(), row_major(sides));
    (0..sides.iter().product()).map(move |place| {
        (0..rank).fold(0, |at, side| {
            let length = aligned(own, side, rank);
            at * length + place / strides[side] % sides[side] % length
        })
    })
}

/// The sides in another order, and for each value its position before; `None` if that is no order.
pub(in super::super) fn transposed<'s>(
    sides: &[usize],
    order: &'s [usize],
) -> Option<(Vec<usize>, impl Iterator<Item = usize> + 's)> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..sides.len()) {
        return None;
    }
    let before = row_major(sides);
    let sides: Vec<usize> = order.iter().map(|&side| sides[side]).collect();
    let (made, strides) = (sides.clone(), row_major(&sides));
    let positions = (0..sides.iter().product()).map(move |place: usize| {
        let along = |side: usize| place / strides[side] % sides[side] * before[order[side]];
        (0..order.len()).map(along).sum()
    });
    Some((made, positions))
}

/// Rows along the first axis, forwards or backwards.
pub(super) fn slice(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let one = |index: usize, name: &str| -> Option<Option<i64>> {
        let list = match (input(inputs, index), node.attribute(name)) {
            (Some(numbers), _) => numbers.as_ints()?,
            (None, Some(attribute)) => &attribute.ints,
            (None, None) => return Some(None),
        };
        match list {
            [one] => Some(Some(*one)),
            _ => None,
        }
    };
    let (start, end) = (one(1, "starts")??, one(2, "ends")??);
    if one(3, "axes")?.unwrap_or(0) != 0 {
        return None;
    }
    let step = one(4, "steps")?.unwrap_or(1);
    let rows = i64::try_from(*source.shape.first()?).ok()?;
    let from_end = |index: i64| {
        if index < 0 { index.saturating_add(rows) } else { index }
    };
    let picked: Vec<i64> = match step {
        1 => (from_end(start).clamp(0, rows)..from_end(end).clamp(0, rows)).collect(),
        -1 => {
            let first = from_end(start).clamp(-1, rows - 1);
            let last = from_end(end).clamp(-1, rows - 1);
            (last + 1..=first).rev().collect()
        }
        _ => return None,
    };
    let width: usize = source.shape[1..].iter().product();
    let positions: Vec<usize> = picked
        .iter()
        .flat_map(|row| (0..width).map(move |column| *row as usize * width + column))
        .collect();
    let mut shape = source.shape.clone();
    shape[0] = picked.len();
    source.picked(shape, &positions)
}

pub(super) fn concat(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    if !matches!(axis(node), 0 | -1) {
        return None;
    }
    let parts: Vec<&Numbers> = inputs.iter().copied().collect::<Option<_>>()?;
    if parts.iter().any(|part| part.shape.len() != 1) {
        return None;
    }
    let total: usize = parts.iter().map(|part| part.count()).sum();
    if total > MAX_COUNT {
        return None;
    }
    let ints: Option<Vec<&[i64]>> = parts.iter().map(|part| part.as_ints()).collect();
    let values = match ints {
        Some(ints) => Values::Int(ints.concat()),
        None if parts.iter().all(|p| p.as_ints().is_none()) => {
            Values::Float(parts.iter().flat_map(|part| part.to_floats()).collect())
        }
        None => return None,
    };
    Numbers::new(vec![total], values)
}

pub(super) fn transpose(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let order = node.order(source.shape.len());
    let (shape, positions) = transposed(&source.shape, &order)?;
    source.picked(shape, &positions.collect::<Vec<_>>())
}
