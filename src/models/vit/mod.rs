//! StyleForgeTransformer: a photo becomes tokens, which get the statistics of a style picture's tokens and become pixels
//! again. `tools/any_net.py` is the same network in PyTorch, says why it is built so, and trains it.
//!
//! A style picture becomes a [`StyleCode`] once ([`Transformer::style_graph`], [`Transformer::code`]). With a code the
//! network is one like any other ([`Transformer::network`]): what the code says are weights of its norms. Knows no file
//! format and no device.

mod builder;
mod code;
mod random;
mod spec;
mod told;

use std::collections::BTreeMap;

use crate::{
    frame::Frame,
    graph::{GraphError, Op},
    network::{Network, NetworkError, NodeWeights},
    numeric::error_function,
    tensor::{Shape, Tensor},
};
use builder::Builder;

pub use code::{NetworkId, StyleCode};
pub use spec::{Head, Spec, SpecError, Stem};

/// Added to variances, of tokens and of channels.
const EPS: f64 = 1e-5;

/// The trained values of a network, by the names of its PyTorch state dict.
pub type State = BTreeMap<String, Vec<f32>>;

/// Why a picture cannot be a style, or weights are no network's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransformerError {
    /// Sizes that make no network.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A weight is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A weight has another number of values.
    #[error("{name} has {got} values; the network needs {needed}")]
    Length {
        /// Its name.
        name: String,
        /// Values that the sizes ask for.
        needed: usize,
        /// Values given.
        got: usize,
    },
    /// A code of another length, or with numbers that are none.
    #[error("a style code needs {needed} finite numbers; this one does not have them")]
    Code {
        /// Numbers that the network's norms need.
        needed: usize,
    },
    /// A code that another network made.
    #[error(
        "the style code was made by the network {made_by}, not by this one ({own}); import the picture again"
    )]
    OtherNetwork {
        /// Which made it.
        made_by: NetworkId,
        /// Which it was given to.
        own: NetworkId,
    },
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl From<GraphError> for TransformerError {
    fn from(error: GraphError) -> Self {
        Self::Network(error.into())
    }
}

/// A network for any style picture, with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    spec: Spec,
    state: State,
    id: NetworkId,
}

impl Transformer {
    /// Joins sizes and weights.
    ///
    /// # Errors
    /// [`TransformerError`] when the sizes make no network, or names the first weight that is missing or has another
    /// length.
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

    /// The same network under an id that was given to it before.
    pub fn with_id(self, id: NetworkId) -> Self {
        Self { id, ..self }
    }

    /// What tells it from others.
    pub const fn id(&self) -> NetworkId {
        self.id
    }

    /// The values of a weight by its name in the state dict.
    pub fn values(&self, name: &str) -> Option<&[f32]> {
        self.state.get(name).map(Vec::as_slice)
    }

    /// How many numbers its weights are.
    pub fn parameter_count(&self) -> usize {
        self.state.values().map(Vec::len).sum()
    }

    /// Its sizes.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The levels of a style picture as the map that [`Transformer::style_graph`] reads: red, green and blue, continued
    /// by reflection below and to the right until tokens are whole.
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

    /// From a style picture's levels, a map of red, green and blue, to its normed tokens, one pixel each.
    ///
    /// # Errors
    /// Never for checked sizes; passed on, not hidden.
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

    /// The code of a style picture whose normed tokens [`Transformer::style_graph`] makes.
    ///
    /// # Errors
    /// [`TransformerError::Code`] for tokens of other channels, none, or numbers that are none.
    pub fn code(&self, tokens: &Tensor) -> Result<StyleCode, TransformerError> {
        let dim = self.spec.dim;
        let wrong = || TransformerError::Code { needed: self.spec.code_len() };
        let pixels = tokens.shape.height * tokens.shape.width;
        if tokens.shape.channels != dim || pixels == 0 {
            return Err(wrong());
        }
        let mut statistics = vec![0.0; 2 * dim];
        for (channel, values) in tokens.data.chunks_exact(pixels).enumerate() {
            let values = || values.iter().map(|&v| f64::from(v));
            let mean = values().sum::<f64>() / pixels as f64;
            let variance = values().map(|v| (v - mean).powi(2)).sum::<f64>() / pixels as f64;
            statistics[channel] = mean;
            statistics[dim + channel] = (variance + EPS).sqrt();
        }
        let mut code = statistics.clone();
        if self.spec.modulation > 0 {
            let mean = statistics.iter().sum::<f64>() / statistics.len() as f64;
            let squares = statistics.iter().map(|v| (v - mean).powi(2));
            let deviation = (squares.sum::<f64>() / statistics.len() as f64 + EPS).sqrt();
            let normed: Vec<f64> = statistics.iter().map(|v| (v - mean) / deviation).collect();
            let mut hidden = self.linear("code_hidden", &normed);
            for value in &mut hidden {
                *value = *value * 0.5 * (1.0 + error_function(*value / std::f64::consts::SQRT_2));
            }
            code.extend(self.linear("code_norms", &hidden));
        }
        let code: Vec<f32> = code.into_iter().map(|v| v as f32).collect();
        self.code_of_values(code)
    }

    /// A code of its numbers.
    ///
    /// # Errors
    /// [`TransformerError::Code`] for another number of them, or for numbers that are none.
    pub fn code_of_values(&self, values: Vec<f32>) -> Result<StyleCode, TransformerError> {
        match self.check_code(&values) {
            true => Ok(StyleCode { made_by: self.id, values }),
            false => Err(TransformerError::Code { needed: self.spec.code_len() }),
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
        let code = code.values();
        let dim = self.spec.dim;
        let mut net = Builder::new(self, Some(&code[2 * dim..]));
        let (mut x, skip) = net.tokens(Op::Photo)?;
        for block in 0..self.spec.encoder_blocks {
            x = net.block(&format!("encoder.{block}"), x)?;
        }
        let wanted =
            NodeWeights { weight: code[dim..2 * dim].to_vec(), bias: code[..dim].to_vec() };
        x = net.instance_norm("adain", "adain", x, wanted)?;
        for block in 0..self.spec.decoder_blocks {
            x = net.block(&format!("decoder.{block}"), x)?;
        }
        x = net.layer_norm("decoder_norm", "decoder_norm", x)?;
        x = net.head(x, skip)?;
        let levels = NodeWeights { weight: vec![127.5; 3], bias: vec![127.5; 3] };
        x = net.weighted("output", "head", Op::Affine, &[x], levels)?;
        net.add("picture", "head", Op::Picture, &[x])?;
        net.finished()
    }

    fn check_code(&self, code: &[f32]) -> bool {
        code.len() == self.spec.code_len() && code.iter().all(|value| value.is_finite())
    }

    /// A linear layer in float64.
    fn linear(&self, name: &str, inputs: &[f64]) -> Vec<f64> {
        let weight = &self.state[&format!("{name}.weight")];
        let bias = &self.state[&format!("{name}.bias")];
        let rows = weight.chunks_exact(inputs.len()).zip(bias);
        rows.map(|(row, &bias)| {
            let products = row.iter().zip(inputs).map(|(&w, v)| f64::from(w) * v);
            f64::from(bias) + products.sum::<f64>()
        })
        .collect()
    }
}
