//! The arithmetic of graphs that does not depend on pixels.
//!
//! Exporters compute the amount of a padding or the factor of an upsampling from `Shape` with `Gather`, `Mul`, `Floor`,
//! `Concat` and the like. Such a value has at most [`MAX_COUNT`] numbers, whatever a node requests. They also compute
//! weights from weights, such as the norm of a kernel.

mod arithmetic;
mod positions;
mod shapes;

use std::cell::Cell;

use super::{Budget, Result, messages::Node};
use crate::tensor::StoredTensor;
pub use positions::{expanded, sliced, wrapped};
use positions::{joint_sides, spread};
pub use shapes::{fewer_or_more, reshaped};

/// Maximum number of numbers in a value that is computed from sizes.
pub const MAX_COUNT: usize = 64;

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Int(Vec<i64>),
    Float(Vec<f32>),
}

impl Numbers {
    /// A few numbers with a shape; `None` if they do not match or are many.
    pub fn few(shape: Vec<usize>, values: Values) -> Option<Self> {
        let numbers = Self { shape, values };
        numbers.are_few().then_some(numbers)
    }

    /// The same numbers with another shape; `None` if it does not match or has long sides.
    pub fn in_shape(&self, shape: Vec<usize>) -> Option<Self> {
        Self::few(shape, self.values.clone())
    }

    /// A few numbers of the file with this shape; `None` if there are more or they have another type.
    pub fn of(tensor: &StoredTensor<'_>, shape: &[usize]) -> Option<Self> {
        if tensor.element_count() > MAX_COUNT {
            return None;
        }
        let values = match tensor.to_i64() {
            Some(ints) => Values::Int(ints),
            None => Values::Float(tensor.to_f32().ok()?),
        };
        Self::few(shape.to_vec(), values)
    }

    /// True if the shape has at most [`MAX_COUNT`] rows and columns, even without numbers in them. This limits every
    /// operation on numbers to a few steps.
    pub fn are_few(&self) -> bool {
        count_of(&self.shape, MAX_COUNT) == Some(self.count())
    }

    pub fn int(value: i64) -> Option<Self> {
        Self::few(Vec::new(), Values::Int(vec![value]))
    }

    /// A list of integers.
    pub fn ints(values: Vec<i64>) -> Option<Self> {
        Self::few(vec![values.len()], Values::Int(values))
    }

    /// Weights, whose shape matches their number.
    pub fn weights(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self { shape, values: Values::Float(values) }
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes on the heap.
    pub fn size_bytes(&self) -> usize {
        let one = match &self.values {
            Values::Int(_) => size_of::<i64>(),
            Values::Float(_) => size_of::<f32>(),
        };
        size_of::<Self>() + size_of::<usize>() * self.shape.len() + one * self.count()
    }

    pub fn count(&self) -> usize {
        match &self.values {
            Values::Int(v) => v.len(),
            Values::Float(v) => v.len(),
        }
    }

    /// The numbers if they are integers.
    pub fn as_ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Int(v) => Some(v),
            Values::Float(_) => None,
        }
    }

    /// The numbers if they are not integers.
    pub fn as_floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Float(v) => Some(v),
            Values::Int(_) => None,
        }
    }

    pub fn to_floats(&self) -> Vec<f32> {
        match &self.values {
            Values::Int(v) => v.iter().map(|v| *v as f32).collect(),
            Values::Float(v) => v.clone(),
        }
    }

    /// The number if there is only one.
    pub fn scalar(&self) -> Option<f32> {
        match self.to_floats().as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }
}

/// A node whose inputs are numbers.
pub struct Call<'c> {
    node: &'c Node<'c>,
    /// The numbers at its inputs; `None` if an optional input is absent.
    inputs: &'c [Option<&'c Numbers>],
    /// Maximum number of numbers in the result.
    max_count: usize,
    budget: &'c Budget,
    /// The outcome of charging the result to the budget.
    charged: Cell<Result<()>>,
}

