//! Weights computed from weights: what exporters leave to the runtime, such as the norm of a kernel.

use super::{Reader, constants::Constant};
use crate::weights::{
    Result,
    onnx::{
        messages::Node,
        numbers::{joint_sides, spread, transposed, wrapped},
    },
    tensor::element_count,
};

impl Reader<'_> {
    /// Weights computed from weights; `None` if the arithmetic on small lists handles the node.
    pub(super) fn on_weights(&mut self, node: &Node<'_>) -> Result<Option<Constant>> {
        match node.op_type {
            "Transpose" => {
                let from = self.weights_at(node, 0)?;
                let rank = from.sides.len();
                let order = node.order(rank);
                self.budget().steps(from.values.len() * (rank + 1))?;
                self.budget().bytes(from.values.len() * size_of::<f32>())?;
                let (sides, positions) = transposed(&from.sides, &order)
                    .ok_or_else(|| node.refused("has an odd order"))?;
                let values = positions.map(|position| from.values[position]).collect();
                Ok(Some(Constant { sides, values }))
            }
            "Add" | "Sub" | "Mul" | "Div" => {
                let (a, b) = (self.weights_at(node, 0)?, self.weights_at(node, 1)?);
                let compute: fn(f32, f32) -> f32 = match node.op_type {
                    "Add" => |a, b| a + b,
                    "Sub" => |a, b| a - b,
                    "Mul" => |a, b| a * b,
                    _ => |a, b| a / b,
                };
                let mut a = self.spread(&a, &b.sides, node)?;
                let b = self.spread(&b, &a.sides, node)?;
                let pairs = a.values.iter_mut().zip(&b.values);
                pairs.for_each(|(a, b)| *a = compute(*a, *b));
                Ok(Some(a))
            }
            "Sqrt" | "Neg" | "Reciprocal" | "Exp" => {
                let mut of = self.weights_at(node, 0)?;
                let compute: fn(f32) -> f32 = match node.op_type {
                    "Sqrt" => f32::sqrt,
                    "Neg" => |v| -v,
                    "Reciprocal" => f32::recip,
                    _ => f32::exp,
                };
                of.values.iter_mut().for_each(|v| *v = compute(*v));
                Ok(Some(of))
            }
            "Concat" => {
                let mut parts = Vec::new();
                for index in 0..node.input.len() {
                    parts.push(self.weights_at(node, index)?);
                }
                let odd = || node.refused("concatenates weights of different shapes");
                let first = parts.first().ok_or_else(odd)?.sides.clone();
                let axis = node.int("axis", 0);
                let axis = wrapped(axis, first.len()).ok_or_else(odd)?;
                let is_alike = |part: &Constant| {
                    part.sides.len() == first.len()
                        && (0..first.len())
                            .all(|side| side == axis || part.sides[side] == first[side])
                };
                if !parts.iter().all(is_alike) {
                    return Err(odd());
                }
                let count: usize = parts.iter().map(|part| part.values.len()).sum();
                self.budget().steps(count)?;
                self.budget().bytes(count.saturating_mul(size_of::<f32>()))?;
                let (rows, inner): (usize, usize) =
                    (first[..axis].iter().product(), first[axis + 1..].iter().product());
                let mut values = Vec::with_capacity(count);
                for row in 0..rows {
                    for part in &parts {
                        let run = part.sides[axis] * inner;
                        values.extend_from_slice(&part.values[row * run..(row + 1) * run]);
                    }
                }
                let mut sides = first;
                let lengths = parts.iter().map(|part| part.sides[axis]);
                sides[axis] = lengths.fold(0, usize::saturating_add);
                element_count(&sides).map_err(|_| odd())?;
                Ok(Some(Constant { sides, values }))
            }
            "Expand" => {
                let of = self.weights_at(node, 0)?;
                let odd = || node.refused("combines weights of different shapes");
                let wanted = self.scope.fixed_numbers(node, 1)?.ok_or_else(odd)?;
                let wanted: Option<Vec<usize>> = (wanted.as_ints().ok_or_else(odd)?.iter())
                    .map(|&side| usize::try_from(side).ok())
                    .collect();
                self.spread(&of, &wanted.ok_or_else(odd)?, node).map(Some)
            }
            "ReduceSum" | "ReduceMean" => {
                let of = self.weights_at(node, 0)?;
                let axes = self.scope.ints(node, "axes", 1)?;
                let rank = of.sides.len();
                let is_over = |side: usize| match axes.as_deref() {
                    Some([]) | None => true,
                    Some(axes) => axes.iter().any(|&a| wrapped(a, rank) == Some(side)),
                };
                let kept: Vec<usize> = (0..of.sides.len())
                    .map(|side| if is_over(side) { 1 } else { of.sides[side] })
                    .collect();
                self.budget().steps(of.values.len().saturating_mul(of.sides.len() + 1))?;
                let count: usize = kept.iter().product();
                self.budget().bytes(count * (size_of::<f64>() + size_of::<f32>()))?;
                let mut sums = vec![0.0f64; count];
                for (value, at) in of.values.iter().zip(spread(&kept, &of.sides)) {
                    sums[at] += f64::from(*value);
                }
                let each = if node.op_type == "ReduceMean" {
                    of.values.len() / sums.len().max(1)
                } else {
                    1
                };
                let values = sums.iter().map(|sum| (sum / each.max(1) as f64) as f32).collect();
                let keeps = node.flag("keepdims", true);
                let sides = if keeps {
                    kept
                } else {
                    (0..of.sides.len())
                        .filter(|&side| !is_over(side))
                        .map(|side| of.sides[side])
                        .collect()
                };
                Ok(Some(Constant { sides, values }))
            }
            "DequantizeLinear" | "QuantizeLinear" => self.on_constant(node).map(Some),
            "Cast" if matches!(node.int("to", 0), 10 | 16) => {
                // A cast to half precision of weights that are stored wider.
                Ok(Some(self.weights_at(node, 0)?))
            }
            _ => Ok(None),
        }
    }
}

impl Reader<'_> {
    /// Broadcasts weights to the common shape of their own and `wanted`.
    fn spread(&self, of: &Constant, wanted: &[usize], node: &Node<'_>) -> Result<Constant> {
        let odd = || node.refused("combines weights of different shapes");
        let sides = joint_sides(&of.sides, wanted).ok_or_else(odd)?;
        let count = element_count(&sides).map_err(|_| odd())?;
        self.budget().steps(count.saturating_mul(sides.len() + 1))?;
        self.budget().bytes(count.saturating_mul(size_of::<f32>()))?;
        let values = spread(&of.sides, &sides).map(|position| of.values[position]).collect();
        Ok(Constant { sides, values })
    }
}

/// Whether an operator on weights is supported.
pub(super) fn is_on_weights(operator: &str) -> bool {
    matches!(
        operator,
        "Add"
            | "Cast"
            | "Concat"
            | "Div"
            | "Exp"
            | "Expand"
            | "Mul"
            | "Neg"
            | "Reciprocal"
            | "ReduceMean"
            | "ReduceSum"
            | "Sqrt"
            | "Sub"
            | "Transpose"
    )
}
