//! Values that do not depend on pixels: weights in another shape or order, and arithmetic on them and on sizes.

use std::borrow::Cow;

use super::{Axis, MapValue, NodeId, Reader};
use crate::{
    graph::Op,
    tensor::Shape,
    weights::{
        Result, StorageType, WeightsError,
        fit::{check_values, values},
        onnx::{
            messages::Node,
            numbers::Numbers,
            scope::{TensorId, Value},
        },
        tensor::{Dtype, StoredTensor, element_count},
    },
};

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) sides: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// The weights of a convolution.
pub(super) enum Kernel {
    /// As the file stores them.
    Stored(TensorId),
    /// Computed ones.
    Own(Vec<f32>),
}

impl Constant {
    /// The number, if there is only one.
    pub(super) fn scalar(&self) -> Option<f32> {
        match self.values[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl Reader<'_> {
    /// A constant as a map of its own. Each of its sides is that of the other map or 1; `None` if not.
    pub(super) fn constant_map(
        &mut self,
        x: &MapValue,
        constant: &Constant,
    ) -> Result<Option<NodeId>> {
        let Constant { sides, values } = constant;
        let layout = &x.layout.sides;
        let Some(missing) = layout.len().checked_sub(sides.len()) else {
            return Ok(None);
        };
        // Length along channels, rows and columns, and the distance between neighbouring values.
        let (mut lengths, mut strides) = ([1; 3], [0; 3]);
        let mut stride = 1;
        for side in (0..sides.len()).rev() {
            let length = sides[side];
            let axis = match x.layout.axis(missing + side) {
                _ if length == 1 => continue,
                Axis::Channels => 0,
                Axis::Rows => 1,
                Axis::Columns => 2,
                Axis::One | Axis::Other => return Ok(None),
            };
            (lengths[axis], strides[axis]) = (length, stride);
            stride *= length;
        }
        let [channels, height, width] = lengths;
        self.budget().steps(values.len())?;
        self.budget().bytes(size_of_val(values.as_slice()))?;
        let mut planes = Vec::with_capacity(values.len());
        for c in 0..channels {
            for y in 0..height {
                let row = c * strides[0] + y * strides[1];
                planes.extend((0..width).map(|x| values[row + x * strides[2]]));
            }
        }
        let op = Op::Constant(Shape::new(channels, height, width));
        self.add_weighted(op, &[], planes, Vec::new()).map(Some)
    }
}

impl<'m> Reader<'m> {
    /// The shape of a value at every probe, or the number of its values.
    pub(super) fn shape_of(&self, node: &Node<'_>) -> Result<Value<MapValue>> {
        let all = match self.scope.value(node, 0)? {
            Value::Tensor(_, sides) => vec![sides.clone(); self.sizes.len()],
            Value::Numbers(numbers) => numbers.iter().map(|n| n.shape().to_vec()).collect(),
            Value::Map(map) => self.lengths(map),
        };
        let of = |sides: &Vec<usize>| {
            if node.op_type == "Size" {
                return Numbers::int(i64::try_from(element_count(sides).ok()?).ok()?);
            }
            let end = |name: &str, absent: i64| {
                let at = node.int(name, absent);
                let at = if at < 0 { at.saturating_add(sides.len() as i64) } else { at };
                at.clamp(0, sides.len() as i64) as usize
            };
            let (start, end) = (end("start", 0), end("end", sides.len() as i64));
            Numbers::ints(sides.get(start..end)?.iter().map(|side| *side as i64).collect())
        };
        let probes: Option<Vec<Numbers>> = all.iter().map(of).collect();
        let odd = || node.refused("takes an unsupported part of a shape");
        probes.map(Value::Numbers).ok_or_else(odd)
    }

    /// A node on constants. Sizes are computed at every probe, weights once.
    pub(super) fn constant(&mut self, node: &'m Node<'m>) -> Result<Value<MapValue>> {
        if let Some(tensor) = self.dequantised(node)? {
            return self.scope.tensor(tensor);
        }
        // Whether an input is a tensor of fractions, or fractions at all.
        let is = |index: usize, only_tensors: bool| {
            let value = node.input(index).and_then(|name| self.scope.values.get(&name));
            match value {
                Some(Value::Tensor(id, _)) => {
                    matches!(self.scope.tensors[*id].dtype(), Dtype::Float(_))
                }
                Some(Value::Numbers(numbers)) if !only_tensors => {
                    numbers.iter().all(|numbers| numbers.as_ints().is_none())
                }
                _ => false,
            }
        };
        let is_always = matches!(
            node.op_type,
            "DequantizeLinear" | "Expand" | "QuantizeLinear" | "ReduceMean" | "ReduceSum"
        );
        let has_weights = (0..node.input.len()).any(|index| is(index, true));
        if (has_weights || is_always && is(0, false))
            && let Some(made) = self.on_weights(node)?
        {
            let bytes: Vec<u8> = made.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.budget().bytes(bytes.len())?;
            let dtype = Dtype::Float(StorageType::F32);
            let tensor = StoredTensor::contiguous(dtype, made.sides, Cow::Owned(bytes));
            let tensor = tensor.map_err(|problem| node.refused(problem))?;
            return self.scope.tensor(tensor);
        }
        self.scope.node_on_constants(node)
    }

    /// The numbers at an input; `None` if the optional input is absent.
    ///
    /// # Errors
    /// [`WeightsError`] if the input is a map, or numbers that depend on the picture's size or are not finite.
    pub(super) fn constant_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<Option<Constant>> {
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
                return Err(node.refused(format!(
                    "depends on the picture at its input {index}, which must be numbers"
                )));
            }
        };
        let key = node.input_key(index);
        let values = self.values(id, &key)?;
        // Without numbers, its sides could be of any length.
        if values.is_empty() {
            return Err(WeightsError::Tensor { key, problem: "holds no numbers".to_owned() });
        }
        check_values(&key, &values, |value| !value.is_nan())?;
        Ok(Some(Constant { sides, values }))
    }

