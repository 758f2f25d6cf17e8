//! Values that do not depend on pixels: weights in another shape or order, and arithmetic on them and on sizes.

use std::borrow::Cow;

use super::{
    MapValue, NodeId, Reader, equal,
    layout::Part,
    scope::{TensorId, Value},
};
use crate::{
    Result, StorageType, WeightsError,
    fit::{check_values, values},
    onnx::{
        messages::Attribute,
        numbers::{Call, MAX_COUNT, Numbers, Values, sliced},
        shown,
        tensors::stored,
    },
    tensor::{Dtype, MAX_RANK, StoredTensor, element_count, encoded},
};
use network::{NodeWeights, graph::Op};
use values::tensor::Shape;

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub sides: Vec<usize>,
    pub values: Vec<f32>,
}

/// The weights of a convolution.
pub enum Kernel {
    /// As the file stores them.
    Stored(TensorId),
    /// Computed ones.
    Own(Vec<f32>),
}

impl Constant {
    /// The number, if there is only one.
    pub fn scalar(&self) -> Option<f32> {
        match self.values[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// A constant that is broadcast over a map.
pub enum Spread {
    /// One value per channel.
    Channels(Vec<f32>),
    /// The values of a map.
    Map(Shape, Vec<f32>),
}

impl Reader<'_> {
    /// The values of a constant that is broadcast over a map.
    ///
    /// # Errors
    /// As [`Reader::as_map`].
    pub fn spread(&self, x: &MapValue, constant: &Constant) -> Result<Spread> {
        let channels = self.channels(x.node);
        let (shape, values) = self.as_map(x, constant)?;
        Ok(match values.as_slice() {
            [one] => Spread::Channels(vec![*one; channels]),
            _ if values.len() == shape.channels && values.len() == channels => {
                Spread::Channels(values)
            }
            _ => Spread::Map(shape, values),
        })
    }

    /// A constant as a map with the layout of another map. Each of its sides is that of the other map or 1.
    ///
    /// # Errors
    /// [`WeightsError::Graph`] if a side of the constant corresponds to neither channels, rows nor columns.
    pub fn as_map(&self, x: &MapValue, constant: &Constant) -> Result<(Shape, Vec<f32>)> {
        let odd = || {
            self.refused(format!(
                "broadcasts constants of the shape {} over a map of other sides",
                shown(&constant.sides)
            ))
        };
        let sides = &x.layout.sides;
        let more = constant.sides.len().saturating_sub(sides.len());
        let (extra, own) = constant.sides.split_at(more);
        if extra.iter().any(|&side| side != 1) {
            return Err(odd());
        }
        // For each part of the channels: its count, its stride in the map and its stride in the constant.
        let mut of_channels = Vec::new();
        // The strides of rows and columns in the constant, and the number of channels, rows and columns.
        let (mut steps, mut size, mut channels) = ([0; 2], [1; 2], 1);
        let mut stride = 1;
        for (&length, parts) in own.iter().zip(&sides[sides.len() - own.len()..]).rev() {
            if length == 1 {
                continue;
            }
            let end = stride * length;
            for part in parts.iter().rev() {
                let axis = match *part {
                    Part::Channels { count, stride: apart } => {
                        // Whole channels are as many as the constant has; the operation checks their number.
                        let all = x.layout.channels();
                        let (all, count) =
                            if count == all { (length, length) } else { (all, count) };
                        of_channels.push((count, apart, stride));
                        channels = all;
                        stride *= count;
                        continue;
                    }
                    Part::Rows if parts.len() == 1 => 0,
                    Part::Columns if parts.len() == 1 => 1,
                    _ => return Err(odd()),
                };
                (size[axis], steps[axis]) = (length, stride);
                stride = end;
            }
            if stride != end {
                return Err(odd());
            }
        }
        let shape = Shape::new(channels, size[0], size[1]);
        self.budget().steps(shape.len().saturating_mul(1 + of_channels.len()))?;
        self.budget().items::<f32>(shape.len())?;
        let mut values = Vec::with_capacity(shape.len());
        for channel in 0..channels {
            let first: usize = (of_channels.iter())
                .map(|(count, apart, step)| channel / apart % count * step)
                .sum();
            for row in 0..shape.height {
                let row = first + row * steps[0];
                values.extend((0..shape.width).map(|x| constant.values[row + x * steps[1]]));
            }
        }
        Ok((shape, values))
    }

    /// Adds a map of constants.
    pub fn constant_map(&mut self, spread: Spread) -> Result<NodeId> {
        let (shape, values) = match spread {
            Spread::Channels(values) => (Shape::new(values.len(), 1, 1), values),
            Spread::Map(shape, values) => (shape, values),
        };
        let weights = NodeWeights { weight: values, bias: Vec::new() };
        self.add_weighted(Op::Constant(shape), &[], weights)
    }
}

impl<'m> Reader<'m> {
    /// The shape of a value at every probe, or the number of its values.
    pub fn shape_of(&self) -> Result<Value> {
        let node = self.scope.node;
        let all = match self.scope.value(0)? {
            Value::Tensor(_, sides) => vec![sides.clone(); self.sizes.len()],
            Value::Numbers(numbers) => numbers.iter().map(|n| n.shape().to_vec()).collect(),
            Value::Map(map) => self.lengths(map),
        };
        let of = |sides: &Vec<usize>| {
            if node.op_type == "Size" {
                return Numbers::int(i64::try_from(element_count(sides).ok()?).ok()?);
            }
            let (start, end) = (node.int("start", 0), node.int("end", i64::MAX));
            let (part, _) = sliced(sides.len(), start, end, 1)?;
            Numbers::ints(sides[part].iter().map(|side| *side as i64).collect())
        };
        all.iter()
            .map(of)
            .collect::<Option<_>>()
            .map(Value::Numbers)
            .ok_or_else(|| node.refused("takes an unsupported part of a shape"))
    }

    /// A node on constants. What depends on the picture's size is computed at every probe, everything else once.
    pub fn constant(&mut self) -> Result<Value> {
        let node = self.scope.node;
        if node.op_type == "Constant" {
            return self.constant_node();
        }
        if let Some(view) = self.viewed()? {
            return Ok(view);
        }
        if let Some(tensor) = self.dequantised()? {
            return self.scope.tensor(tensor);
        }
        if matches!(node.op_type, "DequantizeLinear" | "QuantizeLinear") {
            let made = self.on_constant()?;
            return self.weights(made.sides, &made.values);
        }
        let count = node.input.len();
        if count > MAX_COUNT {
            return Err(node.refused(format!("computes with {count} inputs")));
        }
        let mut inputs = Vec::new();
        for index in 0..count {
            inputs.push(self.numbers_at(index)?);
        }
        let is_fixed = inputs.iter().flatten().all(|probes| probes.iter().all(|n| *n == probes[0]));
        let (probes, most) = if is_fixed { (1, usize::MAX) } else { (self.sizes.len(), MAX_COUNT) };
        let mut results = Vec::new();
        for probe in 0..probes {
            let at_probe: Vec<_> = (inputs.iter())
                .map(|input| {
                    let probes = input.as_ref()?;
                    probes.get(probe).or(probes.first())
                })
                .collect();
            let result = Call::new(node, &at_probe, most, self.scope.budget).run();
            let of_size = |error| if is_fixed { error } else { self.scope.of_size(error) };
            results.push(result.map_err(of_size)?);
        }
        match results.as_slice() {
            [one] if one.are_few() => Ok(Value::Numbers(vec![one.clone(); self.sizes.len()])),
            [one] => {
                let odd = || node.refused("computes too many integers");
                self.weights(one.shape().to_vec(), one.as_floats().ok_or_else(odd)?)
            }
            _ => Ok(Value::Numbers(results)),
        }
    }

    /// The numbers at an input: weights, however many, or a few numbers, one set per probe.
    fn numbers_at(&mut self, index: usize) -> Result<Option<Vec<Numbers>>> {
        let value = self.scope.node.input(index).and_then(|name| self.scope.values.get(&name));
        if let Some(Value::Tensor(id, _)) = value {
            let tensor = &self.scope.tensors[*id];
            let (dtype, count) = (tensor.dtype(), tensor.element_count());
            self.note_storage(dtype);
            if count > MAX_COUNT && matches!(dtype, Dtype::Float(_)) {
                let Constant { sides, values } = self.weights_at(index)?;
                return Ok(Some(vec![Numbers::weights(sides, values)]));
            }
        }
        Ok(self.scope.numbers(index)?.map(Cow::into_owned))
    }

    /// Computed weights.
    fn weights(&mut self, sides: Vec<usize>, values: &[f32]) -> Result<Value> {
        let bytes = encoded(values, false);
        self.budget().bytes(bytes.len())?;
        let dtype = Dtype::Float(StorageType::F32);
        let tensor = StoredTensor::contiguous(dtype, sides, Cow::Owned(bytes));
        self.scope.tensor(tensor.map_err(|problem| self.refused(problem))?)
    }

    /// A constant with other sides and the same values; `None` for another node.
    fn viewed(&self) -> Result<Option<Value>> {
        let node = self.scope.node;
        let Some(value) = node.input(0).and_then(|name| self.scope.values.get(&name)) else {
            return Ok(None);
        };
        let is_view = match (node.op_type, value) {
            ("Flatten" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze", _) => true,
            // Casts to FLOAT and DOUBLE lose nothing that single precision would keep.
            ("Cast", Value::Tensor(id, _)) => {
                matches!(self.scope.tensors[*id].dtype(), Dtype::Float(_))
                    && matches!(node.int("to", 0), 1 | 11)
            }
            _ => false,
        };
        if !is_view {
            return Ok(None);
        }
        let odd = || self.scope.of_size(node.refused("gives a constant an unsupported shape"));
        let sides = |own: &[usize], probe: usize| {
            self.scope
                .sides_after(own, probe)?
                .filter(|sides| sides.len() <= MAX_RANK)
                .ok_or_else(odd)
        };
        Ok(Some(match value {
            Value::Tensor(id, own) => {
                let made = (0..self.scope.probe_count).map(|probe| sides(own, probe));
                let made = made.collect::<Result<Vec<_>>>()?;
                Value::Tensor(*id, equal(made.into_iter()).ok_or_else(odd)?)
            }
            Value::Numbers(numbers) => {
                let at = |(probe, own): (usize, &Numbers)| {
                    own.in_shape(sides(own.shape(), probe)?).ok_or_else(odd)
                };
                Value::Numbers(numbers.iter().enumerate().map(at).collect::<Result<_>>()?)
            }
            Value::Map(_) => return Ok(None),
        }))
    }

    fn constant_node(&mut self) -> Result<Value> {
        let node = self.scope.node;
        let name = node.output.first().copied().unwrap_or_default().text;
        if let Some(tensor) = node.attribute("value").and_then(|a| a.t.as_deref()) {
            return self.scope.tensor(stored(name, tensor, self.scope.budget)?);
        }
        let few = |a: &&Attribute<'_>| a.ints.len().max(a.floats.len()) <= MAX_COUNT;
        let numbers = node.attribute.iter().filter(few).find_map(|a| match a.name {
            "value_int" => Numbers::int(a.i),
            "value_ints" => Numbers::ints(a.ints.clone()),
            "value_float" => Numbers::few(Vec::new(), Values::Float(vec![a.f])),
            "value_floats" => Numbers::few(vec![a.floats.len()], Values::Float(a.floats.clone())),
            _ => None,
        });
        let numbers =
            numbers.ok_or_else(|| node.refused("is a constant of an unsupported kind"))?;
        Ok(Value::Numbers(vec![numbers; self.scope.probe_count]))
    }

    /// The numbers at an input; `None` if the optional input is absent.
    ///
    /// # Errors
    /// [`WeightsError`] if the input is a map, or numbers that depend on the picture's size or are not finite.
    pub fn constant_at(&mut self, index: usize) -> Result<Option<Constant>> {
        let node = self.scope.node;
        if node.input(index).is_none() {
            return Ok(None);
        }
        let (id, sides) = match self.scope.value(index)? {
            Value::Tensor(id, sides) => (*id, sides.clone()),
            Value::Numbers(_) => {
                let numbers = self.scope.fixed_numbers(index)?;
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
            return Err(WeightsError::tensor(&key, "holds no numbers"));
        }
        check_values(&key, &values, |value| !value.is_nan())?;
        Ok(Some(Constant { sides, values }))
    }

    /// A number from an attribute or, since some opset, from an input.
    pub fn number(&mut self, attribute: &str, index: usize, absent: f32) -> Result<f32> {
        let node = self.scope.node;
        if let Some(attribute) = node.attribute(attribute) {
            return Ok(attribute.f);
        }
        let odd = || node.refused(format!("has several numbers as its {attribute}"));
        self.constant_at(index)?.map_or(Ok(absent), |constant| constant.scalar().ok_or_else(odd))
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
    pub fn finite_values(&mut self, id: TensorId, key: &str) -> Result<Vec<f32>> {
        let values = self.values(id, key)?;
        check_values(key, &values, f32::is_finite)?;
        Ok(values)
    }

    /// The weights of a convolution at an input, and their shape.
    pub fn kernel_at(&mut self, index: usize) -> Result<(Kernel, Vec<usize>)> {
        if let Value::Tensor(id, sides) = self.scope.value(index)?
            && matches!(self.scope.tensors[*id].dtype(), Dtype::Float(_))
        {
            return Ok((Kernel::Stored(*id), sides.clone()));
        }
        let own = self.weights_at(index)?;
        Ok((Kernel::Own(own.values), own.sides))
    }

    /// The numbers at a required input.
    pub fn needed_at(&mut self, index: usize) -> Result<Constant> {
        self.constant_at(index)?.ok_or_else(|| self.refused(format!("lacks its input {index}")))
    }

    /// The weights at an input; refuses those that are not finite.
    pub fn weights_at(&mut self, index: usize) -> Result<Constant> {
        let constant = self.needed_at(index)?;
        check_values(&self.scope.node.input_key(index), &constant.values, f32::is_finite)?;
        Ok(constant)
    }

    /// A list of `count` weights at an input.
    pub fn list_at(&mut self, index: usize, count: usize) -> Result<Vec<f32>> {
        let list = self.weights_at(index)?;
        if list.values.len() == count {
            return Ok(list.values);
        }
        Err(WeightsError::Shape {
            key: self.scope.node.input_key(index),
            got: list.sides,
            needed: format!("{count} values"),
        })
    }
}
