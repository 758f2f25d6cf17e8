//! The little programs that graphs run on sizes: shapes, scales and pads.
//!
//! Exporters compute the amount of a padding or the factor of an upsampling from `Shape` with
//! `Gather`, `Mul`, `Floor`, `Concat` and the like. Values here have at most [`MAX_COUNT`] numbers,
//! whatever a node asks for.

use super::{messages::Node, wire::varints};

/// Most numbers of one value.
pub(super) const MAX_COUNT: usize = 64;

/// A few numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Numbers {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Int(Vec<i64>),
    Float(Vec<f32>),
}

impl Values {
    fn count(&self) -> usize {
        match self {
            Self::Int(v) => v.len(),
            Self::Float(v) => v.len(),
        }
    }
}

impl Numbers {
    /// Numbers in a shape; `None` when these do not fit each other, or when the shape has more than
    /// [`MAX_COUNT`] rows or columns, be it without a number in them: nothing that is done with
    /// numbers takes more than a few steps.
    pub(super) fn new(shape: Vec<usize>, values: Values) -> Option<Self> {
        let sides = shape.iter().copied().filter(|side| *side != 0);
        let rows = product(sides.map(Some)).filter(|rows| *rows <= MAX_COUNT)?;
        let count = if shape.contains(&0) { 0 } else { rows };
        (shape.len() <= MAX_COUNT && values.count() == count).then_some(Self { shape, values })
    }

    /// Integers in a row.
    pub(super) fn ints(values: Vec<i64>) -> Option<Self> {
        Self::new(vec![values.len()], Values::Int(values))
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes that the numbers take in memory.
    pub(super) fn size_bytes(&self) -> usize {
        let one = match &self.values {
            Values::Int(_) => size_of::<i64>(),
            Values::Float(_) => size_of::<f32>(),
        };
        size_of::<Self>() + size_of::<usize>() * self.shape.len() + one * self.count()
    }

    pub(super) fn count(&self) -> usize {
        self.values.count()
    }

    /// The numbers if they are integers.
    pub(super) fn as_ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Int(v) => Some(v),
            Values::Float(_) => None,
        }
    }

    /// The numbers, if they are integers, without their shape.
    pub(super) fn into_ints(self) -> Option<Vec<i64>> {
        match self.values {
            Values::Int(v) => Some(v),
            Values::Float(_) => None,
        }
    }

    /// The numbers as floats.
    pub(super) fn to_floats(&self) -> Vec<f32> {
        match &self.values {
            Values::Int(v) => v.iter().map(|v| *v as f32).collect(),
            Values::Float(v) => v.clone(),
        }
    }

    /// The number if there is only one.
    pub(super) fn scalar(&self) -> Option<f32> {
        match self.to_floats().as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// The same numbers picked by position.
    fn picked(&self, shape: Vec<usize>, positions: &[usize]) -> Option<Self> {
        let values = match &self.values {
            Values::Int(v) => Values::Int(
                positions
                    .iter()
                    .map(|p| v.get(*p).copied())
                    .collect::<Option<_>>()?,
            ),
            Values::Float(v) => Values::Float(
                positions
                    .iter()
                    .map(|p| v.get(*p).copied())
                    .collect::<Option<_>>()?,
            ),
        };
        Self::new(shape, values)
    }
}

/// Runs one node on numbers; inputs that are left out are `None`.
///
/// # Errors
/// What cannot be computed, in words that follow the node's name.
pub(super) fn run(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Result<Numbers, String> {
    let result = match node.op_type {
        "Identity" => inputs.first().copied().flatten().cloned(),
        "Cast" => cast(node, inputs),
        "Floor" => rounded(inputs, f32::floor),
        "Ceil" => rounded(inputs, f32::ceil),
        "Add" => arithmetic(inputs, i64::checked_add, |a, b| a + b),
        "Sub" => arithmetic(inputs, i64::checked_sub, |a, b| a - b),
        "Mul" => arithmetic(inputs, i64::checked_mul, |a, b| a * b),
        "Div" => arithmetic(inputs, i64::checked_div, |a, b| a / b),
        "Gather" => gather(node, inputs),
        "Slice" => slice(node, inputs),
        "Concat" => concat(node, inputs),
        "Unsqueeze" => single(inputs, &[], &[1]),
        "Squeeze" => single(inputs, &[1], &[]),
        "Reshape" => reshape(inputs),
        "Transpose" => transpose(inputs),
        "ConstantOfShape" => constant_of_shape(node, inputs),
        other => return Err(format!("computes with {other}, which is not supported")),
    };
    result.ok_or_else(|| "computes sizes in a way that is not supported".to_owned())
}

fn input<'a>(inputs: &[Option<&'a Numbers>], index: usize) -> Option<&'a Numbers> {
    inputs.get(index).copied().flatten()
}

