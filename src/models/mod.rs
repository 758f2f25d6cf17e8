//! The networks that this program knows: each a builder of its graph and the names of its weights.
//!
//! A model finds itself in what a file holds: by the names and shapes of its weights ([`missing`], [`graph`]), or in
//! a graph by its structure ([`find`]). Readers ask here and know no model. Knows no file format.

pub mod johnson;
pub mod vit;

use crate::{
    graph::{Graph, Node, NodeId, Op},
    mode::ModelSize,
    network::{Network, NetworkError},
};
use johnson::{Kernels, NetworkSpec};

/// Who names weights so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The fast neural style example of PyTorch.
    PytorchExamples,
    /// StyleForge's own names.
    StyleForge,
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
    johnson::keys::role_of(key)
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
    /// Sizes that this program does not run.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// The published names of what the model lacks to which a file's weights belong.
///
/// # Errors
/// [`Misfit`] when what is there cannot belong together, whatever is added.
pub fn missing(weights: &impl NamedShapes) -> Result<Vec<String>, Misfit> {
    johnson::checkpoint::missing(weights)
}

/// The graph of the model whose weights these are.
///
/// # Errors
/// [`Misfit`] names the first weight that does not fit.
pub fn graph(weights: &impl NamedShapes) -> Result<Graph, Misfit> {
    Ok(johnson::checkpoint::spec(weights)?.graph()?)
}

/// What stands at a node of a graph in which a model looks for itself. Such a graph may come from a file and hold
/// more than a [`Graph`] can: other operations, and sizes that are not run.
#[derive(Clone, Copy, Debug)]
pub struct Found<'g> {
    /// The operation; `None` for one that no graph of this program holds.
    pub op: Option<Op>,
    /// The nodes that it reads.
    pub inputs: &'g [NodeId],
    /// What it is called where the graph comes from.
    pub name: &'g str,
}

/// A node that has trained values, and the published name of these, behind which `.weight` and `.bias` stand.
pub type Trained = (NodeId, String);

/// Where a graph differs from a model first, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Difference(pub String);

/// Names the trained nodes of the graph that makes its picture at `output`, whose nodes are seen through `at`.
///
/// # Errors
/// [`Difference`] when it is no model's that this program knows.
pub fn find<'g>(
    output: NodeId,
    at: impl Fn(NodeId) -> Found<'g>,
) -> Result<Vec<Trained>, Difference> {
    johnson::structure::find(output, at)
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

/// The network of the styles that are shipped in this size, with random weights that are the same every
/// time; for measuring.
///
/// # Errors
/// As [`NetworkSpec::random`].
pub fn random(size: ModelSize) -> Result<Network, NetworkError> {
    NetworkSpec::with_widths(size.widths()).random(1)
}

/// Random networks of shapes that are hard on kernels, each with what reports call it; for checks.
///
/// # Errors
/// [`NetworkError`] never happens for the shapes written here; it is passed on, not hidden.
pub fn adversarial() -> Result<Vec<(&'static str, Network)>, NetworkError> {
    let spec = |widths, blocks, kernels| NetworkSpec {
        widths,
        blocks,
        kernels,
    };
    let usual = Kernels::default();
    let large = Kernels {
        first: 5,
        down: [5, 3],
        residual: 5,
        up: [3, 5],
        last: 7,
    };
    let small = Kernels {
        first: 3,
        down: [3, 1],
        residual: 1,
        up: [1, 3],
        last: 1,
    };
    [
        ("random 8-16-32", spec([8, 16, 32], 2, usual)),
        ("random 32-64-128", spec([32, 64, 128], 2, usual)),
        ("random 5-7-13", spec([5, 7, 13], 1, usual)),
        (
            "random 12-20-36, large kernels",
            spec([12, 20, 36], 1, large),
        ),
        ("random 9-8-17, small kernels", spec([9, 8, 17], 3, small)),
    ]
    .into_iter()
    .zip(1..)
    .map(|((name, spec), seed)| Ok((name, spec.random(seed)?)))
    .collect()
}
