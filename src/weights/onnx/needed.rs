//! What a graph's result depends on: the picture, and the nodes between.

use std::collections::HashMap;

use super::{
    Budget, Result,
    messages::{Graph, Name, Node, ValueInfo},
    refused,
};

/// The nodes that the value `result` depends on, in the file's order.
pub fn nodes<'m>(
    graph: &'m Graph<'_>,
    result: Name<'_>,
    budget: &Budget,
) -> Result<Vec<&'m Node<'m>>> {
    let mut makers: HashMap<Name<'_>, usize> = HashMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for name in &node.output {
            budget.insert(&mut makers, *name, index)?;
        }
    }
    let mut is_needed = budget.list(graph.node.len())?;
    is_needed.resize(graph.node.len(), false);
    let mut open: Vec<usize> = Vec::new();
    open.extend(makers.get(&result));
    while let Some(index) = open.pop() {
        if std::mem::replace(&mut is_needed[index], true) {
            continue;
        }
        graph.node[index].each(&mut |node| {
            budget.steps(node.input.len())?;
            let makers = node.input.iter().filter_map(|name| makers.get(name));
            makers.copied().try_for_each(|maker| budget.push(&mut open, maker))
        })?;
    }
    let mut nodes = Vec::new();
    for (node, is_needed) in graph.node.iter().zip(is_needed) {
        if is_needed {
            budget.push(&mut nodes, node)?;
        }
    }
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
