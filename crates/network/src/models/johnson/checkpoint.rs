//! Recognises the network by the names and shapes of its weights. Widths, depth and kernels are read from the shapes
//! and never assumed.

use std::collections::HashSet;

use crate::models::{Misfit, NamedShapes, walk};

use super::{Form, MAX_CHANNELS, MAX_KERNEL_PX, NetworkSpec, keys};

/// The network of this form that the shapes describe.
///
/// # Errors
/// [`Misfit`] names the first weight that is missing or whose shape no such network has.
pub fn spec(weights: &impl NamedShapes, form: &Form) -> Result<NetworkSpec, Misfit> {
    // Output channels and kernel side of one convolution.
    let conv = |layer: &str| -> Result<(usize, usize), Misfit> {
        let name = format!("{}.weight", keys::conv_module(form.own_name(layer)));
        match weights.shape(&name) {
            Some(&[out, _, height, width])
                if (1..=MAX_CHANNELS).contains(&out)
                    && height == width
                    && height % 2 == 1
                    && height <= MAX_KERNEL_PX =>
            {
                Ok((out, height))
            }
            Some(_) => Err(Misfit::Shape {
                name,
                needed: format!(
                    "[out, in, side, side] with 1 to {MAX_CHANNELS} channels and an odd side of at most {MAX_KERNEL_PX}"
                ),
            }),
            None => Err(Misfit::Missing(name)),
        }
    };
    NetworkSpec::of_convs(block_count(weights)?, conv)
}

/// The number of residual blocks, at least one. They must be numbered without gaps.
///
/// # Errors
/// [`Misfit::Gap`] if one is missing, [`Misfit::Network`] if there are too many.
pub fn block_count(weights: &impl NamedShapes) -> Result<usize, Misfit> {
    let blocks = walk::block_count(weights, 1, keys::block_number)?;
    let present: HashSet<usize> = weights.names().filter_map(keys::block_number).collect();
    match (1..blocks).find(|block| !present.contains(block)) {
        Some(missing) => Err(Misfit::Gap(format!(
            "the residual block res{missing} is missing, but res{blocks} exists"
        ))),
        None => Ok(blocks),
    }
}
