//! The networks that this program knows: each a builder of its graph and the names of its weights.
//!
//! Nothing else knows a model by name but the reader that asks which model a file's weights belong to.

pub mod johnson;

use crate::{
    graph::{NodeId, Op},
    mode::ModelSize,
    network::{Network, NetworkError},
};
use johnson::{Kernels, NetworkSpec};

/// What stands at a node of a graph in which a model looks for itself. Such a graph may come from a file and hold
/// more than a [`Graph`](crate::graph::Graph) can: other operations, and sizes that are not run.
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
