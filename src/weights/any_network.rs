//! Picture networks that belong to no known model, in this program's own files: safetensors with the graph in the
//! metadata.

use std::collections::{BTreeMap, HashMap};

use super::{
    Budget, Family, Result, StorageType, WeightsError,
    error::{KeyList, shortened},
    fit::{Fitted, NamedTensors, check_shape, finite_values, float_type, missing},
};
use crate::{
    graph::{Graph, Node},
    models,
    network::{Network, NodeWeights, Weights},
};

/// The metadata key of the graph.
pub const GRAPH_KEY: &str = "styleforge.graph";
/// Memory that reading takes per byte of a graph's text: names, lists of inputs, and a node per forty bytes of text or
/// more.
const BYTES_PER_BYTE: usize = 8;
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
    let mut all = Vec::new();
    for (node, shape) in network.graph().weight_shapes() {
        let module = weight_module(node, is_known);
        let own = network.weights().of(&node.name);
        all.push((format!("{module}.weight"), shape.weight, own.weight.as_slice()));
        if shape.bias > 0 {
            all.push((format!("{module}.bias"), vec![shape.bias], own.bias.as_slice()));
        }
    }
    all
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
    let mut places = HashMap::new();
    for (key, tensor) in tensors {
        budget.insert_once(&mut places, key, tensor)?;
    }
    let mut storage = StorageType::F16;
    let mut weights = Vec::new();
    for (node, shape) in graph.weight_shapes() {
        let mut values = |part: &str, needed: &[usize]| {
            let key = format!("{}.{part}", node.name);
            let Some(tensor) = places.remove(key.as_str()) else {
                return Err(missing([key.as_str()]));
            };
            check_shape(&key, tensor, needed)?;
            storage = storage.max(float_type(&key, tensor)?);
            finite_values(&key, tensor, budget)
        };
        let own = NodeWeights {
            weight: values("weight", &shape.weight)?,
            bias: if shape.bias == 0 { Vec::new() } else { values("bias", &[shape.bias])? },
        };
        budget.push(&mut weights, (node.name.clone(), own))?;
    }
    if !places.is_empty() {
        return Err(WeightsError::Keys {
            missing: KeyList::default(),
            unexpected: places.keys().copied().collect(),
        });
    }
    let weights: Weights = weights.into_iter().collect();
    Ok(Fitted {
        family: Family::PictureNetwork,
        network: Network::new(graph, weights)?,
        storage,
        facts: BTreeMap::new(),
        code: None,
    })
}
