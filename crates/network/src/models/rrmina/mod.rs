//! The networks of rrmina's fast-neural-style-pytorch: Johnson's with transposed convolutions, and five others made
//! from the same parts.
//!
//! Input and output are BGR 0 to 255, the output clamped. Every convolution follows reflection padding of half its
//! kernel. Norms are instance norms, even if a file contains running statistics: the published code never switches its
//! networks to them. Widths, kernels and numbers of blocks are read from the shapes.
//!
//! Three of the networks have the same weights under the same names ([`Published::ALIKE`]). They differ in what follows
//! the last convolution, which has no weights, and in whether norms come after or before convolutions. The order of the
//! file's weights, which is that of the code, or their magnitude distinguishes them.

mod ending;
mod keys;

use crate::graph::{GraphError, Op, SizeRule};
use values::named;

use super::{
    Misfit, NamedShapes, Recognised,
    walk::{Contraction, Map, Walk, block_count},
};

pub use ending::{ended, makes_levels};
pub use keys::role_of;

/// The published networks, by the names of their classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Published {
    /// Residual blocks between two strided and two transposed convolutions. The last convolution makes the picture.
    Plain,
    /// The same, ending in tanh times 150.
    Tanh,
    /// [`Published::Plain`] with norm and ReLU before the convolutions of its residual blocks.
    V2,
    /// Residual blocks of three convolutions with fewer channels inside; also the pruned networks.
    ResNext,
    /// Blocks that concatenate new channels to their input.
    DenseNet,
    /// The same, between convolutions whose results are added again during upsampling.
    UNet,
}

impl Published {
    /// Those whose weights have the same names and shapes.
    pub const ALIKE: [Self; 3] = [Self::Plain, Self::Tanh, Self::V2];
}

named!(
    Published,
    "published network",
    Plain = "TransformerNetwork",
    Tanh = "TransformerNetworkTanh",
    V2 = "TransformerNetworkV2",
    ResNext = "TransformerResNextNetwork",
    DenseNet = "TransformerNetworkDenseNet",
    UNet = "TransformerNetworkUNetDenseNetResNet"
);

/// The network that the names and the order of the weights indicate. Ignores what may follow the last convolution.
pub fn detected(weights: &impl NamedShapes) -> Published {
    let any = |is: fn(&str) -> bool| weights.names().any(is);
    if any(|name| matches!(name.get(..3), Some("C1." | "C2." | "C3." | "D1." | "D2." | "D3."))) {
        Published::UNet
    } else if any(|name| name.starts_with("DenseBlock.")) {
        Published::DenseNet
    } else if any(|name| name.starts_with("ResidualBlock.") && name.contains(".conv3.")) {
        Published::ResNext
    } else if norms_come_first(weights) {
        Published::V2
    } else {
        Published::Plain
    }
}

/// True if in all residual blocks the norms come before their convolutions.
fn norms_come_first(weights: &impl NamedShapes) -> bool {
    let mut pairs = 0;
    for norm in weights.names() {
        let Some(layer) = norm.strip_suffix(".norm_layer.weight") else {
            continue;
        };
        if !layer.starts_with("ResidualBlock.") {
            continue;
        }
        let conv = format!("{layer}.conv_layer.weight");
        if weights.position(norm) > weights.position(&conv) {
            return false;
        }
        pairs += 1;
    }
    pairs > 0
}

/// The network that the shapes describe, without what may follow its last convolution.
///
/// # Errors
/// [`Misfit::Network`] for more blocks than this program runs.
pub fn walked(published: Published, weights: &impl NamedShapes) -> Result<Recognised, Misfit> {
    let walk = Walk::new(weights);
    let blocks = |kind, first| block_count(weights, first, |name| keys::block_number(kind, name));
    // The number 0 of a dense block is the convolution before the blocks.
    match published {
        Published::Plain | Published::Tanh | Published::V2 | Published::ResNext => {
            residual(walk, blocks("ResidualBlock", 0)?, published)
        }
        Published::DenseNet => dense_net(walk, blocks("DenseBlock", 1)?),
        Published::UNet => unet(walk, blocks("DenseBlock", 1)?),
    }
    .map_err(|error| Misfit::Network(error.into()))
}

/// Position of a convolution's norm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Norm {
    After,
    /// With a ReLU between them.
    Before,
}

/// A convolution of stride 1 in a module of this name.
const fn conv(name: &str) -> Contraction<'_> {
    Contraction::new(name, "conv_layer")
}

/// A convolution and its norm.
fn with_norm(
    walk: &mut Walk<'_, impl NamedShapes>,
    norm: Norm,
    conv: Contraction<'_>,
    mut x: Map,
) -> Result<Map, GraphError> {
    let name = conv.layer;
    let module = format!("{name}.norm_layer");
    if norm == Norm::After {
        x = walk.conv(conv, x)?;
        return walk.norm(&module, name, x);
    }
    x = walk.norm(&module, name, x)?;
    x = walk.relu(name, x)?;
    walk.conv(conv, x)
}

