//! The networks that this program knows. Each has a builder of its graph and the names of its weights.
//!
//! A model is recognised in a file by the names and shapes of its weights ([`Model::recognise`]), or in a graph by what
//! the graph computes ([`find`]). Readers call this module and know no model. This module knows no file format.

pub mod johnson;
mod key;
pub mod rrmina;
pub mod vit;
mod walk;
mod yakhyo;

use std::collections::{BTreeMap, HashSet};

use crate::{
    Network, NetworkError, NodeWeights,
    graph::{Graph, Node, WeightShape},
};
use johnson::{Form, Kernels, NetworkSpec};
pub use johnson::{PUBLISHED_BLOCKS, keys::module};
pub use key::unwrapped;
use rrmina::Published;
use values::mode::ModelSize;

/// The code base that names weights in this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The fast neural style example of PyTorch.
    PytorchExamples,
    /// StyleForge's own names.
    StyleForge,
    /// The names in which yakhyo's implementation differs from the example.
    Yakhyo,
    Rrmina,
}

/// The meaning of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// A weight: its published name, and the spelling of the key.
    Weight(String, Spelling),
    /// Running statistics of a norm, which no network uses.
    Stale,
    Unknown,
}

/// The meaning of a file's key, in any spelling.
pub fn role_of(key: &str) -> Role {
    [johnson::keys::role_of, yakhyo::role_of, rrmina::role_of]
        .into_iter()
        .map(|role_of| role_of(key))
        .find(|role| *role != Role::Unknown)
        .unwrap_or(Role::Unknown)
}

pub fn is_weight(key: &str) -> bool {
    matches!(role_of(key), Role::Weight(..))
}

/// The names and shapes of a node's weight and, if it has any, of its biases. `module` is what both names begin with.
pub fn named_shapes(
    module: String,
    WeightShape { weight, bias }: WeightShape,
) -> impl Iterator<Item = (String, Vec<usize>)> {
    std::iter::once((format!("{module}.weight"), weight))
        .chain((bias > 0).then(|| (format!("{module}.bias"), vec![bias])))
}

/// The values of weights, by their names in a file.
pub type State = BTreeMap<String, Vec<f32>>;

/// The weights of a file by their published names.
pub trait NamedShapes {
    /// All names, in any order.
    fn names(&self) -> impl Iterator<Item = &str>;
    /// The shape of the weight of this name; `None` if the file does not contain it.
    fn shape(&self, name: &str) -> Option<&[usize]>;
    /// Index of the weight among the file's tensors.
    fn position(&self, name: &str) -> Option<usize>;
}

/// Why weights do not fit a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A part between others is missing.
    #[error("{0}")]
    Gap(String),
    /// A weight is missing. Contains its published name.
    #[error("{0} is missing")]
    Missing(String),
    /// A weight has a shape that the model does not have.
    #[error("{name} needs the shape {needed}")]
    Shape {
        /// Its published name.
        name: String,
        /// The shape that fits, as text.
        needed: String,
    },
    /// The file contains another network than the user chose.
    #[error("the file contains {found}, not {asked}")]
    Other {
        /// The chosen network.
        asked: &'static str,
        /// The network in the file.
        found: &'static str,
    },
    /// Sizes that this program does not run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// The models that are recognised by the names of their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Johnson's TransformerNet, with the names of pytorch/examples or StyleForge's own.
    Johnson,
    Yakhyo,
    Rrmina,
}

