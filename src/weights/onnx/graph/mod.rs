//! Following the picture through a graph: every node becomes one of a few operations or an error.
//!
//! Nodes are taken in the file's order, which ONNX requires to be a possible order of running; a
//! node that needs a later value is refused, so nothing here recurses. Spellings meet here: pads as
//! attribute or input, `Upsample` and `Resize`, instance norm as one node or as eight. What the
//! operations have to be in which order is for [`super::chain`] to say.

mod constants;
mod layers;
mod norm;
mod operation;

use std::{borrow::Cow, collections::HashMap};

use super::{
    super::{Budget, WeightsError, error::shortened, tensor::StoredTensor},
    check_unique,
    messages::{Dimension, Graph, Node, ValueInfo},
    numbers::Numbers,
    shown, stored,
};
use constants::small_numbers;
pub(super) use operation::{Id, Operation, TensorId};

/// Channels, height and width.
type Map = [usize; 3];

/// A graph brought to operations.
pub(super) struct Walked<'m> {
    pub(super) operations: Vec<Operation>,
    pub(super) tensors: Vec<StoredTensor<'m>>,
    pub(super) output: Id,
}

/// What a name stands for.
enum Value {
    /// Numbers of the file, perhaps seen in another shape.
    Tensor(TensorId, Vec<usize>),
    /// A few computed numbers, one set for each probe.
    Numbers(Vec<Numbers>),
    /// Something that depends on the picture's pixels.
    Map(Id),
}

/// Heights and widths at which a graph with free sides is tried; the odd ones tell 2x from
/// everything that only looks like it at round sizes.
const PROBES: [(usize, usize); 3] = [(64, 96), (61, 83), (338, 531)];

/// Everything that a graph of this network is made of, however it is spelled.
const KNOWN_OPERATORS: [&str; 31] = [
    "Add",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "Div",
    "Dropout",
    "Floor",
    "Gather",
    "GlobalAveragePool",
    "Identity",
    "InstanceNormalization",
    "Mul",
    "Pad",
    "Pow",
    "Reciprocal",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "Shape",
    "Slice",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
    "Upsample",
];

/// Longest side of a map that is followed, in pixels.
const MAX_SIDE_PX: usize = 1 << 20;

fn refused(problem: impl Into<String>) -> WeightsError {
    WeightsError::Graph(problem.into())
}

/// Follows the picture from the graph's input to its output.
///
/// # Errors
/// [`WeightsError::Graph`] with the first node that this network has no place for, or an error
/// that names a tensor.
pub(super) fn walk<'m>(
    graph: &'m Graph<'_>,
    budget: &'m Budget,
) -> Result<Walked<'m>, WeightsError> {
    check_unique(graph.initializer.iter().map(|t| t.name), budget)?;
    let results = graph.node.iter().flat_map(|n| &n.output);
    check_unique(results.copied(), budget)?;
    // Before IR version 4 the weights are listed among the inputs as well.
    let mut stored_names = HashMap::new();
    for tensor in &graph.initializer {
        budget.insert(&mut stored_names, tensor.name, ())?;
    }
    let mut inputs: Vec<&ValueInfo<'_>> = Vec::new();
    for input in &graph.input {
        if !stored_names.contains_key(input.name) {
            budget.push(&mut inputs, input)?;
        }
    }
    let [picture] = inputs.as_slice() else {
        return Err(refused(format!(
            "it has {} inputs, a style network has one picture",
            inputs.len()
        )));
    };
    let [result] = graph.output.as_slice() else {
        return Err(refused(format!(
            "it has {} results, a style network has one picture",
            graph.output.len()
        )));
    };
    let nodes = needed(graph, result.name, budget)?;
    let stranger = nodes.iter().find(|node| {
        let own_domain = matches!(node.domain, "" | "ai.onnx");
        !own_domain || !KNOWN_OPERATORS.contains(&node.op_type)
    });
    if let Some(node) = stranger {
        return Err(unsupported(node));
    }
    let (batch, sizes) = probes(picture)?;
    let mut walker = Walker {
        values: HashMap::new(),
        operations: Vec::new(),
        maps: Vec::new(),
        ids: HashMap::new(),
        tensors: Vec::new(),
        batch,
        probe_count: sizes.len(),
        budget,
    };
    for tensor in &graph.initializer {
        let tensor_value = walker.tensor(stored(tensor.name, tensor, budget)?)?;
        budget.insert(&mut walker.values, tensor.name, tensor_value)?;
    }
    let maps = sizes.iter().map(|(h, w)| [3, *h, *w]).collect();
    let start = walker.operation(Operation::Picture, maps)?;
    budget.insert(&mut walker.values, picture.name, Value::Map(start))?;
    for node in nodes {
        // An operator looks at every input and a few times at every attribute.
        budget.steps(1 + 2 * node.input.len() + 8 * node.attribute.len())?;
        let value = walker.node(node)?;
        budget.bytes(value.size_bytes())?;
        if let Some(name) = node.output.first() {
            budget.insert(&mut walker.values, *name, value)?;
        }
    }
    match walker.values.get(result.name) {
        Some(Value::Map(output)) => Ok(Walked {
            output: *output,
            operations: walker.operations,
            tensors: walker.tensors,
        }),
        _ => Err(refused("its result does not depend on the picture")),
    }
}

