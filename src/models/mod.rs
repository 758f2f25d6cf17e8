//! The networks that this program knows: each a builder of its graph and the names of its weights.
//!
//! A model finds itself in what a file holds: by the names and shapes of its weights ([`Model::recognise`]), or in
//! a graph by what that computes ([`find`]). Readers ask here and know no model. Knows no file format.

pub mod johnson;
mod key;
pub mod rrmina;
pub mod vit;
mod walk;
mod yakhyo;

use std::collections::HashSet;

use crate::{
    graph::{Graph, Node},
    mode::ModelSize,
    network::{Network, NetworkError},
};
pub use johnson::PUBLISHED_BLOCKS;
use johnson::{Kernels, NetworkSpec};
use rrmina::Published;

/// Who names weights so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The fast neural style example of PyTorch.
    PytorchExamples,
    /// StyleForge's own names.
    StyleForge,
    /// yakhyo's implementation, where it differs from the example.
    Yakhyo,
    /// rrmina's implementation.
    Rrmina,
}

/// What a key stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// A weight, by its published name, and who spells it so.
    Weight(String, Spelling),
    /// Running statistics of a norm, which no network uses.
    Stale,
    /// Nothing known.
    Unknown,
}

/// What a key of a file stands for, in any spelling.
pub fn role_of(key: &str) -> Role {
    [johnson::keys::role_of, yakhyo::role_of, rrmina::role_of]
        .into_iter()
        .map(|role_of| role_of(key))
        .find(|role| *role != Role::Unknown)
        .unwrap_or(Role::Unknown)
}

/// Whether a key names a weight in any spelling.
pub fn is_weight(key: &str) -> bool {
    matches!(role_of(key), Role::Weight(..))
}

/// The published name of a node's weights, behind which `.weight` and `.bias` stand.
pub fn module(node: &Node) -> String {
    johnson::keys::module(node)
}

/// The weights of a file by their published names.
pub trait NamedShapes {
    /// All names, in any order.
    fn names(&self) -> impl Iterator<Item = &str>;
    /// The sides of the weight of this name; `None` where the file has none.
    fn shape(&self, name: &str) -> Option<&[usize]>;
    /// How many tensors the file has in front of the weight of this name.
    fn position(&self, name: &str) -> Option<usize>;
}

/// Why weights are not a model's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A part is left out between others.
    #[error("{0}")]
    Gap(String),
    /// A weight is missing: its published name.
    #[error("{0} is missing")]
    Missing(String),
    /// A weight has a shape that the model does not have.
    #[error("{name} needs the shape {needed}")]
    Shape {
        /// Its published name.
        name: String,
        /// The shape that fits, in words.
        needed: String,
    },
    /// A file of another network than was said.
    #[error("the file contains {found}, not {asked}")]
    Other {
        /// What it was said to be.
        asked: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Sizes that this program does not run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// The models whose files are told by the names of their weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Johnson's TransformerNet, in the names of pytorch/examples or in StyleForge's own.
    Johnson,
    /// yakhyo's network.
    Yakhyo,
    /// rrmina's networks.
    Rrmina,
}

impl Model {
    /// The model to which most of these keys belong, and who spells them so; `None` for keys of something else.
    pub fn of<'k>(keys: impl Iterator<Item = &'k str>) -> Option<(Self, Spelling)> {
        let (mut example, mut ours, mut yakhyo, mut last, mut rrmina) = (0, 0, 0, 0, 0);
        for key in keys {
            match role_of(key) {
                Role::Weight(_, Spelling::Rrmina) => rrmina += 1,
                Role::Weight(_, Spelling::Yakhyo) => yakhyo += 1,
                Role::Weight(name, spelling) => {
                    // yakhyo's other names are those of the example.
                    last += usize::from(name.starts_with("deconv"));
                    match spelling {
                        Spelling::StyleForge => ours += 1,
                        _ => example += 1,
                    }
                }
                Role::Stale | Role::Unknown => {}
            }
        }
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

    /// What the model needs of a file, and the graph that the file's shapes describe; `said` is what a person says of
    /// it.
    ///
    /// # Errors
    /// [`Misfit`] when what is there cannot belong together, whatever is added, or is not what was said.
    pub fn recognise(
        self,
        weights: &impl NamedShapes,
        said: Option<Published>,
    ) -> Result<Recognised, Misfit> {
        let other = |found| {
            let asked = said.map_or("", Published::name);
            Err(Misfit::Other { asked, found })
        };
        let walked = match self {
            Self::Johnson | Self::Yakhyo if said.is_some() => {
                return other("a network for which --network is not needed");
            }
            Self::Johnson => {
                let blocks = johnson::checkpoint::block_count(weights)?.max(1);
                walk::Walked {
                    names: johnson::keys::of_network(blocks),
                    graph: johnson::checkpoint::spec(weights).and_then(|spec| Ok(spec.graph()?)),
                    unbiased: Vec::new(),
                }
            }
            Self::Yakhyo => yakhyo::walked(weights)?,
            Self::Rrmina => {
                let told = rrmina::told(weights);
                let are_alike = |network| Published::ALIKE.contains(&network);
                let published = match said {
                    Some(said) if said == told || are_alike(said) && are_alike(told) => said,
                    Some(_) => return other(told.name()),
                    None => told,
                };
                let walked = rrmina::walked(published, weights)?;
                return Ok(Recognised::new(self, walked, Some(published)));
            }
        };
        Ok(Recognised::new(self, walked, None))
    }
}