impl<'c> Call<'c> {
    pub fn new(
        node: &'c Node<'c>,
        inputs: &'c [Option<&'c Numbers>],
        max_count: usize,
        budget: &'c Budget,
    ) -> Self {
        Self { node, inputs, max_count, budget, charged: Cell::new(Ok(())) }
    }

    /// Computes the node's result.
    ///
    /// # Errors
    /// [`WeightsError::Graph`](crate::WeightsError::Graph) if the result cannot be computed,
    /// [`WeightsError::TooCostly`](crate::WeightsError::TooCostly) if it is too large for the file.
    pub fn run(self) -> Result<Numbers> {
        let node = self.node;
        let result = self.result().ok_or_else(|| {
            node.refused(format!("computes with {}, which is not supported", node.op_type))
        })?;
        self.charged.into_inner()?;
        result.ok_or_else(|| {
            node.refused(
                "computes sizes, or combines weights of different shapes, \
                 in a way that is not supported",
            )
        })
    }

    pub fn is_known(&self) -> bool {
        self.result().is_some()
    }

    /// The result. `None` for an unknown operator, `Some(None)` if it cannot be computed.
    fn result(&self) -> Option<Option<Numbers>> {
        Some(match self.node.op_type {
            "Abs" => self.each(i64::checked_abs, f32::abs),
            "Add" => self.arithmetic(i64::checked_add, |a, b| a + b),
            "And" => self.arithmetic(|a, b| Some(a & b), f32::min),
            "Cast" => self.cast(),
            "Ceil" => self.each(|_| None, f32::ceil),
            "Concat" => self.concat(),
            "ConstantOfShape" => self.constant_of_shape(),
            "Div" => self.arithmetic(i64::checked_div, |a, b| a / b),
            "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => self.compared(),
            "Exp" => self.each(|_| None, f32::exp),
            "Expand" => self.expand(),
            "Floor" => self.each(|_| None, f32::floor),
            "Gather" => self.gather(),
            "Max" => self.arithmetic(|a, b| Some(a.max(b)), f32::max),
            "Min" => self.arithmetic(|a, b| Some(a.min(b)), f32::min),
            "Mod" => self.arithmetic(i64::checked_rem_euclid, |a, b| a % b),
            "Mul" => self.arithmetic(i64::checked_mul, |a, b| a * b),
            "Neg" => self.each(i64::checked_neg, |v| -v),
            "Not" => self.each(|v| Some(i64::from(v == 0)), |v| v),
            "Or" => self.arithmetic(|a, b| Some(a | b), f32::max),
            "Pow" => self.arithmetic(
                |base, exponent| base.checked_pow(u32::try_from(exponent).ok()?),
                f32::powf,
            ),
            "Range" => self.range(),
            "Reciprocal" => self.each(|_| None, f32::recip),
            "ReduceMax" => self.reduced(|a, b| Some(a.max(b))),
            "ReduceMean" | "ReduceSum" => self.summed(),
            "ReduceMin" => self.reduced(|a, b| Some(a.min(b))),
            "ReduceProd" => self.reduced(i64::checked_mul),
            "Round" => self.each(|_| None, f32::round_ties_even),
            "Slice" => self.slice(),
            "Sub" => self.arithmetic(i64::checked_sub, |a, b| a - b),
            "Sqrt" => self.each(|_| None, f32::sqrt),
            "Transpose" => self.transpose(),
            "Where" => self.chosen(),
            _ => return None,
        })
    }

    fn input(&self, index: usize) -> Option<&'c Numbers> {
        self.inputs.get(index).copied().flatten()
    }

    /// Integers from an attribute or, since some opset, from an input. `None` if they are no integers, `Some(None)` if
    /// they are absent.
    fn ints(&self, attribute: &str, index: usize) -> Option<Option<&'c [i64]>> {
        match (self.node.attribute(attribute), self.input(index)) {
            (Some(attribute), _) => Some(Some(&attribute.ints)),
            (None, Some(numbers)) => numbers.as_ints().map(Some),
            (None, None) => Some(None),
        }
    }

    /// Charges numbers with this shape to the budget; `None` if they are too many.
    fn room(&self, shape: &[usize]) -> Option<()> {
        let count = count_of(shape, self.max_count)?;
        let steps = self.budget.steps(count.saturating_mul(shape.len() + 1));
        // Only fractions may be many.
        let charged = steps.and_then(|()| self.budget.items::<f32>(count));
        let has_room = charged.is_ok();
        self.charged.set(charged);
        has_room.then_some(())
    }
}

/// The number of numbers with this shape; `None` if there may be more than `most`.
fn count_of(shape: &[usize], most: usize) -> Option<usize> {
    let sides = shape.iter().copied().filter(|side| *side != 0);
    let rows = product(sides.map(Some)).filter(|rows| *rows <= most)?;
    (shape.len() <= MAX_COUNT).then_some(if shape.contains(&0) { 0 } else { rows })
}