impl Model {
    /// The model to which most of these keys belong, and their spelling; `None` if they belong to no known model.
    pub fn of<'k>(keys: impl Iterator<Item = &'k str>) -> Option<(Self, Spelling)> {
        let (mut counts, mut last) = ([0; 4], 0);
        for key in keys {
            if let Role::Weight(name, spelling) = role_of(key) {
                counts[spelling as usize] += 1;
                // yakhyo's other names are those of the example.
                last += usize::from(name.starts_with("deconv"));
            }
        }
        let [example, ours, yakhyo, rrmina] = counts;
        if rrmina > example + ours + yakhyo {
            Some((Self::Rrmina, Spelling::Rrmina))
        } else if yakhyo > last {
            Some((Self::Yakhyo, Spelling::Yakhyo))
        } else if ours > 0 {
            Some((Self::Johnson, Spelling::StyleForge))
        } else {
            (example > 0).then_some((Self::Johnson, Spelling::PytorchExamples))
        }
    }

    /// The names that the model needs, and the graph that the file's shapes describe. `said` is the network that the
    /// user chose.
    ///
    /// # Errors
    /// [`Misfit`] if the weights cannot belong together, even with further ones, or are not those of the chosen
    /// network.
    pub fn recognise(
        self,
        weights: &impl NamedShapes,
        said: Option<Published>,
    ) -> Result<Recognised, Misfit> {
        let other = |found| Err(Misfit::Other { asked: said.map_or("", Published::name), found });
        Ok(match self {
            Self::Johnson | Self::Yakhyo if said.is_some() => {
                return other("a network for which --network is not needed");
            }
            Self::Johnson | Self::Yakhyo => {
                let form = if self == Self::Yakhyo { yakhyo::FORM } else { Form::JOHNSON };
                let blocks = johnson::checkpoint::block_count(weights)?;
                let spec = johnson::checkpoint::spec(weights, &form);
                let (graph, misfit) = match spec.and_then(|spec| Ok(spec.graph_of(&form)?)) {
                    Ok(graph) => (graph, None),
                    // The weights of any other shape have the same names.
                    Err(misfit) => {
                        let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths([1; 3]) };
                        (spec.graph_of(&form)?, Some(misfit))
                    }
                };
                Recognised { module, misfit, ..Recognised::any(graph) }
            }
            Self::Rrmina => {
                let detected = rrmina::detected(weights);
                let are_alike = |network| Published::ALIKE.contains(&network);
                let published = match said {
                    Some(said) if said == detected || are_alike(said) && are_alike(detected) => {
                        said
                    }
                    Some(_) => return other(detected.name()),
                    None => detected,
                };
                Recognised { published: Some(published), ..rrmina::walked(published, weights)? }
            }
        })
    }
}

/// A model's network in a file.
#[derive(Debug)]
pub struct Recognised {
    /// The graph that the shapes describe. If they do not fit, another one whose weights have the same names.
    graph: Graph,
    /// The first weight that is missing or does not fit.
    pub misfit: Option<Misfit>,
    /// Which of rrmina's networks it is, if it is one. Their input and output are BGR.
    pub published: Option<Published>,
    /// The published name of a node's weights, without `.weight` and `.bias`.
    module: fn(&Node) -> String,
    /// Nodes without biases in the file.
    unbiased: HashSet<String>,
}

impl Recognised {
    /// Any network, whose weights are named after its nodes.
    pub fn any(graph: Graph) -> Self {
        Self {
            graph,
            misfit: None,
            published: None,
            module: |node| node.name.clone(),
            unbiased: HashSet::new(),
        }
    }

    /// The published names and the shapes of all weights, in layer order.
    pub fn weights(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        self.graph.weight_shapes().flat_map(|(node, shape)| {
            let bias = if self.unbiased.contains(&node.name) { 0 } else { shape.bias };
            named_shapes((self.module)(node), WeightShape { bias, ..shape })
        })
    }

    /// The network with these values, by the published names of the weights. Biases that are not among them are zero.
    ///
    /// # Errors
    /// [`NetworkError`] if they are not those of [`Recognised::weights`].
    pub fn network(&self, mut values: State) -> Result<Network, NetworkError> {
        let weights = self.graph.weight_shapes().map(|(node, shape)| {
            let module = (self.module)(node);
            let mut take = |part: &str| values.remove(&format!("{module}.{part}"));
            let weight = take("weight").unwrap_or_default();
            let bias = take("bias").unwrap_or_else(|| vec![0.0; shape.bias]);
            (node.name.clone(), NodeWeights { weight, bias })
        });
        Network::new(self.graph.clone(), weights.collect())
    }

