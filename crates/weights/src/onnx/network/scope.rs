//! What names mean while a graph is read, and what a node finds at its inputs. This module knows which values depend on
//! the picture, but nothing else about them.

use std::{borrow::Cow, cell::Cell, collections::HashMap, sync::LazyLock};

use super::{
    Budget, MapValue, Result, WeightsError, equal,
    messages::{Name, Node},
    numbers::{Numbers, fewer_or_more, reshaped},
};
use crate::{error::shortened, tensor::StoredTensor};

/// Index of a tensor in the file.
pub type TensorId = usize;

/// What a name stands for.
#[derive(Clone)]
pub enum Value {
    /// Numbers of the file, possibly viewed in another shape.
    Tensor(TensorId, Vec<usize>),
    /// A few computed numbers, one set per probe.
    Numbers(Vec<Numbers>),
    /// A value that depends on the picture's pixels.
    Map(MapValue),
}

impl Value {
    /// Bytes of the value on the heap.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Tensor(_, shape) => size_of_val(shape.as_slice()),
            Self::Numbers(probes) => probes.iter().map(Numbers::size_bytes).sum(),
            Self::Map(_) => 0,
        }
    }
}

/// Integers after their shape.
pub type Indices = (Vec<usize>, Vec<i64>);

/// The names of the part of a graph that has been read.
pub struct Scope<'m> {
    pub values: HashMap<Name<'m>, Value>,
    pub tensors: Vec<StoredTensor<'m>>,
    /// Number of picture sizes at which the graph's arithmetic is tried.
    pub probe_count: usize,
    /// The node that is being read.
    pub node: &'m Node<'m>,
    pub budget: &'m Budget,
    /// An error occurred that may not occur at other sizes of the picture.
    pub depends_on_size: Cell<bool>,
}

/// Stands for the input of a graph, before any node is read.
static INPUT: LazyLock<Node<'_>> = LazyLock::new(|| Node { op_type: "Input", ..Node::default() });

impl<'m> Scope<'m> {
    pub fn new(probe_count: usize, budget: &'m Budget) -> Self {
        Self {
            values: HashMap::new(),
            tensors: Vec::new(),
            probe_count,
            node: &INPUT,
            budget,
            depends_on_size: Cell::new(false),
        }
    }

    /// Records that an error may not occur at other sizes of the picture.
    pub fn of_size(&self, error: WeightsError) -> WeightsError {
        self.depends_on_size.set(true);
        error
    }

    pub fn tensor(&mut self, tensor: StoredTensor<'m>) -> Result<Value> {
        let shape = tensor.shape().to_vec();
        self.budget.push(&mut self.tensors, tensor)?;
        Ok(Value::Tensor(self.tensors.len() - 1, shape))
    }

    /// The value of a required input.
    pub fn value(&self, index: usize) -> Result<&Value> {
        let node = self.node;
        let name =
            node.input(index).ok_or_else(|| node.refused(format!("lacks its input {index}")))?;
        self.values.get(&name).ok_or_else(|| {
            node.refused(format!(
                "needs {}, which nothing before it defines: the graph is out of order, or a cycle",
                shortened(name.text)
            ))
        })
    }

