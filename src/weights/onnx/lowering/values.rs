//! What names stand for while a graph is lowered, and what a node finds at its inputs.

use std::borrow::Cow;

use crate::graph::NodeId;

use super::{
    super::{
        super::tensor::StoredTensor,
        messages::Node,
        numbers::{MAX_COUNT, Numbers, Values},
    },
    Lowering, TensorId, WeightsError, refused, shortened,
};

/// What a name stands for.
pub(super) enum Value {
    /// Numbers of the file, perhaps seen in another shape.
    Tensor(TensorId, Vec<usize>),
    /// A few computed numbers, one set for each probe.
    Numbers(Vec<Numbers>),
    /// Something that depends on the picture's pixels.
    Map(NodeId),
}

impl Value {
    /// Bytes that the value takes beside its own place.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Tensor(_, shape) => size_of_val(shape.as_slice()),
            Self::Numbers(probes) => probes.iter().map(Numbers::size_bytes).sum(),
            Self::Map(_) => 0,
        }
    }
}

impl Lowering<'_> {
    /// The value of an input that must be there.
    pub(super) fn value(&self, node: &Node<'_>, index: usize) -> Result<&Value, WeightsError> {
        let name = node
            .input(index)
            .ok_or_else(|| refused(format!("{} lacks its input {index}", node.label())))?;
        self.values.get(name).ok_or_else(|| {
            refused(format!(
                "{} needs {}, which nothing before it defines",
                node.label(),
                shortened(name)
            ))
        })
    }

    /// The map at an input.
    pub(super) fn map(&self, node: &Node<'_>, index: usize) -> Result<NodeId, WeightsError> {
        match self.value(node, index)? {
            Value::Map(id) => Ok(*id),
            _ => Err(refused(format!(
                "{} works on constants where a picture belongs",
                node.label()
            ))),
        }
    }

    /// The map at an input, if that is what it is.
    pub(super) fn as_map(&self, node: &Node<'_>, index: usize) -> Option<NodeId> {
        match self.values.get(node.input(index)?) {
            Some(Value::Map(id)) => Some(*id),
            _ => None,
        }
    }

    /// A weight at an input, with its shape there.
    pub(super) fn weight(
        &self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<(TensorId, &[usize]), WeightsError> {
        match self.value(node, index)? {
            Value::Tensor(id, shape) => Ok((*id, shape)),
            _ => Err(refused(format!(
                "{} takes a weight that is computed, not stored",
                node.label()
            ))),
        }
    }

    /// A scale or shift at an input: one number per channel, in any shape that says so.
    pub(super) fn per_channel(
        &self,
        node: &Node<'_>,
        index: usize,
        map: NodeId,
    ) -> Result<TensorId, WeightsError> {
        let (id, shape) = self.weight(node, index)?;
        let channels = self.channels(map);
        let fits = match *shape {
            [count] if node.op_type == "InstanceNormalization" => count == channels,
            [count, 1, 1] | [1, count, 1, 1] => count == channels,
            _ => false,
        };
        if fits {
            return Ok(id);
        }
        Err(WeightsError::Shape {
            key: shortened(node.input(index).unwrap_or_default()),
            got: shape.to_vec(),
            needed: format!("one value for each of {channels} channels"),
        })
    }

    pub(super) fn channels(&self, map: NodeId) -> usize {
        self.maps[map].first().map_or(0, |m| m[0])
    }

    /// A few numbers at an input, one set for each probe; `None` where the input is left out.
    pub(super) fn numbers(
        &self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<Option<Cow<'_, [Numbers]>>, WeightsError> {
        if node.input(index).is_none() {
            return Ok(None);
        }
        let numbers = match self.value(node, index)? {
            Value::Numbers(numbers) => Some(Cow::Borrowed(numbers.as_slice())),
            Value::Tensor(id, shape) => match small_numbers(&self.tensors[*id], shape) {
                Some(few) => {
                    self.budget.bytes(self.probe_count * few.size_bytes())?;
                    Some(Cow::Owned(vec![few; self.probe_count]))
                }
                None => None,
            },
            Value::Map(_) => None,
        };
        let Some(numbers) = numbers else {
            return Err(refused(format!(
                "{} needs a few numbers at input {index} and gets something else",
                node.label()
            )));
        };
        self.budget
            .steps(numbers.iter().map(Numbers::count).sum())?;
        Ok(Some(numbers))
    }

    /// Numbers that are the same at every probe.
    pub(super) fn fixed_numbers(
        &self,
        node: &Node<'_>,
        index: usize,
    ) -> Result<Option<Numbers>, WeightsError> {
        match self.numbers(node, index)?.as_deref() {
            None => Ok(None),
            Some([first, rest @ ..]) if rest.iter().all(|n| n == first) => {
                self.budget.bytes(first.size_bytes())?;
                Ok(Some(first.clone()))
            }
            Some(_) => Err(refused(format!(
                "{} depends on the size of the picture",
                node.label()
            ))),
        }
    }

    /// Integers that stand in an attribute or, since some opset, are an input.
    pub(super) fn ints<'n>(
        &self,
        node: &'n Node<'_>,
        attribute: &str,
        index: usize,
    ) -> Result<Option<Cow<'n, [i64]>>, WeightsError> {
        if let Some(attribute) = node.attribute(attribute) {
            return Ok(Some(Cow::Borrowed(attribute.ints.as_slice())));
        }
        let numbers = self.fixed_numbers(node, index)?;
        Ok(numbers.and_then(Numbers::into_ints).map(Cow::Owned))
    }

    /// The single constant at an input, if that is what it is.
    pub(super) fn constant(&self, node: &Node<'_>, index: usize) -> Option<f32> {
        self.fixed_numbers(node, index).ok()??.scalar()
    }
}

/// A few numbers of the file; `None` when there are more or of another type.
fn small_numbers(tensor: &StoredTensor<'_>, shape: &[usize]) -> Option<Numbers> {
    if tensor.element_count() > MAX_COUNT {
        return None;
    }
    let values = match tensor.to_i64() {
        Some(ints) => Values::Int(ints),
        None => Values::Float(tensor.to_f32().ok()?),
    };
    Numbers::new(shape.to_vec(), values)
}