/// A model's network in a file.
#[derive(Debug)]
pub struct Recognised {
    /// The published names of all weights, in layer order.
    pub names: Vec<String>,
    /// The graph that the shapes describe, or the first weight that stands in its way.
    pub graph: Result<Graph, Misfit>,
    /// Whether it reads and makes blue before green and red.
    pub is_blue_first: bool,
    /// Which of rrmina's networks it is, of theirs.
    pub published: Option<Published>,
    model: Model,
    unbiased: HashSet<String>,
}

impl Recognised {
    fn new(model: Model, walked: walk::Walked, published: Option<Published>) -> Self {
        Self {
            names: walked.names,
            graph: walked.graph,
            is_blue_first: model == Model::Rrmina,
            published,
            model,
            unbiased: walked.unbiased.into_iter().collect(),
        }
    }

    /// The published names of a node's weight and of its bias, where the file has one; the biases of others are zero.
    pub fn weight_names(&self, node: &Node) -> (String, Option<String>) {
        let module = match self.model {
            Model::Johnson => module(node),
            Model::Yakhyo | Model::Rrmina => node.name.clone(),
        };
        let bias = (!self.unbiased.contains(&node.name)).then(|| format!("{module}.bias"));
        (format!("{module}.weight"), bias)
    }

    /// The network with what follows its last layer and has no weights, and which of rrmina's it is: what a person
    /// says, else what the size of its weights tells.
    ///
    /// # Errors
    /// [`NetworkError`] never for the graph of a network; passed on, not hidden.
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

/// What [`find`] makes of a network.
#[derive(Debug)]
pub enum Found {
    /// A model's network, in that model's own graph.
    Model(Network),
    /// Another network, as it was.
    Other(Network),
}

/// Looks for a model in what a network computes, whatever its nodes are called.
///
/// # Errors
/// [`NetworkError`] never for a network that is a model's; passed on, not hidden.
pub fn find(network: Network) -> Result<Found, NetworkError> {
    let Some((graph, places)) = johnson::structure::find(network.graph()) else {
        return Ok(Found::Other(network));
    };
    let (found, mut weights) = network.into_parts();
    let own = graph.nodes().iter().zip(places).map(|(node, place)| {
        (node.name.clone(), std::mem::take(weights.of_mut(&found.nodes()[place].name)))
    });
    let own = own.filter(|(_, own)| !own.weight.is_empty()).collect();
    Network::new(graph, own).map(Found::Model)
}

/// Whether a graph is that of a model.
pub fn is_known(graph: &Graph) -> bool {
    NetworkSpec::recognise(graph).is_some()
}

/// The size of style in which this network is shipped, or that it comes nearest to.
pub fn size(graph: &Graph) -> ModelSize {
    let spec = NetworkSpec::recognise(graph);
    spec.map_or_else(ModelSize::default, |spec| ModelSize::of_widths(spec.widths))
}

/// The network of the styles that are shipped in this size, with so many residual blocks and random weights that are
/// the same every time; for measuring.
///
/// # Errors
/// As [`NetworkSpec::random`].
pub fn random(size: ModelSize, blocks: usize) -> Result<Network, NetworkError> {
    let spec = NetworkSpec::with_widths(size.widths());
    NetworkSpec { blocks, ..spec }.random(1)
}

/// Random networks of shapes that are hard on kernels, each with what reports call it; for checks.
///
/// # Errors
/// [`NetworkError`] never happens for the shapes written here; it is passed on, not hidden.
pub fn adversarial() -> Result<Vec<(&'static str, Network)>, NetworkError> {
    let spec = |widths, blocks, kernels| NetworkSpec { widths, blocks, kernels };
    let usual = Kernels::default();
    let large = Kernels { first: 5, down: [5, 3], residual: 5, up: [3, 5], last: 7 };
    let small = Kernels { first: 3, down: [3, 1], residual: 1, up: [1, 3], last: 1 };
    [
        ("random 8-16-32", spec([8, 16, 32], 2, usual)),
        ("random 32-64-128", spec([32, 64, 128], 2, usual)),
        ("random 5-7-13", spec([5, 7, 13], 1, usual)),
        ("random 12-20-36, large kernels", spec([12, 20, 36], 1, large)),
        ("random 9-8-17, small kernels", spec([9, 8, 17], 3, small)),
    ]
    .into_iter()
    .zip(1..)
    .map(|((name, spec), seed)| Ok((name, spec.random(seed)?)))
    .collect()
}