    /// A few numbers at an input, one set per probe; `None` if the optional input is absent.
    pub fn numbers(&self, index: usize) -> Result<Option<Cow<'_, [Numbers]>>> {
        let node = self.node;
        if node.input(index).is_none() {
            return Ok(None);
        }
        let refused = |found: &str| {
            let key = node.input_key(index);
            node.refused(format!("needs a few numbers as {key}, which {found}"))
        };
        let numbers = match self.value(index)? {
            Value::Numbers(numbers) => Cow::Borrowed(numbers.as_slice()),
            Value::Tensor(id, shape) => {
                let tensor = &self.tensors[*id];
                let few = Numbers::of(tensor, shape).ok_or_else(|| {
                    let (count, dtype) = (tensor.element_count(), tensor.dtype().name());
                    refused(&format!("holds {count} numbers of the type {dtype}"))
                })?;
                self.budget.bytes(self.probe_count * few.size_bytes())?;
                Cow::Owned(vec![few; self.probe_count])
            }
            Value::Map(_) => return Err(refused("depends on the picture")),
        };
        self.budget.steps(numbers.iter().map(Numbers::count).sum())?;
        Ok(Some(numbers))
    }

    /// Numbers that are the same at every probe.
    pub fn fixed_numbers(&self, index: usize) -> Result<Option<Numbers>> {
        let Some(probes) = self.numbers(index)? else {
            return Ok(None);
        };
        let numbers = equal(probes.iter()).ok_or_else(|| self.differs())?;
        self.budget.bytes(numbers.size_bytes())?;
        Ok(Some(numbers.clone()))
    }

    /// Integers from an attribute or, since some opset, from an input, the same at every probe.
    pub fn ints(&self, attribute: &str, index: usize) -> Result<Option<Vec<i64>>> {
        let Some(lists) = self.int_lists(attribute, index)? else {
            return Ok(None);
        };
        equal(lists.into_iter()).ok_or_else(|| self.differs()).map(Some)
    }

    /// Why numbers that are not the same at every probe are refused.
    fn differs(&self) -> WeightsError {
        self.of_size(self.node.refused("depends on the size of the picture"))
    }

    /// Lists of integers from an attribute or, since some opset, from an input, one for each probe.
    pub fn int_lists(&self, attribute: &str, index: usize) -> Result<Option<Vec<Vec<i64>>>> {
        let node = self.node;
        if let Some(attribute) = node.attribute(attribute) {
            self.budget.items::<i64>(self.probe_count * attribute.ints.len())?;
            return Ok(Some(vec![attribute.ints.clone(); self.probe_count]));
        }
        let Some(numbers) = self.numbers(index)? else {
            return Ok(None);
        };
        let counts = numbers.iter().filter_map(|numbers| Some(numbers.as_ints()?.len()));
        self.budget.items::<i64>(counts.sum())?;
        (numbers.iter())
            .map(|numbers| numbers.as_ints().map(<[i64]>::to_vec))
            .collect::<Option<_>>()
            .ok_or_else(|| node.refused(format!("needs integers as {}", node.input_key(index))))
            .map(Some)
    }

    /// The sides that the node gives to a value with the sides `own` at a probe, with the same values in the same order;
    /// `None` if that is impossible.
    pub fn sides_after(&self, own: &[usize], probe: usize) -> Result<Option<Vec<usize>>> {
        let node = self.node;
        Ok(match node.op_type {
            "Reshape" => {
                self.int_lists("shape", 1)?.and_then(|wanted| reshaped(node, own, &wanted[probe]))
            }
            "Flatten" => {
                let axis = node.int("axis", 1);
                let axis = if axis < 0 { axis + own.len() as i64 } else { axis };
                usize::try_from(axis)
                    .ok()
                    .and_then(|at| own.split_at_checked(at))
                    .map(|(front, back)| vec![front.iter().product(), back.iter().product()])
            }
            "Squeeze" | "Unsqueeze" => {
                let is_fewer = node.op_type == "Squeeze";
                fewer_or_more(own, self.ints("axes", 1)?.as_deref(), is_fewer)
            }
            _ => Some(own.to_vec()),
        })
    }

    /// Integers at an input, however many, with their shape; `None` if they are no integers.
    pub fn indices(&self, index: usize) -> Result<Option<Indices>> {
        if let Value::Tensor(id, shape) = self.value(index)? {
            let tensor = &self.tensors[*id];
            self.budget.steps(tensor.element_count())?;
            self.budget.items::<i64>(tensor.element_count())?;
            return Ok(tensor.to_i64().map(|values| (shape.clone(), values)));
        }
        Ok((self.fixed_numbers(index)?)
            .and_then(|n| Some((n.shape().to_vec(), n.as_ints()?.to_vec()))))
    }

    /// The single constant at an input, if there is one.
    pub fn constant(&self, index: usize) -> Option<f32> {
        self.fixed_numbers(index).ok()??.scalar()
    }
}