    /// Completes a network: adds what follows its last layer and has no weights. Also returns which of rrmina's
    /// networks it is: the one that the user chose, otherwise the one that the magnitude of its weights indicates.
    ///
    /// # Errors
    /// [`NetworkError`]; does not occur for the graph of a valid network.
    pub fn finished(
        &self,
        network: Network,
        said: Option<Published>,
    ) -> Result<(Network, Option<Published>), NetworkError> {
        let published = match (self.published, said) {
            (Some(Published::Plain), None) if !rrmina::makes_levels(&network) => {
                Some(Published::Tanh)
            }
            (published, _) => published,
        };
        match published {
            Some(Published::Tanh) => Ok((rrmina::ended(&network)?, published)),
            _ => Ok((network, published)),
        }
    }
}

/// The result of [`find`].
#[derive(Debug)]
pub enum FoundNetwork {
    /// A model's network, with that model's own graph.
    Model(Network),
    /// Another network, unchanged.
    Other(Network),
}

/// Looks for a model in what a network computes, whatever its nodes are called.
///
/// # Errors
/// [`NetworkError`]; does not occur for a model's network.
pub fn find(network: Network) -> Result<FoundNetwork, NetworkError> {
    let Some((graph, places)) = johnson::structure::find(network.graph()) else {
        return Ok(FoundNetwork::Other(network));
    };
    let (found, mut weights) = network.into_parts();
    let own = graph.nodes().iter().zip(places).map(|(node, place)| {
        (node.name.clone(), std::mem::take(weights.of_mut(&found.nodes()[place].name)))
    });
    let own = own.filter(|(_, own)| !own.weight.is_empty()).collect();
    Network::new(graph, own).map(FoundNetwork::Model)
}

pub fn is_known(graph: &Graph) -> bool {
    NetworkSpec::recognise(graph).is_some()
}

/// The style size that this network has, or the nearest one.
pub fn size(graph: &Graph) -> ModelSize {
    NetworkSpec::recognise(graph)
        .map_or_else(ModelSize::default, |spec| ModelSize::of_widths(spec.widths))
}

/// The network of the bundled styles of this size, with `blocks` residual blocks and random weights with a fixed seed,
/// for benchmarks.
///
/// # Errors
/// As [`NetworkSpec::random`].
pub fn random(size: ModelSize, blocks: usize) -> Result<Network, NetworkError> {
    NetworkSpec { blocks, ..NetworkSpec::with_widths(size.widths()) }.random(1)
}

/// Random networks of shapes that are difficult for kernels, each with its name in reports; for checks.
///
/// # Errors
/// [`NetworkError`]; does not occur for these shapes.
pub fn adversarial() -> Result<Vec<(&'static str, Network)>, NetworkError> {
    let spec = |widths, blocks, kernels| (NetworkSpec { widths, blocks, kernels }, 0);
    let margin = |(spec, _), px| (spec, px);
    let usual = Kernels::default();
    let large = Kernels { first: 5, down: [5, 3], residual: 5, up: [3, 5], last: 7 };
    let small = Kernels { first: 3, down: [3, 1], residual: 1, up: [1, 3], last: 1 };
    [
        ("random 8-16-32", spec([8, 16, 32], 2, usual)),
        ("random 32-64-128, margin 8", margin(spec([32, 64, 128], 2, usual), 8)),
        ("random 5-7-13", spec([5, 7, 13], 1, usual)),
        ("random 12-20-36, large kernels, margin 2", margin(spec([12, 20, 36], 1, large), 2)),
        ("random 9-8-17, margin 9, small kernels", margin(spec([9, 8, 17], 3, small), 9)),
    ]
    .into_iter()
    .zip(1..)
    .map(|((name, (spec, px)), seed)| Ok((name, spec.random(seed)?.with_margin(px))))
    .collect()
}
