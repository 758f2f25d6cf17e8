//! StyleForgeTransformer, the style transformer. It converts a photo to tokens, gives them the statistics of a style
//! picture's tokens, and converts them back to pixels. `tools/any_net.py` is the same network in PyTorch, explains its
//! design, and trains it.
//!
//! A style picture is converted to a [`StyleCode`] once ([`Transformer::style_graph`], [`Transformer::code`]). With a
//! code, the network is like any other ([`Transformer::network`]): the code determines weights of its norms. This
//! module knows no file format and no device.

mod builder;
mod code;
mod from_shapes;
mod random;
mod spec;

use crate::{
    Network, NetworkError, NodeWeights,
    graph::{GraphError, Op},
};
use builder::Builder;
use values::{
    frame::Frame,
    numeric::error_function,
    tensor::{Shape, Tensor},
};

pub use super::State;
pub use code::{NetworkId, StyleCode};
pub use spec::{Head, Spec, SpecError, Stem};

/// Added to variances, of tokens and of channels.
const EPS: f64 = 1e-5;

/// Why a picture cannot be used as a style, or why weights form no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransformerError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("{0} is missing")]
    Missing(String),
    /// A weight has the wrong number of values.
    #[error("{name} has {got} values; the network needs {needed}")]
    Length { name: String, needed: usize, got: usize },
    /// A code of the wrong length, or with values that are not finite.
    #[error("a style code needs {needed} finite numbers; this one does not have them")]
    Code {
        /// Number of values that the network's norms need.
        needed: usize,
    },
    /// A code that another network made.
    #[error(
        "the style code was made by the network {made_by}, not by this one ({own}); import the picture again"
    )]
    OtherNetwork {
        made_by: NetworkId,
        /// The network that got the code.
        own: NetworkId,
    },
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl From<GraphError> for TransformerError {
    fn from(error: GraphError) -> Self {
        Self::Network(error.into())
    }
}

/// A style transformer with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    spec: Spec,
    state: State,
    id: NetworkId,
}

impl Transformer {
    /// Combines sizes and weights.
    ///
    /// # Errors
    /// [`TransformerError`] if the sizes are not valid. Otherwise it names the first weight that is missing or has the
    /// wrong length.
    pub fn new(spec: Spec, state: State) -> Result<Self, TransformerError> {
        spec.check()?;
        for (name, shape) in spec.weights() {
            let values =
                (state.get(&name)).ok_or_else(|| TransformerError::Missing(name.clone()))?;
            let (needed, got) = (shape.iter().product(), values.len());
            if needed != got {
                return Err(TransformerError::Length { name, needed, got });
            }
        }
        let values = state.values().flatten().map(|value| value.to_bits());
        let id = NetworkId::of(spec.numbers().into_iter().chain(values));
        Ok(Self { spec, state, id })
    }

    /// The same network under an id that it was assigned earlier.
    pub fn with_id(self, id: NetworkId) -> Self {
        Self { id, ..self }
    }

    pub const fn id(&self) -> NetworkId {
        self.id
    }

    /// The values of a weight, by its name in the state dict.
    pub fn values(&self, name: &str) -> Option<&[f32]> {
        self.state.get(name).map(Vec::as_slice)
    }

    /// Number of values in its weights.
    pub fn parameter_count(&self) -> usize {
        self.state.values().map(Vec::len).sum()
    }

    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The levels of a style picture as the map that [`Transformer::style_graph`] reads: red, green and blue. The
    /// picture is extended below and to the right by reflection to a whole number of tokens.
    pub fn style_map(&self, picture: &Frame) -> Tensor {
        let whole = |side: usize| side.next_multiple_of(self.spec.stride);
        let (width, height) = (whole(picture.width()), whole(picture.height()));
        let extended = picture.extended(width, height);
        let mut map = Tensor::zeros(Shape::new(3, height, width));
        for (channel, plane) in map.data.chunks_exact_mut(width * height).enumerate() {
            for (value, pixel) in plane.iter_mut().zip(extended.rgba().chunks_exact(4)) {
                *value = f32::from(pixel[channel]);
            }
        }
        map
    }

