//! Replaces calls of functions by their nodes: functions of the model, and quantised operators, which are functions of
//! this module.

use std::collections::HashMap;

use super::{
    super::error::shortened,
    Budget, Result, is_own,
    messages::{Attribute, Function, Graph, Model, Name, Node, ValueInfo},
    opset, quantised, refused,
};

/// Maximum number of functions in functions.
const MAX_DEPTH: usize = 64;

/// What identifies a function: domain, name and overload.
type Key<'m> = (&'m str, &'m str, &'m str);

struct Calls<'f, 'm> {
    functions: HashMap<Key<'m>, &'f Function<'m>>,
    budget: &'f Budget,
    /// The model's opset, which functions must have as well.
    opset: Option<i64>,
    /// The last number for names of values that is taken.
    count: u32,
}

/// Replaces all calls of functions in a model's graph.
///
/// # Errors
/// [`WeightsError::Graph`](crate::WeightsError::Graph) if functions call each other in a circle, have one name
/// or have operators of another version; [`WeightsError::TooCostly`](crate::WeightsError::TooCostly) if the
/// graph would become too large for the file.
pub fn expand(model: &mut Model<'_>, budget: &Budget) -> Result<()> {
    let functions = std::mem::take(&mut model.functions);
    let opset = opset(&model.opset_import);
    let mut calls = Calls { functions: HashMap::new(), budget, opset, count: 0 };
    for function in &functions {
        let key = (function.domain, function.name, function.overload);
        if budget.insert(&mut calls.functions, key, function)?.is_some() {
            return Err(refused(format!(
                "it has two functions named '{}'",
                shortened(function.name)
            )));
        }
    }
    model.graph.as_mut().map_or(Ok(()), |graph| calls.graph(graph, 0))
}

impl<'m> Calls<'_, 'm> {
    /// Replaces the calls in a graph.
    fn graph(&mut self, graph: &mut Graph<'m>, depth: usize) -> Result<()> {
        let mut made = Vec::new();
        for node in std::mem::take(&mut graph.node) {
            self.node(node, depth, &mut made)?;
        }
        graph.node = made;
        Ok(())
    }

    /// Adds a node to `made`, or the nodes that replace it.
    fn node(&mut self, mut node: Node<'m>, depth: usize, made: &mut Vec<Node<'m>>) -> Result<()> {
        for attribute in &mut node.attribute {
            if let Some(graph) = &mut attribute.g {
                self.graph(graph, depth + 1)?;
            }
        }
        let key = (node.domain, node.op_type, node.overload);
        let call = self.count + 1;
        let inner = match self.functions.get(&key).copied() {
            Some(function) => {
                let own = opset(&function.opset_import);
                if own.is_some() && own != self.opset {
                    let name = shortened(function.name);
                    return Err(refused(format!("the function {name} has another opset")));
                }
                let map = Renaming::new(function, &node, call, self.budget)?;
                let inner = function.node.iter().map(|inner| map.node(inner, self.budget));
                Some(inner.collect::<Result<Vec<_>>>()?)
            }
            None if is_own(node.domain) || node.domain == "com.microsoft" => {
                quantised::nodes(&node, call)?
            }
            None => None,
        };
        let Some(inner) = inner else {
            return self.budget.push(made, node);
        };
        if depth >= MAX_DEPTH {
            return Err(refused(format!(
                "{} calls itself, or is in {depth} other functions",
                node.label()
            )));
        }
        // A quantised operator names the values of its nodes by a number each.
        self.count = call + inner.len() as u32;
        inner.into_iter().try_for_each(|inner| self.node(inner, depth + 1, made))
    }
}

/// The meaning of a function's names and attributes in one call.
struct Renaming<'c, 'm> {
    function: &'c Function<'m>,
    caller: &'c Node<'m>,
    call: u32,
    names: HashMap<&'m str, Name<'m>>,
}

impl<'c, 'm> Renaming<'c, 'm> {
    fn new(
        function: &'c Function<'m>,
        caller: &'c Node<'m>,
        call: u32,
        budget: &Budget,
    ) -> Result<Self> {
        let mut names = HashMap::new();
        for (texts, given, is_input) in
            [(&function.input, &caller.input, true), (&function.output, &caller.output, false)]
        {
            for (index, text) in texts.iter().enumerate() {
                budget.steps(1 + text.len())?;
                let name = given.get(index).copied().unwrap_or_default();
                // A result that the caller does not name is a value of the function's own.
                if is_input || !name.text.is_empty() {
                    budget.insert(&mut names, *text, name)?;
                }
            }
        }
        Ok(Self { function, caller, call, names })
    }

    fn name(&self, name: &Name<'m>) -> Name<'m> {
        match self.names.get(name.text) {
            Some(given) => *given,
            None if name.text.is_empty() => *name,
            None => Name { text: name.text, call: self.call },
        }
    }

    fn node(&self, node: &Node<'m>, budget: &Budget) -> Result<Node<'m>> {
        let lengths: usize =
            node.input.iter().chain(&node.output).map(|name| 1 + name.text.len()).sum();
        let key = node.domain.len() + node.op_type.len() + node.overload.len();
        budget.steps(1 + key + lengths)?;
        budget.bytes(size_of::<Node<'_>>() + size_of_val(node.input.as_slice()))?;
        budget.bytes(size_of_val(node.output.as_slice()))?;
        let mut made = Node {
            input: node.input.iter().map(|name| self.name(name)).collect(),
            output: node.output.iter().map(|name| self.name(name)).collect(),
            attribute: budget.list(node.attribute.len())?,
            ..*node
        };
        for attribute in &node.attribute {
            let given = match attribute.ref_attr_name {
                "" => Some(attribute),
                name => {
                    let count = self.caller.attribute.len() + self.function.attribute_proto.len();
                    budget.steps(count * (1 + name.len()))?;
                    (self.caller.attribute(name))
                        .or_else(|| self.function.attribute_proto.iter().find(|a| a.name == name))
                }
            };
            let Some(given) = given else {
                continue;
            };
            budget.bytes(given.size_bytes())?;
            made.attribute.push(Attribute {
                name: attribute.name,
                t: given.t.clone(),
                g: given
                    .g
                    .as_ref()
                    .map(|graph| self.graph(graph, budget))
                    .transpose()?
                    .map(Box::new),
                floats: given.floats.clone(),
                ints: given.ints.clone(),
                ..*given
            });
        }
        Ok(made)
    }

    /// A graph in an attribute. Its nodes may read the function's values.
    fn graph(&self, graph: &Graph<'m>, budget: &Budget) -> Result<Graph<'m>> {
        let nodes = graph.node.iter().map(|node| self.node(node, budget)).collect::<Result<_>>();
        budget.bytes(graph.initializer.iter().map(|tensor| tensor.size_bytes()).sum())?;
        budget.bytes(size_of_val(graph.output.as_slice()))?;
        Ok(Graph {
            call: self.call,
            node: nodes?,
            initializer: graph.initializer.clone(),
            input: Vec::new(),
            output: (graph.output.iter())
                .map(|output| ValueInfo { name: output.name, ..ValueInfo::default() })
                .collect(),
        })
    }
}
