//! Lowers a file's graph to operations of this program's graph, node by node.
//!
//! Nodes are taken in the file's order, which ONNX requires to be a possible order of running; a node that needs a
//! later value is refused, so nothing here recurses. A node that the picture goes through is rewritten by the rule
//! of its operator (`rules`, a file for everything that is rewritten); what no pixel goes through is computed
//! (`constants`). Knows no model: what the operations have to be in which order is not looked at.

mod lowered;
mod picture;
mod rules;
mod values;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    ops::{Deref, DerefMut},
};

use crate::graph::{NodeId, Op};

use super::{
    super::{Budget, WeightsError, error::shortened},
    check_unique,
    messages::{Graph, Node},
    needed, numbers, refused,
    scope::{self, Scope, TensorId},
    tensors::stored,
};
pub(super) use lowered::Lowered;
use lowered::{LoweredNode, Step};

/// What a name stands for: what depends on the picture is a node.
type Value = scope::Value<NodeId>;

/// Channels, height and width.
type Map = [usize; 3];

/// Sides of a map as files count them: in front of it stands the batch.
const RANK: usize = 4;

/// Longest side of a map that is followed, in pixels.
const MAX_SIDE_PX: usize = 1 << 20;

fn unsupported(node: &Node<'_>) -> WeightsError {
    let domain = match node.domain {
        "" => String::new(),
        domain => format!(" of {}", shortened(domain)),
    };
    refused(format!("{}{domain} is not part of the network", node.label()))
}

/// Lowers everything that a graph's result depends on.
///
/// # Errors
/// [`WeightsError::Graph`] with the first node for which there is no rule, or an error that names a tensor.
pub(super) fn lower<'m>(
    graph: &'m Graph<'_>,
    budget: &'m Budget,
) -> Result<Lowered<'m>, WeightsError> {
    check_unique(graph.initializer.iter().map(|t| t.name), budget)?;
    let results = graph.node.iter().flat_map(|n| &n.output);
    check_unique(results.copied(), budget)?;
    let photo = needed::the_picture(graph, budget)?;
    let [result] = graph.output.as_slice() else {
        return Err(refused(format!(
            "it has {} results, a style network has one picture",
            graph.output.len()
        )));
    };
    let nodes = needed::nodes(graph, result.name, budget)?;
    if let Some(stranger) = nodes.iter().find(|node| !is_known(node)) {
        return Err(unsupported(stranger));
    }
    let (batch, sizes) = picture::probes(photo)?;
    let mut lowering = Lowering {
        scope: Scope::new(sizes.len(), budget),
        nodes: Vec::new(),
        maps: Vec::new(),
        ids: HashMap::new(),
        hasher: RandomState::new(),
        batch,
    };
    for tensor in &graph.initializer {
        let tensor_value = lowering.tensor(stored(tensor.name, tensor, budget)?)?;
        budget.insert(&mut lowering.scope.values, tensor.name, tensor_value)?;
    }
    let maps = sizes.iter().map(|(h, w)| [3, *h, *w]).collect();
    let start = lowering.add(LoweredNode::new(Step::Op(Op::Photo), &[]), maps)?;
    budget.insert(&mut lowering.scope.values, photo.name, Value::Map(start))?;
    for node in nodes {
        // An operator looks at every input and a few times at every attribute.
        budget.steps(1 + 2 * node.input.len() + 8 * node.attribute.len())?;
        let value = lowering.node(node)?;
        budget.bytes(value.size_bytes())?;
        if let Some(name) = node.output.first() {
            budget.insert(&mut lowering.scope.values, *name, value)?;
        }
    }
    match lowering.values.get(result.name) {
        Some(Value::Map(id)) => {
            let id = *id;
            lowering.finish(id)
        }
        _ => Err(refused("its result does not depend on the picture")),
    }
}

/// Whether the operator is one that is rewritten or computed, wherever it stands.
fn is_known(node: &Node<'_>) -> bool {
    let is_operator = match node.op_type {
        "Constant" | "Shape" => true,
        other => rules::rule(other).is_some() || numbers::rule(other).is_some(),
    };
    matches!(node.domain, "" | "ai.onnx") && is_operator
}

/// A graph while it is lowered.
struct Lowering<'m> {
    scope: Scope<'m, NodeId>,
    nodes: Vec<LoweredNode>,
    /// Size of every node's map at every probe.
    maps: Vec<Vec<Map>>,
    /// The nodes by their hashes, which no file foresees; where two are equal, the second lies one further on.
    ids: HashMap<u64, NodeId>,
    hasher: RandomState,
    batch: usize,
}

impl<'m> Deref for Lowering<'m> {
    type Target = Scope<'m, NodeId>;

    fn deref(&self) -> &Self::Target {
        &self.scope
    }
}

impl DerefMut for Lowering<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.scope
    }
}

impl<'m> Lowering<'m> {
    /// The node's id, with `maps` as its sizes; that of its equal where there is one.
    fn add(&mut self, node: LoweredNode, maps: Vec<Map>) -> Result<NodeId, WeightsError> {
        let mut hash = self.hasher.hash_one((node, &maps));
        while let Some(id) = self.ids.get(&hash) {
            if self.nodes[*id] == node && self.maps[*id] == maps {
                return Ok(*id);
            }
            hash = hash.wrapping_add(1);
        }
        let id = self.nodes.len();
        let budget = self.budget;
        budget.bytes(size_of_val(maps.as_slice()))?;
        budget.push(&mut self.nodes, node)?;
        budget.push(&mut self.maps, maps)?;
        budget.insert(&mut self.ids, hash, id)?;
        Ok(id)
    }