/// Batch size, and the sizes at which the graph's arithmetic is tried: its own if they are fixed.
fn probes(picture: &ValueInfo<'_>) -> Result<(usize, Vec<(usize, usize)>), WeightsError> {
    let tensor = picture.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let Some(tensor) = tensor else {
        return Ok((1, PROBES.to_vec()));
    };
    // FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16; 0 where the file does not tell.
    if !matches!(tensor.elem_type, 0 | 1 | 2 | 10 | 11 | 16) {
        return Err(refused("its input is not a picture"));
    }
    let Some(shape) = &tensor.shape else {
        return Ok((1, PROBES.to_vec()));
    };
    let side = |dim: &Dimension| usize::try_from(dim.dim_value).unwrap_or(0);
    let odd = || {
        let sides: Vec<usize> = shape.dim.iter().map(side).collect();
        refused(format!(
            "its input has shape {}, a picture is batch x 3 x height x width",
            shown(&sides)
        ))
    };
    let [batch, channels, height, width] = shape.dim.as_slice() else {
        return Err(odd());
    };
    let [batch, channels, height, width] = [batch, channels, height, width].map(side);
    let largest = batch.max(height).max(width);
    if !matches!(channels, 0 | 3) || largest > MAX_SIDE_PX {
        return Err(odd());
    }
    let fixed = |side: usize, probe: usize| if side == 0 { probe } else { side };
    let mut sizes: Vec<(usize, usize)> = PROBES
        .iter()
        .map(|(h, w)| (fixed(height, *h), fixed(width, *w)))
        .collect();
    sizes.dedup();
    Ok((batch.max(1), sizes))
}

/// The nodes that the result depends on, in the file's order.
fn needed<'m>(
    graph: &'m Graph<'_>,
    result: &str,
    budget: &Budget,
) -> Result<Vec<&'m Node<'m>>, WeightsError> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for name in &node.output {
            budget.insert(&mut makers, *name, index)?;
        }
    }
    let mut wanted = budget.list(graph.node.len())?;
    wanted.resize(graph.node.len(), false);
    let mut open: Vec<usize> = Vec::new();
    open.extend(makers.get(result));
    while let Some(index) = open.pop() {
        if std::mem::replace(&mut wanted[index], true) {
            continue;
        }
        let inputs = &graph.node[index].input;
        budget.steps(inputs.len())?;
        for name in inputs {
            if let Some(maker) = makers.get(name) {
                budget.push(&mut open, *maker)?;
            }
        }
    }
    let mut nodes = Vec::new();
    for (node, wanted) in graph.node.iter().zip(wanted) {
        if wanted {
            budget.push(&mut nodes, node)?;
        }
    }
    Ok(nodes)
}

impl Value {
    /// Bytes that the value takes beside its own place.
    fn size_bytes(&self) -> usize {
        match self {
            Self::Tensor(_, shape) => size_of_val(shape.as_slice()),
            Self::Numbers(probes) => probes.iter().map(Numbers::size_bytes).sum(),
            Self::Map(_) => 0,
        }
    }
}

struct Walker<'m> {
    values: HashMap<&'m str, Value>,
    operations: Vec<Operation>,
    /// Size of every operation's result at every probe.
    maps: Vec<Vec<Map>>,
    ids: HashMap<Operation, Id>,
    tensors: Vec<StoredTensor<'m>>,
    batch: usize,
    probe_count: usize,
    budget: &'m Budget,
}

impl<'m> Walker<'m> {
    fn tensor(&mut self, tensor: StoredTensor<'m>) -> Result<Value, WeightsError> {
        let shape = tensor.shape().to_vec();
        self.budget.push(&mut self.tensors, tensor)?;
        Ok(Value::Tensor(self.tensors.len() - 1, shape))
    }

    fn operation(&mut self, operation: Operation, maps: Vec<Map>) -> Result<Id, WeightsError> {
        if let Some(id) = self.ids.get(&operation) {
            return Ok(*id);
        }
        let id = self.operations.len();
        self.budget.bytes(size_of_val(maps.as_slice()))?;
        self.budget.push(&mut self.operations, operation)?;
        self.budget.push(&mut self.maps, maps)?;
        self.budget.insert(&mut self.ids, operation, id)?;
        Ok(id)
    }

    /// An operation that keeps the size of `like`.
    fn same_size(&mut self, operation: Operation, like: Id) -> Result<Value, WeightsError> {
        let maps = self.maps[like].clone();
        Ok(Value::Map(self.operation(operation, maps)?))
    }

