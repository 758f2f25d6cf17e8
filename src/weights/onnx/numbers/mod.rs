//! The arithmetic that graphs do on sizes: shapes, scales and pads.
//!
//! Exporters compute the amount of a padding or the factor of an upsampling from `Shape` with `Gather`, `Mul`, `Floor`,
//! `Concat` and the like. A value here has at most [`MAX_COUNT`] numbers, whatever a node requests.

mod arithmetic;
mod positions;
mod shapes;

use super::messages::Node;
use arithmetic::{arithmetic, cast, chosen, compared, each, power, range, reduced};
use positions::{concat, expand, gather, slice, transpose};
pub(super) use positions::{joint_sides, spread, transposed, wrapped};
use shapes::{constant_of_shape, reshape, squeezed};
pub(super) use shapes::{fewer_or_more, reshaped};

/// Maximum number of numbers in one value.
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
    /// Numbers with a shape. `None` if they do not match, or if the shape has more than [`MAX_COUNT`] rows or columns,
    /// even without numbers in them. This limits every operation on numbers to a few steps.
    pub(super) fn new(shape: Vec<usize>, values: Values) -> Option<Self> {
        (values.count() == few(&shape)?).then_some(Self { shape, values })
    }

    pub(super) fn int(value: i64) -> Option<Self> {
        Self::new(Vec::new(), Values::Int(vec![value]))
    }

    /// A list of integers.
    pub(super) fn ints(values: Vec<i64>) -> Option<Self> {
        Self::new(vec![values.len()], Values::Int(values))
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes on the heap.
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

    /// The numbers if they are integers, without their shape.
    pub(super) fn into_ints(self) -> Option<Vec<i64>> {
        match self.values {
            Values::Int(v) => Some(v),
            Values::Float(_) => None,
        }
    }

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

    /// The numbers at these positions.
    fn picked(&self, shape: Vec<usize>, positions: &[usize]) -> Option<Self> {
        let values = match &self.values {
            Values::Int(v) => {
                Values::Int(positions.iter().map(|p| v.get(*p).copied()).collect::<Option<_>>()?)
            }
            Values::Float(v) => {
                Values::Float(positions.iter().map(|p| v.get(*p).copied()).collect::<Option<_>>()?)
            }
        };
        Self::new(shape, values)
    }
}

/// Computes a node's result from its inputs. Absent inputs are `None`. Returns `None` if the result cannot be computed.
pub(super) type Rule = fn(&Node<'_>, &[Option<&Numbers>]) -> Option<Numbers>;

pub(super) fn rule(operator: &str) -> Option<Rule> {
    Some(match operator {
        "Abs" => |_, inputs| each(inputs, i64::checked_abs, f32::abs),
        "Add" => |_, inputs| arithmetic(inputs, i64::checked_add, |a, b| a + b),
        "And" => |_, inputs| arithmetic(inputs, |a, b| Some(a & b), f32::min),
        "Cast" => cast,
        "Ceil" => |_, inputs| each(inputs, |_| None, f32::ceil),
        "Concat" => concat,
        "ConstantOfShape" => constant_of_shape,
        "Div" => |_, inputs| arithmetic(inputs, i64::checked_div, |a, b| a / b),
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => compared,
        "Expand" => expand,
        "Floor" => |_, inputs| each(inputs, |_| None, f32::floor),
        "Gather" => gather,
        "Identity" => |_, inputs| input(inputs, 0).cloned(),
        "Max" => |_, inputs| arithmetic(inputs, |a, b| Some(a.max(b)), f32::max),
        "Min" => |_, inputs| arithmetic(inputs, |a, b| Some(a.min(b)), f32::min),
        "Mod" => |_, inputs| arithmetic(inputs, i64::checked_rem_euclid, |a, b| a % b),
        "Mul" => |_, inputs| arithmetic(inputs, i64::checked_mul, |a, b| a * b),
        "Neg" => |_, inputs| each(inputs, i64::checked_neg, |v| -v),
        "Not" => |_, inputs| each(inputs, |v| Some(i64::from(v == 0)), |v| v),
        "Or" => |_, inputs| arithmetic(inputs, |a, b| Some(a | b), f32::max),
        "Pow" => |_, inputs| arithmetic(inputs, power, f32::powf),
        "Range" => range,
        "ReduceMax" => |_, inputs| reduced(inputs, |a, b| Some(a.max(b))),
        "ReduceMin" => |_, inputs| reduced(inputs, |a, b| Some(a.min(b))),
        "ReduceProd" => |_, inputs| reduced(inputs, i64::checked_mul),
        "Reshape" => reshape,
        "Round" => |_, inputs| each(inputs, |_| None, f32::round_ties_even),
        "Slice" => slice,
        "Squeeze" | "Unsqueeze" => squeezed,
        "Sub" => |_, inputs| arithmetic(inputs, i64::checked_sub, |a, b| a - b),
        "Sqrt" => |_, inputs| each(inputs, |_| None, f32::sqrt),
        "Transpose" => transpose,
        "Where" => chosen,
        _ => return None,
    })
}

/// Runs one node on numbers. Absent inputs are `None`.
///
/// # Errors
/// What cannot be computed, as text that follows the node's name.
pub(super) fn run(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Result<Numbers, String> {
    let operator = node.op_type;
    let rule = rule(operator)
        .ok_or_else(|| format!("computes with {operator}, which is not supported"))?;
    rule(node, inputs).ok_or_else(|| "computes sizes in a way that is not supported".to_owned())
}

fn input<'a>(inputs: &[Option<&'a Numbers>], index: usize) -> Option<&'a Numbers> {
    inputs.get(index).copied().flatten()
}

