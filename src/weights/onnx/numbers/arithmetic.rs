//! Element-wise arithmetic on numbers.

use super::{Node, Numbers, Values, input};

pub(super) fn cast(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let values = match (node.attribute("to")?.i, &source.values) {
        // FLOAT, FLOAT16, DOUBLE: sizes are small whole numbers, exact in each.
        (1 | 10 | 11, _) => Values::Float(source.to_floats()),
        // INT32, INT64
        (6 | 7, Values::Float(v)) => Values::Int(v.iter().map(|v| v.trunc() as i64).collect()),
        (6 | 7, Values::Int(v)) => Values::Int(v.clone()),
        _ => return None,
    };
    Numbers::new(source.shape.clone(), values)
}

pub(super) fn rounded(inputs: &[Option<&Numbers>], round: fn(f32) -> f32) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let Values::Float(v) = &source.values else {
        return None;
    };
    let values = Values::Float(v.iter().map(|v| round(*v)).collect());
    Numbers::new(source.shape.clone(), values)
}

/// Element by element; a single number is combined with every number of the other input.
pub(super) fn arithmetic(
    inputs: &[Option<&Numbers>],
    on_ints: fn(i64, i64) -> Option<i64>,
    on_floats: fn(f32, f32) -> f32,
) -> Option<Numbers> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let count = a.count().max(b.count());
    if (a.count() != count && a.count() != 1) || (b.count() != count && b.count() != 1) {
        return None;
    }
    let shape = if a.count() == count { &a.shape } else { &b.shape };
    let pick = |i: usize, n: usize| if n == 1 { 0 } else { i };
    let values = match (&a.values, &b.values) {
        (Values::Int(x), Values::Int(y)) => Values::Int(
            (0..count)
                .map(|i| on_ints(x[pick(i, x.len())], y[pick(i, y.len())]))
                .collect::<Option<_>>()?,
        ),
        (Values::Float(x), Values::Float(y)) => Values::Float(
            (0..count).map(|i| on_floats(x[pick(i, x.len())], y[pick(i, y.len())])).collect(),
        ),
        _ => return None,
    };
    Numbers::new(shape.clone(), values)
}