/// The three convolutions from the photo to maps of a quarter of its sides.
fn encoder(
    walk: &mut Walk<'_, impl NamedShapes>,
    names: [&str; 3],
    has_bias: bool,
    mut x: Map,
) -> Result<[Map; 3], GraphError> {
    let mut maps = [x; 3];
    for ((name, stride_px), map) in names.into_iter().zip([1, 2, 2]).zip(&mut maps) {
        x = with_norm(walk, Norm::After, Contraction { stride_px, has_bias, ..conv(name) }, x)?;
        x = walk.relu(name, x)?;
        *map = x;
    }
    Ok(maps)
}

const ENCODER: [&str; 3] = ["ConvBlock.0", "ConvBlock.2", "ConvBlock.4"];

/// The transposed convolutions back to the photo's size, and the last convolution.
fn decoder<W: NamedShapes>(mut walk: Walk<'_, W>, mut x: Map) -> Result<Recognised, GraphError> {
    for name in ["DeconvBlock.0", "DeconvBlock.2"] {
        let conv = Contraction {
            stride_px: 2,
            is_transposed: true,
            ..Contraction::new(name, "conv_transpose")
        };
        x = with_norm(&mut walk, Norm::After, conv, x)?;
        x = walk.relu(name, x)?;
    }
    x = walk.conv(Contraction { makes: Some(3), ..conv(ending::LAST) }, x)?;
    walk.picture(ending::LAST, x)
}

/// The networks with residual blocks.
fn residual(
    mut walk: Walk<'_, impl NamedShapes>,
    blocks: usize,
    published: Published,
) -> Result<Recognised, GraphError> {
    let photo = walk.photo(ENCODER[0])?;
    let [.., mut x] = encoder(&mut walk, ENCODER, true, photo)?;
    let (norm, convs) = match published {
        Published::V2 => (Norm::Before, 2),
        Published::ResNext => (Norm::After, 3),
        _ => (Norm::After, 2),
    };
    for block in 0..blocks {
        let mut y = x;
        for number in 1..=convs {
            let name = format!("ResidualBlock.{block}.conv{number}");
            let is_last = number == convs;
            let conv = Contraction { makes: is_last.then_some(x.channels()), ..conv(&name) };
            y = with_norm(&mut walk, norm, conv, y)?;
            y = match (is_last, norm) {
                (true, _) => walk.sum(&name, "add", y, x)?,
                (false, Norm::After) => walk.relu(&name, y)?,
                (false, _) => y,
            };
        }
        x = y;
    }
    decoder(walk, x)
}

/// A convolution, followed by blocks that each concatenate their channels to their input. `makes` is the required
/// number of channels at the end, if any.
fn dense_block(
    walk: &mut Walk<'_, impl NamedShapes>,
    blocks: usize,
    makes: Option<usize>,
    x: Map,
) -> Result<Map, GraphError> {
    let mut x = with_norm(walk, Norm::Before, conv("DenseBlock.0"), x)?;
    for block in 1..=blocks {
        let [narrow, wide] = ["conv1", "conv3"].map(|conv| format!("DenseBlock.{block}.{conv}"));
        // The last block must complete the required number of channels.
        let left =
            makes.filter(|_| block == blocks).map(|makes| makes.saturating_sub(x.channels()));
        let mut y = x;
        for (name, makes) in [(&narrow, None), (&wide, left)] {
            let conv = Contraction { has_bias: false, makes, ..conv(name) };
            y = with_norm(walk, Norm::Before, conv, y)?;
        }
        x = walk.concat(&wide, x, y)?;
    }
    Ok(x)
}

fn dense_net(
    mut walk: Walk<'_, impl NamedShapes>,
    blocks: usize,
) -> Result<Recognised, GraphError> {
    let photo = walk.photo(ENCODER[0])?;
    let [.., x] = encoder(&mut walk, ENCODER, false, photo)?;
    let x = dense_block(&mut walk, blocks, None, x)?;
    decoder(walk, x)
}

fn unet(mut walk: Walk<'_, impl NamedShapes>, blocks: usize) -> Result<Recognised, GraphError> {
    let photo = walk.photo("C1")?;
    // With sides that are multiples of 4, upsampled maps are as large as the maps added to them.
    let photo = walk.then("C1", "size", Op::Sized(SizeRule::MultipleOf(4)), photo)?;
    let [full, half, quarter] = encoder(&mut walk, ["C1", "C2", "C3"], false, photo)?;
    let mut x = dense_block(&mut walk, blocks, Some(quarter.channels()), quarter)?;
    x = walk.sum("DenseBlock", "add", x, quarter)?;
    x = walk.relu("DenseBlock", x)?;
    for (name, same) in [("D1", half), ("D2", full)] {
        x = walk.then(name, "upsample", Op::Upsample, x)?;
        let makes = Some(same.channels());
        x = walk.conv(Contraction { makes, ..Contraction::new(name, "conv2d") }, x)?;
        x = walk.sum(name, "add", x, same)?;
        x = walk.relu(name, x)?;
    }
    x = walk.conv(Contraction { makes: Some(3), has_bias: false, ..conv("D3") }, x)?;
    walk.picture("D3", x)
}
