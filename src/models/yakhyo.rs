//! The network of yakhyo's fast-neural-style-transfer: Johnson's, except that its residual blocks add their input
//! twice.
//!
//! Input and output are RGB 0 to 255, the output clamped. Every convolution follows reflection padding of half its
//! kernel. Its state dicts name the last three convolutions `upsample_conv1` to `upsample_conv3`. An older version of
//! the same code, with `deconv1` to `deconv3`, adds the input once and is Johnson's network.

use crate::graph::{GraphError, Op};

use super::{
    Misfit, NamedShapes, Role, Spelling,
    johnson::keys::block_number,
    key::unwrapped,
    walk::{Contraction, Map, Walk, Walked, block_count},
};

/// Reads a key that Johnson's network does not know.
pub(super) fn role_of(key: &str) -> Role {
    let name = unwrapped(key).unwrap_or_default();
    let is_weight = ["upsample_conv1", "upsample_conv2", "upsample_conv3"]
        .iter()
        .filter_map(|layer| name.strip_prefix(layer))
        .any(|rest| matches!(rest, ".conv2d.weight" | ".conv2d.bias"));
    if is_weight { Role::Weight(name.to_owned(), Spelling::Yakhyo) } else { Role::Unknown }
}

/// The network that the shapes describe.
///
/// # Errors
/// [`Misfit::Network`] for more residual blocks than this program runs.
pub(super) fn walked(weights: &impl NamedShapes) -> Result<Walked, Misfit> {
    let blocks = block_count(weights, 1, block_number)?;
    built(Walk::new(weights), blocks).map_err(|error| Misfit::Network(error.into()))
}

fn built(mut walk: Walk<'_, impl NamedShapes>, blocks: usize) -> Result<Walked, GraphError> {
    let mut x = walk.photo("conv1")?;
    for (layer, norm, stride_px) in [("conv1", "in1", 1), ("conv2", "in2", 2), ("conv3", "in3", 2)]
    {
        x = conv_norm(&mut walk, layer, norm, stride_px, None, x)?;
        x = walk.relu(layer, x)?;
    }
    let channels = Some(x.channels());
    for block in 1..=blocks {
        let [first, second] = [1, 2].map(|half| format!("res{block}.conv{half}"));
        let [norm1, norm2] = [1, 2].map(|half| format!("res{block}.in{half}"));
        let mut y = conv_norm(&mut walk, &first, &norm1, 1, None, x)?;
        y = walk.relu(&first, y)?;
        y = conv_norm(&mut walk, &second, &norm2, 1, channels, y)?;
        y = walk.sum(&second, "add", y, x)?;
        x = walk.sum(&second, "add_again", y, x)?;
    }
    for (layer, norm) in [("upsample_conv1", "in4"), ("upsample_conv2", "in5")] {
        x = walk.then(layer, "upsample", Op::Upsample, x)?;
        x = conv_norm(&mut walk, layer, norm, 1, None, x)?;
        x = walk.relu(layer, x)?;
    }
    let last = "upsample_conv3";
    let conv = Contraction { makes: Some(3), ..Contraction::new(last, "conv2d") };
    x = walk.conv(conv, x)?;
    walk.picture(last, x)
}

fn conv_norm(
    walk: &mut Walk<'_, impl NamedShapes>,
    layer: &str,
    norm: &str,
    stride_px: usize,
    makes: Option<usize>,
    x: Map,
) -> Result<Map, GraphError> {
    let conv = Contraction { stride_px, makes, ..Contraction::new(layer, "conv2d") };
    let x = walk.conv(conv, x)?;
    walk.norm(norm, layer, x)
}