    /// The graph from a style picture's levels, a map of red, green and blue, to its normalized tokens, one pixel each.
    ///
    /// # Errors
    /// Does not fail for checked sizes.
    pub fn style_graph(&self) -> Result<Network, TransformerError> {
        let mut net = Builder::new(self, None);
        let (mut x, _) = net.tokens(Op::Input { channels: 3 })?;
        let (name, blocks) = match self.spec.style_blocks {
            0 => ("encoder", self.spec.encoder_blocks),
            blocks => ("style_encoder", blocks),
        };
        for block in 0..blocks {
            x = net.block(&format!("{name}.{block}"), x)?;
        }
        net.layer_norm("style_norm", "style_norm", x)?;
        net.finished()
    }

    /// The code of a style picture from its normalized tokens, the result of [`Transformer::style_graph`].
    ///
    /// # Errors
    /// [`TransformerError::Code`] if there are no tokens, or their channels are wrong or their values not finite.
    pub fn code(&self, tokens: &Tensor) -> Result<StyleCode, TransformerError> {
        let dim = self.spec.dim;
        let pixels = tokens.shape.height * tokens.shape.width;
        if tokens.shape.channels != dim || pixels == 0 {
            return Err(TransformerError::Code { needed: self.spec.code_len() });
        }
        let mut statistics = vec![0.0; 2 * dim];
        for (channel, values) in tokens.data.chunks_exact(pixels).enumerate() {
            let values: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            (statistics[channel], statistics[dim + channel]) = moments(&values);
        }
        let mut code = statistics.clone();
        if self.spec.modulation > 0 {
            let (mean, deviation) = moments(&statistics);
            let normed: Vec<f64> = statistics.iter().map(|v| (v - mean) / deviation).collect();
            let mut hidden = self.linear("code_hidden", &normed);
            for value in &mut hidden {
                *value = *value * 0.5 * (1.0 + error_function(*value / std::f64::consts::SQRT_2));
            }
            code.extend(self.linear("code_norms", &hidden));
        }
        self.code_of_values(code.into_iter().map(|v| v as f32).collect())
    }

    /// The code with these values.
    ///
    /// # Errors
    /// [`TransformerError::Code`] if their number is wrong or they are not finite.
    pub fn code_of_values(&self, values: Vec<f32>) -> Result<StyleCode, TransformerError> {
        if values.len() == self.spec.code_len() && values.iter().all(|value| value.is_finite()) {
            Ok(StyleCode { made_by: self.id, values })
        } else {
            Err(TransformerError::Code { needed: self.spec.code_len() })
        }
    }

    /// The network that paints photos in the style of a code.
    ///
    /// # Errors
    /// [`TransformerError::OtherNetwork`] for a code of another network.
    pub fn network(&self, code: &StyleCode) -> Result<Network, TransformerError> {
        if code.made_by != self.id {
            return Err(TransformerError::OtherNetwork { made_by: code.made_by, own: self.id });
        }
        let code = &code.values;
        let dim = self.spec.dim;
        let mut net = Builder::new(self, Some(&code[2 * dim..]));
        let (mut x, skip) = net.tokens(Op::Photo)?;
        for block in 0..self.spec.encoder_blocks {
            x = net.block(&format!("encoder.{block}"), x)?;
        }
        let wanted =
            NodeWeights { weight: code[dim..2 * dim].to_vec(), bias: code[..dim].to_vec() };
        x = net.instance_norm("adain", x, wanted)?;
        for block in 0..self.spec.decoder_blocks {
            x = net.block(&format!("decoder.{block}"), x)?;
        }
        x = net.layer_norm("decoder_norm", "decoder_norm", x)?;
        x = net.head(x, skip)?;
        let levels = NodeWeights::repeated(3, 127.5, 127.5);
        x = net.weighted("output", "head", Op::Affine, &[x], levels)?;
        net.graph.add("picture", "head", Op::Picture, &[x])?;
        net.finished()
    }

    /// A linear layer in float64.
    fn linear(&self, name: &str, inputs: &[f64]) -> Vec<f64> {
        let weight = &self.state[&format!("{name}.weight")];
        let bias = &self.state[&format!("{name}.bias")];
        (weight.chunks_exact(inputs.len()).zip(bias))
            .map(|(row, &bias)| {
                let products = row.iter().zip(inputs).map(|(&w, v)| f64::from(w) * v);
                f64::from(bias) + products.sum::<f64>()
            })
            .collect()
    }
}

/// The mean of some values and their standard deviation, with [`EPS`] added to the variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    (mean, (variance + EPS).sqrt())
}
