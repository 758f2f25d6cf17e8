//! What names mean while a graph is read, and what a node finds at its inputs. This module knows which values depend on
//! the picture, but nothing else about them.

use std::{borrow::Cow, cell::Cell, collections::HashMap};

use super::{
    Budget, WeightsError,
    messages::Node,
    numbers::{MAX_COUNT, Numbers, Values},
    refused, shortened,
};
use crate::weights::tensor::StoredTensor;

/// Index of a tensor in the file.
pub(super) type TensorId = usize;

/// What a name stands for.
pub(super) enum Value<M> {
    /// Numbers of the file, possibly viewed in another shape.
    Tensor(TensorId, Vec<usize>),
    /// A few computed numbers, one set per probe.
    Numbers(Vec<Numbers>),
    /// A value that depends on the picture's pixels.
    Map(M),
}

impl<M> Value<M> {
    /// Bytes of the value on the heap.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Tensor(_, shape) => size_of_val(shape.as_slice()),
            Self::Numbers(probes) => probes.iter().map(Numbers::size_bytes).sum(),
            Self::Map(_) => 0,
        }
    }
}

/// The names of the part of a graph that has been read.
pub(super) struct Scope<'m, M> {
    pub(super) values: HashMap<&'m str, Value<M>>,
    pub(super) tensors: Vec<StoredTensor<'m>>,
    /// Number of picture sizes at which the graph's arithmetic is tried.
    pub(super) probe_count: usize,
    pub(super) budget: &'m Budget,
    /// Whether an error occurred that may not occur at other sizes of the picture.
    pub(super) depends_on_size: Cell<bool>,
}

impl<'m, M> Scope<'m, M> {
    pub(super) fn new(probe_count: usize, budget: &'m Budget) -> Self {
        Self {
            values: HashMap::new(),
            tensors: Vec::new(),
            probe_count,
            budget,
            depends_on_size: Cell::new(false),
        }
    }

    /// Records that an error may not occur at other sizes of the picture.
    pub(super) fn of_size(&self, error: WeightsError) -> WeightsError {
        self.depends_on_size.set(true);
        error
    }

    pub(super) fn tensor(&mut self, tensor: StoredTensor<'m>) -> Result<Value<M>, WeightsError> {
        let shape = tensor.shape().to_vec();
        self.budget.push(&mut self.tensors, tensor)?;
        Ok(Value::Tensor(self.tensors.len() - 1, shape))
    }

    /// The value of a required input.
    pub(super) fn value(&self, node: &Node<'_>, index: usize) -> Result<&Value<M>, WeightsError> {
        let name = node
            .input(index)
            .ok_or_else(|| refused(format!("{} lacks its input {index}", node.label())))?;
        self.values.get(name).ok_or_else(|| {
            refused(format!(
                "{} needs {}, which nothing before it defines: the graph is out of order, or a cycle",
                node.label(),
                shortened(name)
            ))
        })
    }

    /// A few numbers at an input, one set per probe; `None` if the optional input is absent.
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
        self.budget.steps(numbers.iter().map(Numbers::count).sum())?;
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
            Some(_) => Err(self
                .of_size(refused(format!("{} depends on the size of the picture", node.label())))),
        }
    }

    /// Integers from an attribute or, since some opset, from an input.
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

    /// The single constant at an input, if there is one.
    pub(super) fn constant(&self, node: &Node<'_>, index: usize) -> Option<f32> {
        self.fixed_numbers(node, index).ok()??.scalar()
    }
}

/// A few numbers of the file; `None` if there are more or they have another type.
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