/// The product of sides; `None` if one is missing or the product overflows.
fn product(mut sides: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    sides.try_fold(1usize, |product, side| product.checked_mul(side?))
}

#[cfg(test)]
mod tests {
    use super::{super::messages::Attribute, *};

    fn run(node: &Node<'_>, inputs: &[Option<&Numbers>]) -> Result<Numbers, String> {
        let budget = Budget::for_file(0);
        Call::new(node, inputs, MAX_COUNT, &budget).run().map_err(|error| error.to_string())
    }

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

    fn reshape(numbers: &Numbers, sides: &[i64]) -> Option<Numbers> {
        numbers.in_shape(reshaped(&node("Reshape", &[]), numbers.shape(), sides)?)
    }

    fn ints(values: &[i64]) -> Numbers {
        Numbers::ints(values.to_vec()).expect("few")
    }

    /// Integers with a shape. The shape determines their count.
    fn shaped(shape: &[usize]) -> Option<Numbers> {
        let count = shape.iter().try_fold(1usize, |p, side| p.checked_mul(*side));
        Numbers::few(shape.to_vec(), Values::Int(vec![1; count?.min(100)]))
    }

    #[test]
    fn the_padding_program_of_exporters() {
        // Pads come with the last axis first, as pairs of before and after. The node expects all befores, then all
        // afters, first axis first.
        let pads = ints(&[1, 2, 3, 4, 0, 0, 0, 0]);
        let rows = reshape(&pads, &[-1, 2]).expect("rows");
        let slice_inputs = [ints(&[-1]), ints(&[-i64::MAX]), ints(&[0]), ints(&[-1])];
        let all: Vec<Option<&Numbers>> =
            std::iter::once(Some(&rows)).chain(slice_inputs.iter().map(Some)).collect();
        let backwards = run(&node("Slice", &[]), &all).expect("backwards");
        let columns = run(&node("Transpose", &[]), &[Some(&backwards)]).expect("columns");
        assert_eq!(reshape(&columns, &[-1]).expect("flat"), ints(&[0, 0, 3, 1, 0, 0, 4, 2]));
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
    fn large_values_are_refused() {
        let count = ints(&[1 << 40]);
        assert!(run(&node("ConstantOfShape", &[]), &[Some(&count)]).is_err());
        assert!(run(&node("Range", &[]), &[Some(&count)]).is_err());
        let long = ints(&[1; MAX_COUNT]);
        assert!(run(&node("Concat", &[]), &[Some(&long), Some(&long)]).is_err());
        assert_eq!(reshape(&long, &[i64::MAX, i64::MAX]), None);
    }

    #[test]
    fn long_sides_are_refused_even_without_numbers() {
        for exponent in [7, 20, 29, 34, 50, 58, 63] {
            let side = 1usize << exponent;
            for shape in [&[side, 0][..], &[0, side], &[0, side, side], &[1, 0, side], &[side]] {
                assert_eq!(shaped(shape), None, "{shape:?}");
            }
            let empty = ints(&[]);
            for sides in [[-1, side as i64], [side as i64, -1]] {
                assert_eq!(reshape(&empty, &sides), None, "{sides:?}");
            }
        }
        assert!(shaped(&[64, 0]).is_some() && shaped(&[0; 64]).is_some());
        assert_eq!(shaped(&[0; 65]), None);
    }

    #[test]
    fn a_shape_with_many_free_sides_is_refused() {
        for count in [1, 2, 63, 64] {
            for free in [2, 3, 64] {
                let numbers = ints(&vec![1; count]);
                assert_eq!(reshape(&numbers, &vec![-1; free]), None, "{count} in {free}");
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
            "Transpose",
            "ConstantOfShape",
        ];
        let shapes = [&[][..], &[0], &[1], &[3], &[64], &[0, 3], &[3, 0], &[8, 8]];
        for operator in operators {
            for shape in shapes {
                let source = shaped(shape).expect("few");
                for a in EXTREMES {
                    for b in EXTREMES {
                        let made = [reshape(&source, &[a, b]), reshape(&source, &[a])];
                        let squeezed = [true, false].map(|is_fewer| {
                            source.in_shape(fewer_or_more(shape, Some(&[a, b]), is_fewer)?)
                        });
                        let mut all = made.iter().chain(&squeezed).flatten();
                        assert!(all.all(|numbers| numbers.count() == source.count()));
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