/// The number of numbers with this shape; `None` if there may be too many.
fn few(shape: &[usize]) -> Option<usize> {
    let sides = shape.iter().copied().filter(|side| *side != 0);
    let rows = product(sides.map(Some)).filter(|rows| *rows <= MAX_COUNT)?;
    (shape.len() <= MAX_COUNT).then_some(if shape.contains(&0) { 0 } else { rows })
}

/// The product of sides; `None` if one is missing or the product overflows.
fn product(mut sides: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    sides.try_fold(1usize, |product, side| product.checked_mul(side?))
}

#[cfg(test)]
mod tests {
    use super::{super::messages::Attribute, *};

    fn node(op: &'static str, attributes: &[(&'static str, i64)]) -> Node<'static> {
        Node {
            op_type: op,
            attribute: attributes
                .iter()
                .map(|&(name, i)| Attribute { name, i, ..Attribute::default() })
                .collect(),
            ..Node::default()
        }
    }

    fn ints(values: &[i64]) -> Numbers {
        Numbers::ints(values.to_vec()).expect("few")
    }

    /// Integers with a shape. The shape determines their count.
    fn shaped(shape: &[usize]) -> Option<Numbers> {
        let count = shape.iter().try_fold(1usize, |p, side| p.checked_mul(*side));
        Numbers::new(shape.to_vec(), Values::Int(vec![1; count?.min(100)]))
    }

    #[test]
    fn the_padding_program_of_exporters() {
        // Pads come with the last axis first, as pairs of before and after. The node expects all befores, then all
        // afters, first axis first.
        let pads = ints(&[1, 2, 3, 4, 0, 0, 0, 0]);
        let rows = run(&node("Reshape", &[]), &[Some(&pads), Some(&ints(&[-1, 2]))]);
        let rows = rows.expect("rows");
        let slice_inputs = [ints(&[-1]), ints(&[-i64::MAX]), ints(&[0]), ints(&[-1])];
        let all: Vec<Option<&Numbers>> =
            std::iter::once(Some(&rows)).chain(slice_inputs.iter().map(Some)).collect();
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
        let halved =
            divide(&float, &run(&node("Cast", &[("to", 1)]), &[Some(&ints(&[2]))]).expect("float"));
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
            for shape in [&[side, 0][..], &[0, side], &[0, side, side], &[1, 0, side], &[side]] {
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
                assert!(result.is_err(), "{count} in {free}");
            }
        }
    }

    /// Numbers at which arithmetic may overflow or fail.
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