fn cast(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
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

fn rounded(inputs: &[Option<&Numbers>], round: fn(f32) -> f32) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let Values::Float(v) = &source.values else {
        return None;
    };
    let values = Values::Float(v.iter().map(|v| round(*v)).collect());
    Numbers::new(source.shape.clone(), values)
}

/// Element by element; a single number meets every number of the other side.
fn arithmetic(
    inputs: &[Option<&Numbers>],
    on_ints: fn(i64, i64) -> Option<i64>,
    on_floats: fn(f32, f32) -> f32,
) -> Option<Numbers> {
    let (a, b) = (input(inputs, 0)?, input(inputs, 1)?);
    let count = a.count().max(b.count());
    if (a.count() != count && a.count() != 1) || (b.count() != count && b.count() != 1) {
        return None;
    }
    let shape = if a.count() == count {
        &a.shape
    } else {
        &b.shape
    };
    let pick = |i: usize, n: usize| if n == 1 { 0 } else { i };
    let values = match (&a.values, &b.values) {
        (Values::Int(x), Values::Int(y)) => Values::Int(
            (0..count)
                .map(|i| on_ints(x[pick(i, x.len())], y[pick(i, y.len())]))
                .collect::<Option<_>>()?,
        ),
        (Values::Float(x), Values::Float(y)) => Values::Float(
            (0..count)
                .map(|i| on_floats(x[pick(i, x.len())], y[pick(i, y.len())]))
                .collect(),
        ),
        _ => return None,
    };
    Numbers::new(shape.clone(), values)
}

fn axis(node: &Node<'_>) -> i64 {
    node.attribute("axis").map_or(0, |a| a.i)
}

/// A position that may count from the end.
fn wrapped(index: i64, count: usize) -> Option<usize> {
    let count = i64::try_from(count).ok()?;
    let index = if index < 0 { index + count } else { index };
    (0..count).contains(&index).then_some(index as usize)
}

fn gather(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (source, indices) = (input(inputs, 0)?, input(inputs, 1)?);
    if source.shape.len() != 1 || !matches!(axis(node), 0 | -1) {
        return None;
    }
    let positions: Vec<usize> = indices
        .as_ints()?
        .iter()
        .map(|i| wrapped(*i, source.count()))
        .collect::<Option<_>>()?;
    source.picked(indices.shape.clone(), &positions)
}