    /// A node whose map is as large as that of `like`.
    fn add_like(&mut self, node: LoweredNode, like: NodeId) -> Result<NodeId, WeightsError> {
        self.add(node, self.maps[like].clone())
    }

    /// The sizes of a map with one value for each channel of `map`.
    fn of_channels(&self, map: NodeId) -> Vec<Map> {
        self.maps[map].iter().map(|[c, ..]| [*c, 1, 1]).collect()
    }

    /// Lowers one node of the file.
    fn node(&mut self, node: &'m Node<'_>) -> Result<Value, WeightsError> {
        let (mut on_map, mut on_reshaped) = (false, false);
        for index in 0..node.input.len() {
            if node.input(index).is_some()
                && let Value::Map(id) = self.value(node, index)?
            {
                on_map = true;
                on_reshaped |= matches!(self.nodes[*id].step, Step::Reshaped(_));
            }
        }
        if node.op_type == "Shape" {
            self.shape(node, |map| self.sides(*map))
        } else if on_reshaped {
            let rule = rules::rule_on_reshaped(node.op_type).ok_or_else(|| {
                refused(format!(
                    "{} works on a map in another shape than a picture's",
                    node.label()
                ))
            })?;
            rule(self, node).map(Value::Map)
        } else if on_map {
            let rule = rules::rule(node.op_type).ok_or_else(|| unsupported(node))?;
            rule(self, node).map(Value::Map)
        } else {
            self.node_on_constants(node)
        }
    }

    /// The graph that ends in the picture at `result`, whether the file clips it or leaves that to others.
    fn finish(mut self, result: NodeId) -> Result<Lowered<'m>, WeightsError> {
        let last = self.nodes[result];
        let unclipped = match last.step {
            Step::Clip => last.inputs[0],
            _ => result,
        };
        let picture = LoweredNode::new(Step::Op(Op::Picture), &[unclipped]);
        let output = self.add_like(picture, unclipped)?;
        Ok(Lowered { nodes: self.nodes, tensors: self.scope.tensors, output })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::messages::{Attribute, ValueInfo},
        *,
    };

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
        match lower(&graph, &Budget::for_file(0)) {
            Err(error) => error.to_string(),
            Ok(lowered) => panic!("went through: {:?}", lowered.nodes),
        }
    }

    #[test]
    fn endless_growth_is_stopped() {
        let scales =
            Attribute { name: "scales", floats: vec![1.0, 1.0, 2.0, 2.0], ..Attribute::default() };
        let names: Vec<String> = (0..100).map(|i| format!("v{i}")).collect();
        let mut nodes = vec![node("Upsample", "x", "v0", scales.clone())];
        for pair in names.windows(2) {
            nodes.push(node("Upsample", &pair[0], &pair[1], scales.clone()));
        }
        assert!(message(nodes).contains("too large"));
    }

    #[test]
    fn uneven_padding_is_refused() {
        let mode = Attribute { name: "mode", s: b"reflect", ..Attribute::default() };
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
        let nodes = vec![node("Relu", "x", "a", none()), node("Relu", "x", "b", none()), sum];
        let (graph, budget) = (graph(nodes), Budget::for_file(0));
        let lowered = lower(&graph, &budget).expect("all known");
        let expected =
            [(Op::Photo, &[][..]), (Op::Relu, &[0]), (Op::Add, &[1, 1]), (Op::Picture, &[2])]
                .map(|(op, inputs)| LoweredNode::new(Step::Op(op), inputs));
        assert_eq!(lowered.nodes, expected);
        assert_eq!(lowered.output(), 3);
    }

    #[test]
    fn margins_and_strides_tell_operations_apart() {
        let pad = |output, amount: i64| Node {
            op_type: "Pad",
            input: vec!["x"],
            output: vec![output],
            attribute: vec![
                Attribute { name: "mode", s: b"reflect", ..Attribute::default() },
                Attribute {
                    name: "pads",
                    ints: vec![0, 0, amount, amount, 0, 0, amount, amount],
                    ..Attribute::default()
                },
            ],
            ..Node::default()
        };
        let sum =
            Node { op_type: "Add", input: vec!["a", "b"], output: vec!["y"], ..Node::default() };
        assert!(message(vec![pad("a", 1), pad("b", 2), sum.clone()]).contains("Add 'y'"));
        let (graph, budget) = (graph(vec![pad("a", 2), pad("b", 2), sum]), Budget::for_file(0));
        assert!(lower(&graph, &budget).is_ok());
    }

    #[test]
    fn a_clipped_result_is_the_picture_as_an_unclipped_one_is() {
        let bound = |name, f| Attribute { name, f, ..Attribute::default() };
        let mut clip = node("Clip", "a", "y", bound("min", 0.0));
        clip.attribute.push(bound("max", 255.0));
        let relu = node("Relu", "x", "a", Attribute::default());
        let budget = Budget::for_file(0);
        for nodes in [vec![relu.clone(), clip], vec![relu]] {
            let graph = graph(nodes);
            let lowered = lower(&graph, &budget).expect("all known");
            let found = lowered.at(lowered.output());
            assert_eq!((found.op, found.inputs), (Some(Op::Picture), &[1][..]));
        }
    }
}