    /// A number from an attribute or, since some opset, from an input.
    pub(super) fn number(
        &mut self,
        node: &Node<'_>,
        attribute: &str,
        index: usize,
        absent: f32,
    ) -> Result<f32> {
        if let Some(attribute) = node.attribute(attribute) {
            return Ok(attribute.f);
        }
        let odd = || node.refused(format!("has several numbers as its {attribute}"));
        let constant = self.constant_at(node, index)?;
        constant.map_or(Ok(absent), |constant| constant.scalar().ok_or_else(odd))
    }

    /// The numbers of a tensor.
    fn values(&mut self, id: TensorId, key: &str) -> Result<Vec<f32>> {
        let tensor = &self.scope.tensors[id];
        let dtype = tensor.dtype();
        let values = values(key, tensor, self.budget())?;
        self.note_storage(dtype);
        Ok(values)
    }

    /// The numbers of a tensor; refuses those that are not finite.
    pub(super) fn finite_values(&mut self, id: TensorId, key: &str) -> Result<Vec<f32>> {
        let values = self.values(id, key)?;
        check_values(key, &values, f32::is_finite)?;
        Ok(values)
    }

    /// The weights of a convolution at an input, and their shape.
    pub(super) fn kernel_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<(Kernel, Vec<usize>)> {
        if let Value::Tensor(id, sides) = self.scope.value(node, index)?
            && matches!(self.scope.tensors[*id].dtype(), Dtype::Float(_))
        {
            return Ok((Kernel::Stored(*id), sides.clone()));
        }
        let own = self.weights_at(node, index)?;
        Ok((Kernel::Own(own.values), own.sides))
    }

    /// The numbers at a required input.
    pub(super) fn needed_at(&mut self, node: &Node<'_>, index: usize) -> Result<Constant> {
        let constant = self.constant_at(node, index)?;
        constant.ok_or_else(|| node.refused(format!("lacks its input {index}")))
    }

    /// The weights at an input; refuses those that are not finite.
    pub(super) fn weights_at(&mut self, node: &Node<'_>, index: usize) -> Result<Constant> {
        let constant = self.needed_at(node, index)?;
        check_values(&node.input_key(index), &constant.values, f32::is_finite)?;
        Ok(constant)
    }

    /// A list of `count` weights at an input.
    pub(super) fn list_at(
        &mut self,
        node: &Node<'_>,
        index: usize,
        count: usize,
    ) -> Result<Vec<f32>> {
        let list = self.weights_at(node, index)?;
        if list.values.len() == count {
            return Ok(list.values);
        }
        Err(WeightsError::Shape {
            key: node.input_key(index),
            got: list.sides,
            needed: format!("{count} values"),
        })
    }
}
