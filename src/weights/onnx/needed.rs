//! The nodes that a graph's result depends on.

use std::collections::HashMap;

use super::{
    Budget, WeightsError,
    messages::{Graph, Node},
};

/// The nodes that the value `result` depends on, in the file's order.
pub(super) fn nodes<'m>(
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
    let mut is_needed = budget.list(graph.node.len())?;
    is_needed.resize(graph.node.len(), false);
    let mut open: Vec<usize> = Vec::new();
    open.extend(makers.get(result));
    while let Some(index) = open.pop() {
        if std::mem::replace(&mut is_needed[index], true) {
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
    for (node, is_needed) in graph.node.iter().zip(is_needed) {
        if is_needed {
            budget.push(&mut nodes, node)?;
        }
    }
    Ok(nodes)
}