    /// The value of an input that must be there.
    fn value(&self, node: &Node<'_>, index: usize) -> Result<&Value, WeightsError> {
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
    fn map(&self, node: &Node<'_>, index: usize) -> Result<Id, WeightsError> {
        match self.value(node, index)? {
            Value::Map(id) => Ok(*id),
            _ => Err(refused(format!(
                "{} works on constants where a picture belongs",
                node.label()
            ))),
        }
    }

    /// A weight at an input, with its shape there.
    fn weight(&self, node: &Node<'_>, index: usize) -> Result<(TensorId, &[usize]), WeightsError> {
        match self.value(node, index)? {
            Value::Tensor(id, shape) => Ok((*id, shape)),
            _ => Err(refused(format!(
                "{} takes a weight that is computed, not stored",
                node.label()
            ))),
        }
    }

    /// A scale or shift at an input: one number per channel, in any shape that says so.
    fn per_channel(
        &self,
        node: &Node<'_>,
        index: usize,
        map: Id,
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

    fn channels(&self, map: Id) -> usize {
        self.maps[map].first().map_or(0, |m| m[0])
    }

    /// A few numbers at an input, one set for each probe; `None` where the input is left out.
    fn numbers(
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
    fn fixed_numbers(
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
    fn ints<'n>(
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
    fn constant(&self, node: &Node<'_>, index: usize) -> Option<f32> {
        self.fixed_numbers(node, index).ok()??.scalar()
    }

    /// Runs one node.
    fn node(&mut self, node: &'m Node<'_>) -> Result<Value, WeightsError> {
        let mut on_map = false;
        for index in 0..node.input.len() {
            if node.input(index).is_some() {
                on_map |= matches!(self.value(node, index)?, Value::Map(_));
            }
        }
        if node.op_type == "Shape" {
            self.shape(node)
        } else if on_map {
            self.node_on_map(node)
        } else {
            self.node_on_constants(node)
        }
    }
}

fn unsupported(node: &Node<'_>) -> WeightsError {
    let domain = match node.domain {
        "" => String::new(),
        domain => format!(" of {}", shortened(domain)),
    };
    refused(format!(
        "{}{domain} is not part of the network",
        node.label()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::messages::Attribute;
    use super::*;

    /// A graph of one input `x`, the given nodes and the result of the last.
    fn graph(nodes: Vec<Node<'_>>) -> Graph<'_> {
        let value = |name| ValueInfo { name, kind: None };
        let result = nodes.last().map_or("x", |n| n.output[0]);
        Graph {
            node: nodes,
            input: vec![value("x")],
            output: vec![value(result)],
            ..Graph::default()
        }
    }

    fn node<'m>(
        op: &'m str,
        input: &'m str,
        output: &'m str,
        attribute: Attribute<'m>,
    ) -> Node<'m> {
        Node {
            op_type: op,
            input: vec![input],
            output: vec![output],
            attribute: vec![attribute],
            ..Node::default()
        }
    }

    fn message(nodes: Vec<Node<'_>>) -> String {
        let graph = graph(nodes);
        match walk(&graph, &Budget::for_file(0)) {
            Err(error) => error.to_string(),
            Ok(walked) => panic!("went through: {:?}", walked.operations),
        }
    }

    #[test]
    fn endless_growth_is_stopped() {
        let scales = Attribute {
            name: "scales",
            floats: vec![1.0, 1.0, 2.0, 2.0],
            ..Attribute::default()
        };
        let names: Vec<String> = (0..100).map(|i| format!("v{i}")).collect();
        let mut nodes = vec![node("Upsample", "x", "v0", scales.clone())];
        for pair in names.windows(2) {
            nodes.push(node("Upsample", &pair[0], &pair[1], scales.clone()));
        }
        assert!(message(nodes).contains("too large"));
    }

    #[test]
    fn uneven_padding_is_refused() {
        let mode = Attribute {
            name: "mode",
            s: b"reflect",
            ..Attribute::default()
        };
        let mut pad = node("Pad", "x", "y", mode);
        pad.attribute.push(Attribute {
            name: "pads",
            ints: vec![0, 0, 1, 1, 0, 0, 1, 2],
            ..Attribute::default()
        });
        assert!(message(vec![pad]).contains("all four sides"));
    }

    #[test]
    fn equal_operations_are_one() {
        let none = Attribute::default;
        let mut sum = node("Add", "a", "sum", none());
        sum.input.push("b");
        let nodes = vec![
            node("Relu", "x", "a", none()),
            node("Relu", "x", "b", none()),
            sum,
        ];
        let (graph, budget) = (graph(nodes), Budget::for_file(0));
        let walked = walk(&graph, &budget).expect("all known");
        assert_eq!(
            walked.operations,
            [Operation::Picture, Operation::Relu(0), Operation::Add(1, 1)]
        );
    }
}