/// Rows along the first axis, forwards or backwards.
fn slice(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
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
        if index < 0 {
            index.saturating_add(rows)
        } else {
            index
        }
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

fn concat(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
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

/// A single number that gains or loses its only side.
fn single(inputs: &[Option<&Numbers>], from: &[usize], to: &[usize]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    if source.shape != from {
        return None;
    }
    Numbers::new(to.to_vec(), source.values.clone())
}

fn reshape(inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let (source, sides) = (input(inputs, 0)?, input(inputs, 1)?.as_ints()?);
    let shape = sides_for(source.count(), sides)?;
    Numbers::new(shape, source.values.clone())
}

/// The shape that so many numbers are given, where a side of -1 follows from the others; `None` when
/// the numbers do not fill it.
pub(super) fn sides_for(count: usize, sides: &[i64]) -> Option<Vec<usize>> {
    let known = sides.iter().filter(|side| **side != -1);
    let known = product(known.map(|side| usize::try_from(*side).ok()))?;
    let free = count.checked_div(known)?;
    let shape: Vec<usize> = sides
        .iter()
        .map(|side| usize::try_from(*side).unwrap_or(free))
        .collect();
    (product(shape.iter().copied().map(Some)) == Some(count)).then_some(shape)
}

/// The product of sides; `None` when one is missing or there is no such number.
fn product(mut sides: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    sides.try_fold(1usize, |product, side| product.checked_mul(side?))
}

/// Rows become columns.
fn transpose(inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let source = input(inputs, 0)?;
    let [rows, columns] = *source.shape.as_slice() else {
        return None;
    };
    let positions: Vec<usize> = (0..columns)
        .flat_map(|c| (0..rows).map(move |r| r * columns + c))
        .collect();
    source.picked(vec![columns, rows], &positions)
}

fn constant_of_shape(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Option<Numbers> {
    let [count] = input(inputs, 0)?.as_ints()? else {
        return None;
    };
    let count = usize::try_from(*count).ok().filter(|c| *c <= MAX_COUNT)?;
    let values = match node.attribute("value").and_then(|a| a.t.as_ref()) {
        // INT64 zeros are all that padding programs ask for.
        Some(tensor) if tensor.data_type == 7 => {
            let zero = tensor.raw_data.iter().all(|b| *b == 0)
                && varints(&tensor.int64_data).all(|v| v == 0);
            Values::Int(vec![0; zero.then_some(count)?])
        }
        None => Values::Float(vec![0.0; count]),
        Some(_) => return None,
    };
    Numbers::new(vec![count], values)
}

#[cfg(test)]
mod tests {
    use super::super::messages::Attribute;
    use super::*;

    fn node(op: &'static str, attributes: &[(&'static str, i64)]) -> Node<'static> {
        Node {
            op_type: op,
            attribute: attributes
                .iter()
                .map(|&(name, i)| Attribute {
                    name,
                    i,
                    ..Attribute::default()
                })
                .collect(),
            ..Node::default()
        }
    }

    fn ints(values: &[i64]) -> Numbers {
        Numbers::ints(values.to_vec()).expect("few")
    }

    /// Integers in a shape; the shape decides how many.
    fn shaped(shape: &[usize]) -> Option<Numbers> {
        let count = shape
            .iter()
            .try_fold(1usize, |p, side| p.checked_mul(*side));
        Numbers::new(shape.to_vec(), Values::Int(vec![1; count?.min(100)]))
    }

    #[test]
    fn the_padding_program_of_exporters() {
        // Pads arrive last axis first, as pairs of before and after; the node wants all befores,
        // then all afters, first axis first.
        let pads = ints(&[1, 2, 3, 4, 0, 0, 0, 0]);
        let rows = run(&node("Reshape", &[]), &[Some(&pads), Some(&ints(&[-1, 2]))]);
        let rows = rows.expect("rows");
        let slice_inputs = [ints(&[-1]), ints(&[-i64::MAX]), ints(&[0]), ints(&[-1])];
        let all: Vec<Option<&Numbers>> = std::iter::once(Some(&rows))
            .chain(slice_inputs.iter().map(Some))
            .collect();
        let backwards = run(&node("Slice", &[]), &all).expect("backwards");
        let columns = run(&node("Transpose", &[]), &[Some(&backwards)]).expect("columns");
        let flat = run(&node("Reshape", &[]), &[Some(&columns), Some(&ints(&[-1]))]);
        assert_eq!(flat.expect("flat"), ints(&[0, 0, 3, 1, 0, 0, 4, 2]));
    }

    #[test]
    fn division_keeps_its_kind() {
        let divide = |a: &Numbers, b: &Numbers| run(&node("Div", &[]), &[Some(a), Some(b)]);
        assert_eq!(divide(&ints(&[7, 9]), &ints(&[2])), Ok(ints(&[3, 4])));
        assert!(divide(&ints(&[7]), &ints(&[0])).is_err());
        assert!(divide(&ints(&[i64::MIN]), &ints(&[-1])).is_err());
        let float = run(&node("Cast", &[("to", 1)]), &[Some(&ints(&[7]))]).expect("float");
        let halved = divide(
            &float,
            &run(&node("Cast", &[("to", 1)]), &[Some(&ints(&[2]))]).expect("float"),
        );
        assert_eq!(halved.expect("float").scalar(), Some(3.5));
        assert!(divide(&float, &ints(&[2])).is_err());
    }

    #[test]
    fn what_would_be_large_is_refused() {
        let count = ints(&[1 << 40]);
        assert!(run(&node("ConstantOfShape", &[]), &[Some(&count)]).is_err());
        assert!(run(&node("Range", &[]), &[Some(&count)]).is_err());
        let long = ints(&[1; MAX_COUNT]);
        assert!(run(&node("Concat", &[]), &[Some(&long), Some(&long)]).is_err());
        let overflow = ints(&[i64::MAX, i64::MAX]);
        assert!(run(&node("Reshape", &[]), &[Some(&long), Some(&overflow)]).is_err());
    }

    #[test]
    fn long_sides_are_refused_also_where_there_are_no_numbers() {
        for exponent in [7, 20, 29, 34, 50, 58, 63] {
            let side = 1usize << exponent;
            for shape in [
                &[side, 0][..],
                &[0, side],
                &[0, side, side],
                &[1, 0, side],
                &[side],
            ] {
                assert_eq!(shaped(shape), None, "{shape:?}");
            }
            let empty = ints(&[]);
            for sides in [[-1, side as i64], [side as i64, -1]] {
                let result = run(&node("Reshape", &[]), &[Some(&empty), Some(&ints(&sides))]);
                assert!(result.is_err(), "{sides:?}");
            }
        }
        assert!(shaped(&[64, 0]).is_some() && shaped(&[0; 64]).is_some());
        assert_eq!(shaped(&[0; 65]), None);
    }

    #[test]
    fn a_shape_with_many_free_sides_is_refused() {
        for count in [1, 2, 63, 64] {
            for free in [2, 3, 64] {
                let (numbers, sides) = (ints(&vec![1; count]), ints(&vec![-1; free]));
                let result = run(&node("Reshape", &[]), &[Some(&numbers), Some(&sides)]);
                assert_eq!(result.is_ok(), count == 1, "{count} in {free}");
            }
        }
    }

    /// Numbers at which arithmetic breaks.
    const EXTREMES: [i64; 14] = [
        0,
        1,
        -1,
        2,
        -2,
        63,
        64,
        65,
        1 << 32,
        1 << 50,
        i64::MAX - 1,
        i64::MAX,
        i64::MIN + 1,
        i64::MIN,
    ];

    #[test]
    fn extreme_numbers_are_no_trouble_for_any_operator() {
        let operators = [
            "Identity",
            "Cast",
            "Floor",
            "Ceil",
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Gather",
            "Slice",
            "Concat",
            "Unsqueeze",
            "Squeeze",
            "Reshape",
            "Transpose",
            "ConstantOfShape",
        ];
        let shapes = [&[][..], &[0], &[1], &[3], &[64], &[0, 3], &[3, 0], &[8, 8]];
        for operator in operators {
            for shape in shapes {
                let source = shaped(shape).expect("few");
                for a in EXTREMES {
                    for b in EXTREMES {
                        for step in [1, -1, 2, i64::MIN] {
                            let attributes = [("axis", a), ("to", b)];
                            let rest = [[a], [b], [0], [step]].map(|list| ints(&list));
                            let inputs: Vec<Option<&Numbers>> =
                                std::iter::once(&source).chain(&rest).map(Some).collect();
                            for given in [1, 2, 3, 5] {
                                if let Ok(result) =
                                    run(&node(operator, &attributes), &inputs[..given])
                                {
                                    assert!(result.count() <= MAX_COUNT);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn positions_may_count_from_the_end() {
        let source = ints(&[10, 20, 30]);
        let pick = |i: i64| run(&node("Gather", &[]), &[Some(&source), Some(&ints(&[i]))]);
        assert_eq!(pick(-1), Ok(ints(&[30])));
        assert_eq!(pick(1), Ok(ints(&[20])));
        assert!(pick(3).is_err() && pick(-4).is_err());
    }
}
