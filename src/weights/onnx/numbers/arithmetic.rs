//! Element-wise arithmetic on numbers.

use std::cmp::Ordering;

use super::{MAX_COUNT, Node, Numbers, Values, few, input, joint_sides, spread};

pub(super) fn cast(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let values = match (node.int("to", 0), &source.values) {
        // FLOAT, FLOAT16, DOUBLE: sizes are small whole numbers, exact in each.
        (1 | 10 | 11, _) => Values::Float(source.to_floats()),
        // INT32, INT64
        (6 | 7, Values::Float(v)) => Values::Int(v.iter().map(|v| v.trunc() as i64).collect()),
        (6 | 7, Values::Int(v)) => Values::Int(v.clone()),
        // BOOL
        (9, Values::Int(v)) => Values::Int(v.iter().map(|v| i64::from(*v != 0)).collect()),
        (9, Values::Float(v)) => Values::Int(v.iter().map(|v| i64::from(*v != 0.0)).collect()),
        _ => return None,
    };
    Numbers::new(source.shape.clone(), values)
}

/// A function of every number.
pub(super) fn each(
    inputs: &[Option<&Numbers>],
    on_int: fn(i64) -> Option<i64>,
    on_float: fn(f32) -> f32,
) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let values = match &source.values {
        Values::Int(v) => Values::Int(v.iter().map(|v| on_int(*v)).collect::<Option<_>>()?),
        Values::Float(v) => Values::Float(v.iter().map(|v| on_float(*v)).collect()),
    };
    Numbers::new(source.shape.clone(), values)
}

/// A power of integers.
pub(super) fn power(base: i64, exponent: i64) -> Option<i64> {
    base.checked_pow(u32::try_from(exponent).ok()?)
}

/// 1 if a comparison holds, otherwise 0.
pub(super) fn compared(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let holds: fn(Ordering) -> bool = match node.op_type {
        "Equal" => Ordering::is_eq,
        "Greater" => Ordering::is_gt,
        "GreaterOrEqual" => Ordering::is_ge,
        "Less" => Ordering::is_lt,
        _ => Ordering::is_le,
    };
    let order = arithmetic(
        inputs,
        |a, b| Some(a.cmp(&b) as i64),
        |a, b| a.partial_cmp(&b).map_or(f32::NAN, |order| order as i8 as f32),
    )?;
    let shape = order.shape.clone();
    let order = order.to_floats().into_iter();
    let order = order.map(|order| order.partial_cmp(&0.0).is_some_and(holds).into());
    Numbers::new(shape, Values::Int(order.collect()))
}

/// The second input's numbers if the first ones are not 0, otherwise the third input's.
pub(super) fn chosen(_: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (condition, yes, no) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
    let first = condition.as_ints()?.first()?;
    // Differing conditions must be for lists of the same length.
    if condition.as_ints()?.iter().all(|other| (*other != 0) == (*first != 0)) {
        let (source, other) = if *first != 0 { (yes, no) } else { (no, yes) };
        let is_whole = source.count() >= condition.count().max(other.count());
        return is_whole.then(|| source.clone());
    }
    let condition = condition.as_ints()?;
    let (yes, no) = (yes.as_ints()?, no.as_ints()?);
    let is_alike = yes.len() == condition.len() && no.len() == condition.len();
    let pairs = condition.iter().zip(yes.iter().zip(no));
    let values = pairs.map(|(condition, (yes, no))| if *condition != 0 { *yes } else { *no });
    is_alike.then(|| Numbers::ints(values.collect()))?
}

pub(super) fn range(_: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let one = |index: usize| match input(inputs, index)?.as_ints()? {
        [one] => Some(*one),
        _ => None,
    };
    let (first, end, step) = (one(0)?, one(1)?, one(2)?);
    let mut values = Vec::new();
    let mut at = first;
    while step > 0 && at < end || step < 0 && at > end {
        if values.len() == MAX_COUNT {
            return None;
        }
        values.push(at);
        at = at.checked_add(step)?;
    }
    (step != 0).then(|| Numbers::ints(values))?
}

/// One number made of all integers.
pub(super) fn reduced(
    inputs: &[Option<&Numbers>],
    join: fn(i64, i64) -> Option<i64>,
) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let (first, rest) = source.as_ints()?.split_first()?;
    let value = rest.iter().try_fold(*first, |value, next| join(value, *next))?;
    // The number of sides does not matter for the single numbers that exporters make.
    Numbers::int(value).filter(|_| source.shape.len() <= 1)
}

/// Value by value; sides of length 1 are repeated.
pub(super) fn arithmetic(
    inputs: &[Option<&Numbers>],
    on_ints: fn(i64, i64) -> Option<i64>,
    on_floats: fn(f32, f32) -> f32,
) -> Option<Numbers> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let shape = joint_sides(&a.shape, &b.shape)?;
    few(&shape)?;
    let pairs = spread(&a.shape, &shape).zip(spread(&b.shape, &shape));
    let values = match (&a.values, &b.values) {
        (Values::Int(x), Values::Int(y)) => {
            Values::Int(pairs.map(|(i, j)| on_ints(x[i], y[j])).collect::<Option<_>>()?)
        }
        (Values::Float(x), Values::Float(y)) => {
            Values::Float(pairs.map(|(i, j)| on_floats(x[i], y[j])).collect())
        }
        _ => return None,
    };
    Numbers::new(shape, values)
}
