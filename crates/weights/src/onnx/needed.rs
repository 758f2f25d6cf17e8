//! What a graph's result depends on: the picture, and the nodes between.

use std::collections::HashMap;

use super::{
    Budget, Result,
    messages::{Graph, Name, Node, ValueInfo},
    refused,
};

/// The nodes that the value `result` depends on, in the file's order. Nodes come after those that they depend on, so one
/// pass from the last node to the first finds all.
pub fn nodes<'m>(
    graph: &'m Graph<'_>,
    result: Name<'m>,
    budget: &Budget,
) -> Result<Vec<&'m Node<'m>>> {
    let mut needed = HashMap::from([(result, ())]);
    let mut nodes = Vec::new();
    for node in graph.node.iter().rev() {
        budget.steps(node.output.len())?;
        if node.output.iter().any(|name| needed.contains_key(name)) {
            node.each(&mut |inner| {
                inner
                    .input
                    .iter()
                    .try_for_each(|name| budget.insert(&mut needed, *name, ()).map(drop))
            })?;
            budget.push(&mut nodes, node)?;
        }
    }
    nodes.reverse();
    Ok(nodes)
}

/// The graph's only input. Before IR version 4 the weights are listed among the inputs as well.
pub fn the_picture<'g, 'm>(graph: &'g Graph<'m>, budget: &Budget) -> Result<&'g ValueInfo<'m>> {
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
        return Err(refused(format!("it has {} inputs; a style needs one", inputs.len())));
    };
    Ok(picture)
}
