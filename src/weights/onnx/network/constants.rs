//! Values that no pixel goes through: weights in another shape or order, and arithmetic on them and on sizes.

use std::borrow::Cow;

use super::{MapValue, Reader};
use crate::weights::{
    StorageType, WeightsError,
    error::shortened,
    fit::float_type,
    onnx::{
        messages::Node,
        numbers::Numbers,
        refused,
        scope::{TensorId, Value},
    },
    tensor::{Dtype, StoredTensor},
};

/// Numbers in a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) sides: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// The weights of a convolution.
pub(super) enum Kernel {
    /// As the file has them.
    Stored(TensorId),
    /// Computed ones.
    Own(Vec<f32>),
}

impl Constant {
    /// The number, where there is only one.
    pub(super) fn scalar(&self) -> Option<f32> {
        match self.values[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl<'m> Reader<'m> {
    /// The shape of a value, or the number of its values.
    pub(super) fn shape_of(&self, node: &Node<'_>) -> Result<Value<MapValue>, WeightsError> {
        let all = self.scope.shape_whole(node, |map| self.lengths(map))?;
        let of = |numbers: &Numbers| {
            let sides = numbers.as_ints().unwrap_or_default();
            if node.op_type == "Size" {
                let count = sides
                    .iter()
                    .try_fold(1i64, |count, &side| count.checked_mul(side));
                return Numbers::int(count?);
            }
            let end = |name: &str, absent: i64| {
                let at = node.attribute(name).map_or(absent, |a| a.i);
                let at = if at < 0 {
                    at.saturating_add(sides.len() as i64)
                } else {
                    at
                };
                at.clamp(0, sides.len() as i64) as usize
            };
            let (start, end) = (end("start", 0), end("end", sides.len() as i64));
            Numbers::ints(sides.get(start..end)?.to_vec())
        };
        let probes: Option<Vec<Numbers>> = all.iter().map(of).collect();
        probes
            .map(Value::Numbers)
            .ok_or_else(|| refused(format!("{} takes an odd part of a shape", node.label())))
    }

    /// A node on constants: sizes are computed at every probe, weights once.
    pub(super) fn constant(&mut self, node: &'m Node<'m>) -> Result<Value<MapValue>, WeightsError> {
        let is_tensor = |index: usize| {
            let name = node.input(index)?;
            match self.scope.values.get(name)? {
                Value::Tensor(id, _) => {
                    Some(matches!(self.scope.tensors[*id].dtype(), Dtype::Float(_)))
                }
                Value::Numbers(_) | Value::Map(_) => Some(false),
            }
        };
        let has_weights = (0..node.input.len()).any(|index| is_tensor(index) == Some(true));
        let is_always = matches!(node.op_type, "Expand" | "ReduceSum" | "ReduceMean");
        if (has_weights || is_always)
            && let Some(made) = self.on_weights(node)?
        {
            let bytes: Vec<u8> = made.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.budget().bytes(bytes.len())?;
            let dtype = Dtype::Float(StorageType::F32);
            let tensor = StoredTensor::contiguous(dtype, made.sides, Cow::Owned(bytes));
            let tensor =
                tensor.map_err(|problem| refused(format!("{} {problem}", node.label())))?;
            return self.scope.tensor(tensor);
        }
        self.scope.node_on_constants(node)
    }

    /// The numbers at an input; `None` where it is left out.
    ///
    /// # Errors
    /// [`WeightsError`] where there is a map, or numbers that depend on the picture's size or are none.
    pub(super) fn constant_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<Option<Constant>, WeightsError> {
        if node.input(index).is_none() {
            return Ok(None);
        }
        let (id, sides) = match self.scope.value(node, index)? {
            Value::Tensor(id, sides) => (*id, sides.clone()),
            Value::Numbers(_) => {
                let numbers = self.scope.fixed_numbers(node, index)?;
                return Ok(numbers.map(|numbers| Constant {
                    sides: numbers.shape().to_vec(),
                    values: numbers.to_floats(),
                }));
            }
            Value::Map(_) => {
                return Err(refused(format!(
                    "{} takes numbers at input {index}, and gets what depends on the picture",
                    node.label()
                )));
            }
        };
        let key = shortened(node.input(index).unwrap_or_default());
        let values = self.values(id, &key)?;
        // Without numbers, its sides could be of any length.
        if values.is_empty() {
            return Err(WeightsError::Tensor {
                key,
                problem: "holds no numbers".to_owned(),
            });
        }
        if let Some(position) = values.iter().position(|v| v.is_nan()) {
            return Err(WeightsError::NotFinite {
                key,
                value: values[position],
                position,
            });
        }
        Ok(Some(Constant { sides, values }))
    }

    /// The numbers of a tensor.
    fn values(&mut self, id: TensorId, key: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = &self.scope.tensors[id];
        let (count, dtype) = (tensor.element_count(), tensor.dtype());
        let budget = self.budget();
        budget.steps(2 * count)?;
        budget.bytes(count.saturating_mul(size_of::<f32>()))?;
        float_type(key, tensor)?;
        let values = tensor.to_f32().map_err(|problem| WeightsError::Tensor {
            key: key.to_owned(),
            problem,
        })?;
        self.note_storage(dtype);
        Ok(values)
    }

    /// The numbers of a tensor, which are finite.
    pub(super) fn finite_values(
        &mut self,
        id: TensorId,
        key: &str,
    ) -> Result<Vec<f32>, WeightsError> {
        let values = self.values(id, key)?;
        match values.iter().position(|v| !v.is_finite()) {
            Some(position) => Err(WeightsError::NotFinite {
                key: key.to_owned(),
                value: values[position],
                position,
            }),
            None => Ok(values),
        }
    }

    /// The weights of a convolution at an input, and their sides.
    pub(super) fn kernel_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<(Kernel, Vec<usize>), WeightsError> {
        if let Value::Tensor(id, sides) = self.scope.value(node, index)?
            && matches!(self.scope.tensors[*id].dtype(), Dtype::Float(_))
        {
            return Ok((Kernel::Stored(*id), sides.clone()));
        }
        let own = self.weights_at(node, index)?;
        Ok((Kernel::Own(own.values), own.sides))
    }

    /// The weights at an input, which are finite numbers.
    pub(super) fn weights_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<Constant, WeightsError> {
        let constant = self
            .constant_at(node, index)?
            .ok_or_else(|| refused(format!("{} lacks its input {index}", node.label())))?;
        if let Some(position) = constant.values.iter().position(|v| !v.is_finite()) {
            return Err(WeightsError::NotFinite {
                key: shortened(node.input(index).unwrap_or_default()),
                value: constant.values[position],
                position,
            });
        }
        Ok(constant)
    }

    /// A list of so many weights at an input.
    pub(super) fn list_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
        count: usize,
    ) -> Result<Vec<f32>, WeightsError> {
        let list = self.weights_at(node, index)?;
        if list.values.len() == count {
            return Ok(list.values);
        }
        Err(WeightsError::Shape {
            key: shortened(node.input(index).unwrap_or_default()),
            got: list.sides,
            needed: format!("{count} values"),
        })
    }

    /// Weights made of weights; `None` for what is left to arithmetic on few numbers.
    fn on_weights(&mut self, node: &Node<'_>) -> Result<Option<Constant>, WeightsError> {
        match node.op_type {
            "Transpose" => {
                let from = self.weights_at(node, 0)?;
                let rank = from.sides.len();
                let order: Vec<usize> = match node.attribute("perm") {
                    Some(order) => order.ints.iter().map(|&i| i as usize).collect(),
                    None => (0..rank).rev().collect(),
                };
                let mut sorted = order.clone();
                sorted.sort_unstable();
                if sorted != (0..rank).collect::<Vec<_>>() {
                    return Err(refused(format!("{} has an odd order", node.label())));
                }
                self.budget().steps(from.values.len() * (rank + 1))?;
                self.budget().bytes(from.values.len() * size_of::<f32>())?;
                let strides = strides(&from.sides);
                let sides: Vec<usize> = order.iter().map(|&side| from.sides[side]).collect();
                let mut values = Vec::with_capacity(from.values.len());
                let mut at = vec![0usize; rank];
                for _ in 0..from.values.len() {
                    let place: usize = at
                        .iter()
                        .zip(&order)
                        .map(|(i, &side)| i * strides[side])
                        .sum();
                    values.push(from.values[place]);
                    for side in (0..rank).rev() {
                        at[side] += 1;
                        if at[side] < sides[side] {
                            break;
                        }
                        at[side] = 0;
                    }
                }
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
                let odd = || {
                    refused(format!(
                        "{} computes with weights that do not fit",
                        node.label()
                    ))
                };
                let rank = a.sides.len().max(b.sides.len());
                let side = |of: &Constant, at: usize| {
                    (at + of.sides.len())
                        .checked_sub(rank)
                        .map_or(1, |at| of.sides[at])
                };
                let mut sides = Vec::new();
                for at in 0..rank {
                    let (x, y) = (side(&a, at), side(&b, at));
                    if x != y && x != 1 && y != 1 {
                        return Err(odd());
                    }
                    sides.push(if x == 1 { y } else { x });
                }
                let count = sides
                    .iter()
                    .try_fold(1usize, |count, &side| count.checked_mul(side));
                let count = count.ok_or_else(odd)?;
                self.budget().steps(count.saturating_mul(rank + 1))?;
                self.budget()
                    .bytes(count.saturating_mul(size_of::<f32>()))?;
                let place = |of: &Constant, index: usize| {
                    let (mut index, mut at, mut stride) = (index, 0, 1);
                    for axis in (0..rank).rev() {
                        let (whole, own) = (sides[axis], side(of, axis));
                        if own > 1 {
                            at += index % whole * stride;
                        }
                        index /= whole.max(1);
                        stride *= own;
                    }
                    at
                };
                let values =
                    (0..count).map(|i| compute(a.values[place(&a, i)], b.values[place(&b, i)]));
                let values = values.collect();
                Ok(Some(Constant { sides, values }))
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
                let odd = || refused(format!("{} joins weights that do not fit", node.label()));
                let first = parts.first().ok_or_else(odd)?.sides.clone();
                let axis = node.attribute("axis").map_or(0, |a| a.i);
                let axis = if axis < 0 {
                    axis + first.len() as i64
                } else {
                    axis
                };
                let axis = usize::try_from(axis)
                    .ok()
                    .filter(|&axis| axis < first.len())
                    .ok_or_else(odd)?;
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
                self.budget()
                    .bytes(count.saturating_mul(size_of::<f32>()))?;
                let (rows, inner): (usize, usize) = (
                    first[..axis].iter().product(),
                    first[axis + 1..].iter().product(),
                );
                let mut values = Vec::with_capacity(count);
                for row in 0..rows {
                    for part in &parts {
                        let run = part.sides[axis] * inner;
                        values.extend_from_slice(&part.values[row * run..(row + 1) * run]);
                    }
                }
                let mut sides = first;
                sides[axis] = parts.iter().map(|part| part.sides[axis]).sum();
                Ok(Some(Constant { sides, values }))
            }
            "Expand" => {
                let of = self.weights_at(node, 0)?;
                let odd = || refused(format!("{} spreads weights in an odd way", node.label()));
                let wanted = self.scope.fixed_numbers(node, 1)?.ok_or_else(odd)?;
                let wanted: Option<Vec<usize>> = (wanted.as_ints().ok_or_else(odd)?.iter())
                    .map(|&side| usize::try_from(side).ok())
                    .collect();
                self.spread(&of, &wanted.ok_or_else(odd)?, node).map(Some)
            }
            "ReduceSum" | "ReduceMean" => {
                let of = self.weights_at(node, 0)?;
                let axes = self.scope.ints(node, "axes", 1)?;
                let rank = of.sides.len() as i64;
                let is_over = |side: usize| match axes.as_deref() {
                    Some([]) | None => true,
                    Some(axes) => axes.iter().any(|&a| is_side(a, side, rank)),
                };
                let kept: Vec<usize> = (0..of.sides.len())
                    .map(|side| if is_over(side) { 1 } else { of.sides[side] })
                    .collect();
                self.budget()
                    .steps(of.values.len().saturating_mul(of.sides.len() + 1))?;
                let (from, to) = (strides(&of.sides), strides(&kept));
                let mut sums = vec![0.0f64; kept.iter().product()];
                for (place, value) in of.values.iter().enumerate() {
                    let at: usize = (0..of.sides.len())
                        .map(|side| place / from[side] % of.sides[side] % kept[side] * to[side])
                        .sum();
                    sums[at] += f64::from(*value);
                }
                let each = if node.op_type == "ReduceMean" {
                    of.values.len() / sums.len().max(1)
                } else {
                    1
                };
                let values = sums
                    .iter()
                    .map(|sum| (sum / each.max(1) as f64) as f32)
                    .collect();
                let keeps = node.attribute("keepdims").is_none_or(|a| a.i != 0);
                let sides = match keeps {
                    true => kept,
                    false => (0..of.sides.len())
                        .filter(|&side| !is_over(side))
                        .map(|side| of.sides[side])
                        .collect(),
                };
                Ok(Some(Constant { sides, values }))
            }
            "Squeeze" => {
                let of = self.weights_at(node, 0)?;
                let axes = self.scope.ints(node, "axes", 1)?;
                let rank = of.sides.len() as i64;
                let is_gone = |side: usize| match &axes {
                    Some(axes) => axes.iter().any(|&a| is_side(a, side, rank)),
                    None => of.sides[side] == 1,
                };
                let kept: Vec<usize> = (0..of.sides.len())
                    .filter(|&side| !is_gone(side))
                    .map(|side| of.sides[side])
                    .collect();
                if kept.iter().product::<usize>() != of.values.len() {
                    return Err(refused(format!(
                        "{} takes away a side that is not one",
                        node.label()
                    )));
                }
                Ok(Some(Constant {
                    sides: kept,
                    values: of.values,
                }))
            }
            "Cast" if matches!(node.attribute("to").map(|a| a.i), Some(10 | 16)) => {
                // Half precision of what is stored wider.
                Ok(Some(self.weights_at(node, 0)?))
            }
            _ => Ok(None),
        }
    }
}

impl Reader<'_> {
    /// Weights repeated along sides of one.
    fn spread(
        &self,
        of: &Constant,
        wanted: &[usize],
        node: &Node<'_>,
    ) -> Result<Constant, WeightsError> {
        let odd = || refused(format!("{} spreads weights in an odd way", node.label()));
        let rank = wanted.len().max(of.sides.len());
        let at = |sides: &[usize], side: usize| {
            (side + sides.len())
                .checked_sub(rank)
                .map_or(1, |own| sides[own])
        };
        let mut sides = Vec::new();
        for side in 0..rank {
            let (own, wanted) = (at(&of.sides, side), at(wanted, side));
            if own != wanted && own != 1 && wanted != 1 {
                return Err(odd());
            }
            sides.push(if own == 1 { wanted } else { own });
        }
        let count = sides
            .iter()
            .try_fold(1usize, |count, &side| count.checked_mul(side));
        let count = count.ok_or_else(odd)?;
        self.budget().steps(count.saturating_mul(rank + 1))?;
        self.budget()
            .bytes(count.saturating_mul(size_of::<f32>()))?;
        let strides = strides(&sides);
        let values = (0..count).map(|place| {
            let own = (0..rank).fold(0, |own, side| {
                let length = at(&of.sides, side);
                own * length + place / strides[side] % sides[side] % length
            });
            of.values[own]
        });
        let values = values.collect();
        Ok(Constant { sides, values })
    }
}

/// Whether an operator is computed on weights.
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
            | "Squeeze"
            | "Sub"
            | "Transpose"
    )
}

/// Values from one index of each side to the next.
fn strides(sides: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sides.len()];
    for side in (1..sides.len()).rev() {
        strides[side - 1] = strides[side] * sides[side];
    }
    strides
}

/// Whether a number that may count from the end is that of a side.
fn is_side(number: i64, side: usize, rank: i64) -> bool {
    let from_start = if number < 0 { number + rank } else { number };
    usize::try_from(from_start) == Ok(side)
}
