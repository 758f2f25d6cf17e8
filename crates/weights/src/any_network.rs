//! Picture networks that belong to no known model, in this program's own files: safetensors with the graph in the
//! metadata.

use std::collections::BTreeMap;

use super::{
    Budget, Family, Result, WeightsError,
    error::shortened,
    fit::{Fitted, NamedTensors, Places, filled},
};
use network::{
    Network, NodeWeights,
    graph::{Graph, Node},
    models::{self, Recognised, Role, Spelling},
};

/// The metadata key of the graph.
pub const GRAPH_KEY: &str = "styleforge.graph";
/// Memory that reading takes per byte of a graph's text: names, lists of inputs, and a node per forty bytes of text or
/// more.
const BYTES_PER_BYTE: usize = 12;
/// Maximum number of operations of a network.
pub const MAX_NODES: usize = 1 << 14;

/// A network's graph as text; `None` for a known model, which its weights' names identify.
pub fn graph_text(network: &Network) -> Result<Option<String>, serde_json::Error> {
    if models::is_known(network.graph()) {
        return Ok(None);
    }
    serde_json::to_string(network.graph()).map(Some)
}

/// The name of a node's weights in a file, without `.weight` and `.bias`: the published one for a known model.
pub fn weight_module(node: &Node, is_known: bool) -> String {
    if is_known { models::module(node) } else { node.name.clone() }
}

/// Every weight and bias with its name in a file and its shape.
pub fn named_weights(network: &Network, is_known: bool) -> Vec<(String, Vec<usize>, &[f32])> {
    (network.graph().weight_shapes())
        .flat_map(|(node, shape)| {
            let NodeWeights { weight, bias } = network.weights().of(&node.name);
            models::named_shapes(weight_module(node, is_known), shape)
                .zip([weight, bias])
                .map(|((name, shape), values)| (name, shape, values.as_slice()))
        })
        .collect()
}

fn broken(problem: impl ToString) -> WeightsError {
    WeightsError::Graph(shortened(&problem.to_string()))
}

/// The network of a graph's text. `tensors` are its weights, named after its nodes.
///
/// # Errors
/// [`WeightsError`] names the node or the weight, and what is wrong with it.
pub fn read(text: &str, tensors: &NamedTensors<'_>, budget: &Budget) -> Result<Fitted> {
    budget.steps(text.len())?;
    budget.bytes(text.len().saturating_mul(BYTES_PER_BYTE))?;
    let nodes: Vec<Node> = serde_json::from_str(text).map_err(broken)?;
    if nodes.len() > MAX_NODES {
        return Err(broken(format!("it has more than {MAX_NODES} operations")));
    }
    let graph = Graph::try_from(nodes).map_err(broken)?;
    graph.check_is_picture_network().map_err(broken)?;
    // Keys are names of weights.
    let role_of = |key: &str| Role::Weight(key.to_owned(), Spelling::StyleForge);
    let places = Places::of(tensors, role_of, budget)?;
    let (network, storage) = filled(&Recognised::any(graph), &places, budget)?;
    let (family, facts) = (Family::PictureNetwork, BTreeMap::new());
    Ok(Fitted { family, network, storage, facts, code: None })
}
