//! The networks that this program knows: each a builder of its graph and the names of its weights.
//!
//! Nothing else knows a model by name but the reader that asks which model a file's weights belong to.

pub mod johnson;

use crate::{
    mode::ModelSize,
    network::{Network, NetworkError},
};
use johnson::{Kernels, NetworkSpec};

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
