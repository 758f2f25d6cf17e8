//! StyleForgeTransformer: a photo becomes tokens, which get the statistics of a style picture's tokens and become pixels
//! again. `tools/any_net.py` is the same network in PyTorch, says why it is built so, and trains it.
//!
//! A style picture becomes a [`StyleCode`] once ([`Transformer::style_graph`], [`Transformer::code`]). With a code the
//! network is one like any other ([`Transformer::network`]): what the code says are weights of its norms. Knows no file
//! format and no device.

mod spec;

use std::collections::BTreeMap;

use crate::{
    frame::Frame,
    graph::{BlockOrder, Conv, Function, Graph, GraphError, NodeId, Op, SizeRule},
    network::{Network, NetworkError, NodeWeights, Weights},
    tensor::{Shape, Tensor},
};

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
    #[error("{name} has {got} values, the network needs {needed}")]
    Length {
        /// Its name.
        name: String,
        /// Values that the sizes ask for.
        needed: usize,
        /// Values given.
        got: usize,
    },
    /// A code of another length, or with numbers that are none.
    #[error("a style code has {needed} finite numbers, this one does not")]
    Code {
        /// Numbers that the network's norms need.
        needed: usize,
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

/// What a style picture becomes: means and standard deviations of its tokens, then scales and offsets of every norm
/// that the code steers, in the network's order. Codes of one network mix by weights.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleCode(Vec<f32>);

impl StyleCode {
    /// The mean of codes by weights, which need not add up to one; `None` where there is none, lengths differ, or no
    /// weight is above zero.
    pub fn mixed(parts: &[(&Self, f64)]) -> Option<Self> {
        let (first, _) = parts.first()?;
        let total: f64 = parts.iter().map(|(_, weight)| weight.max(0.0)).sum();
        let is_alike = parts.iter().all(|(code, _)| code.0.len() == first.0.len());
        if !is_alike || !total.is_finite() || total <= 0.0 {
            return None;
        }
        let mut sums = vec![0.0f64; first.0.len()];
        for (code, weight) in parts {
            for (sum, &value) in sums.iter_mut().zip(&code.0) {
                *sum += f64::from(value) * weight.max(0.0) / total;
            }
        }
        Some(Self(sums.iter().map(|&sum| sum as f32).collect()))
    }

    /// Its numbers.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

/// A network for any style picture, with its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    spec: Spec,
    state: State,
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
        Ok(Self { spec, state })
    }

    /// Its sizes.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The levels of a style picture as the map that [`Transformer::style_graph`] reads: red, green and blue, continued
    /// by reflection below and to the right until tokens are whole.
    pub fn style_map(&self, picture: &Frame) -> Tensor {
        let stride = self.spec.stride;
        let [height, width] = [picture.height(), picture.width()];
        let shape = Shape::new(
            3,
            height.next_multiple_of(stride),
            width.next_multiple_of(stride),
        );
        let mirrored = |at: usize, side: usize| {
            let period = (2 * (side - 1)).max(1);
            let place = at % period;
            if place < side { place } else { period - place }
        };
        let mut map = Tensor::zeros(shape);
        let mut values = map.data.iter_mut();
        for channel in 0..3 {
            for y in 0..shape.height {
                for x in 0..shape.width {
                    let pixel = picture.pixel(mirrored(x, width), mirrored(y, height));
                    if let Some(value) = values.next() {
                        *value = f32::from(pixel[channel]);
                    }
                }
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
        let wrong = || TransformerError::Code {
            needed: self.spec.code_len(),
        };
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
            true => Ok(StyleCode(values)),
            false => Err(TransformerError::Code {
                needed: self.spec.code_len(),
            }),
        }
    }

    /// The network that paints photos in the style of a code.
    ///
    /// # Errors
    /// [`TransformerError::Code`] for a code of another network.
    pub fn network(&self, code: &StyleCode) -> Result<Network, TransformerError> {
        if !self.check_code(&code.0) {
            return Err(TransformerError::Code {
                needed: self.spec.code_len(),
            });
        }
        let dim = self.spec.dim;
        let mut net = Builder::new(self, Some(&code.0[2 * dim..]));
        let (mut x, skip) = net.tokens(Op::Photo)?;
        for block in 0..self.spec.encoder_blocks {
            x = net.block(&format!("encoder.{block}"), x)?;
        }
        let wanted = NodeWeights {
            weight: code.0[dim..2 * dim].to_vec(),
            bias: code.0[..dim].to_vec(),
        };
        x = net.instance_norm("adain", "adain", x, wanted)?;
        for block in 0..self.spec.decoder_blocks {
            x = net.block(&format!("decoder.{block}"), x)?;
        }
        x = net.layer_norm("decoder_norm", "decoder_norm", x)?;
        x = net.head(x, skip)?;
        let levels = NodeWeights {
            weight: vec![127.5; 3],
            bias: vec![127.5; 3],
        };
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

/// The error function by its series, or from where it is one; Abramowitz and Stegun, 7.1.6.
fn error_function(x: f64) -> f64 {
    let a = x.abs();
    if a > 6.0 {
        return 1f64.copysign(x);
    }
    let (mut term, mut sum, mut n) = (a, a, 1.0);
    while term > 1e-17 * sum {
        term *= 2.0 * a * a / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    (std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp() * sum).copysign(x)
}

/// A graph and its weights while they are made.
struct Builder<'a> {
    of: &'a Transformer,
    /// Scales and offsets of the norms that are still to come; `None` for a graph in which no code is used.
    code: Option<&'a [f32]>,
    graph: Graph,
    weights: Vec<(String, NodeWeights)>,
}

impl<'a> Builder<'a> {
    fn new(of: &'a Transformer, code: Option<&'a [f32]>) -> Self {
        Self {
            of,
            code: code.filter(|_| of.spec.modulation > 0),
            graph: Graph::default(),
            weights: Vec::new(),
        }
    }

    fn finished(self) -> Result<Network, TransformerError> {
        let weights: Weights = self.weights.into_iter().collect();
        Ok(Network::new(self.graph, weights)?)
    }

    fn add(
        &mut self,
        name: &str,
        layer: &str,
        op: Op,
        inputs: &[NodeId],
    ) -> Result<NodeId, GraphError> {
        self.graph.add(name, layer, op, inputs)
    }

    fn weighted(
        &mut self,
        name: &str,
        layer: &str,
        op: Op,
        inputs: &[NodeId],
        weights: NodeWeights,
    ) -> Result<NodeId, GraphError> {
        self.weights.push((name.to_owned(), weights));
        self.add(name, layer, op, inputs)
    }

    /// The trained values of a name; biases of `outputs` zeros where it has none.
    fn stored(&self, name: &str, outputs: usize) -> NodeWeights {
        let values = |part: &str| self.of.state.get(&format!("{name}.{part}")).cloned();
        NodeWeights {
            weight: values("weight").unwrap_or_default(),
            bias: values("bias").unwrap_or_else(|| vec![0.0; outputs]),
        }
    }

    /// A convolution behind reflection that keeps the size, but for its stride.
    fn conv(
        &mut self,
        name: &str,
        x: NodeId,
        (from, to): (usize, usize),
        kernel_px: usize,
        stride_px: usize,
    ) -> Result<NodeId, GraphError> {
        let padded = match kernel_px / 2 {
            0 => x,
            px => self.add(&format!("{name}.pad"), name, Op::reflect(px), &[x])?,
        };
        let op = Op::Conv2d(Conv::square(from, to, kernel_px, stride_px));
        let weights = self.stored(name, to);
        self.weighted(name, name, op, &[padded], weights)
    }

    /// What is done to every token alike.
    fn linear(
        &mut self,
        name: &str,
        x: NodeId,
        channels: (usize, usize),
    ) -> Result<NodeId, GraphError> {
        self.conv(name, x, channels, 1, 1)
    }

    /// Scale and offset of the next norm: the code's, or the trained ones of its name.
    fn norm_values(&mut self, name: &str, channels: usize, is_steered: bool) -> NodeWeights {
        let Some(code) = self.code.filter(|_| is_steered) else {
            return self.stored(name, channels);
        };
        let (own, rest) = code.split_at(2 * channels);
        self.code = Some(rest);
        let (scales, offsets) = own.split_at(channels);
        NodeWeights {
            weight: scales.iter().map(|scale| 1.0 + scale).collect(),
            bias: offsets.to_vec(),
        }
    }

    fn layer_norm(&mut self, name: &str, layer: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let is_steered = name.starts_with("decoder");
        let values = self.norm_values(name, self.of.spec.dim, is_steered);
        self.weighted(name, layer, Op::LayerNorm { eps: EPS }, &[x], values)
    }

    fn instance_norm(
        &mut self,
        name: &str,
        layer: &str,
        x: NodeId,
        values: NodeWeights,
    ) -> Result<NodeId, GraphError> {
        let statistics = self.add(
            &format!("{name}.statistics"),
            layer,
            Op::InstanceStatistics,
            &[x],
        )?;
        let norm = Op::InstanceNorm { eps: EPS };
        self.weighted(name, layer, norm, &[x, statistics], values)
    }

    /// The picture's tokens, one pixel each, and the map that the head gets besides.
    fn tokens(&mut self, picture: Op) -> Result<(NodeId, Option<NodeId>), GraphError> {
        let spec = &self.of.spec;
        let mut x = self.add("photo", "stem", picture, &[])?;
        x = self.add(
            "size",
            "stem",
            Op::Sized(SizeRule::MultipleOf(spec.stride)),
            &[x],
        )?;
        let centred = NodeWeights {
            weight: vec![1.0 / 127.5; 3],
            bias: vec![-1.0; 3],
        };
        x = self.weighted("input", "stem", Op::Affine, &[x], centred)?;
        let mut kept = None;
        match &spec.stem {
            Stem::Patches => {
                let op = Op::Conv2d(Conv::square(3, spec.dim, spec.stride, spec.stride));
                let weights = self.stored("stem.patches", spec.dim);
                x = self.weighted("stem.patches", "stem", op, &[x], weights)?;
            }
            Stem::Convolutions(widths) => {
                let mut from = 3;
                for (number, &to) in widths.iter().chain([&spec.dim]).enumerate() {
                    let name = format!("stem.layers.{number}.conv");
                    let (kernel_px, stride_px) = if number == 0 { (9, 1) } else { (3, 2) };
                    x = self.conv(&name, x, (from, to), kernel_px, stride_px)?;
                    if number < widths.len() {
                        x = self.add(&format!("{name}.relu"), &name, Op::Relu, &[x])?;
                    }
                    kept = kept.or((spec.skip() == 1 << number).then_some(x));
                    from = to;
                }
            }
        }
        if spec.has_positions {
            x = self.add("positions", "stem", Op::Positions, &[x])?;
        }
        Ok((x, kept))
    }

    /// `x + attention(norm(x))`, then `x + ffn(norm(x))`.
    fn block(&mut self, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let Spec {
            dim, heads, ffn, ..
        } = self.of.spec;
        let (attention, feed) = (format!("{name}.attention"), format!("{name}.ffn"));
        let normed = self.layer_norm(&format!("{name}.norm1"), &attention, x)?;
        let all = self.linear(&format!("{attention}.qkv"), normed, (dim, 3 * dim))?;
        let mut parts = [all; 3];
        for (part, what) in ["queries", "keys", "values"].iter().enumerate() {
            let slice = Op::Channels {
                first: part * dim,
                count: dim,
            };
            parts[part] = self.add(&format!("{attention}.{what}"), &attention, slice, &[all])?;
        }
        let mixed = self.add(&attention, &attention, Op::Attention { heads }, &parts)?;
        let made = self.linear(&format!("{attention}.out"), mixed, (dim, dim))?;
        let x = self.add(&format!("{attention}.add"), &attention, Op::Add, &[made, x])?;
        let normed = self.layer_norm(&format!("{name}.norm2"), &feed, x)?;
        let wide = self.linear(&format!("{name}.up"), normed, (dim, ffn))?;
        let bent = self.add(
            &format!("{feed}.gelu"),
            &feed,
            Op::Function(Function::Gelu),
            &[wide],
        )?;
        let made = self.linear(&format!("{name}.down"), bent, (ffn, dim))?;
        self.add(&format!("{feed}.add"), &feed, Op::Add, &[made, x])
    }

    /// A norm of the head: over the map, or only its scale and offset.
    fn head_norm(&mut self, name: &str, x: NodeId, channels: usize) -> Result<NodeId, GraphError> {
        let values = self.norm_values(name, channels, true);
        match self.of.spec.head {
            Head::Convolutions {
                is_normed: true, ..
            } => self.instance_norm(name, name, x, values),
            _ => self.weighted(name, name, Op::Affine, &[x], values),
        }
    }

    /// Tokens to values of -1 to 1.
    fn head(&mut self, mut x: NodeId, skip: Option<NodeId>) -> Result<NodeId, GraphError> {
        let spec = &self.of.spec;
        let Head::Convolutions {
            widths,
            residuals,
            skip: skip_px,
            ..
        } = &spec.head
        else {
            let pixels =
                self.linear("head.pixels", x, (spec.dim, 3 * spec.stride * spec.stride))?;
            let op = Op::DepthToSpace {
                block: spec.stride,
                order: BlockOrder::ChannelFirst,
            };
            return self.add("head.unpatch", "head", op, &[pixels]);
        };
        let (mut from, mut stride) = (spec.dim, spec.stride);
        let mut blocks = 0;
        for (number, &to) in widths.iter().enumerate() {
            stride /= 2;
            let name = format!("head.ups.{number}.conv");
            x = self.add(&format!("{name}.upsample"), &name, Op::Upsample, &[x])?;
            x = self.conv(&name, x, (from, to), 3, 1)?;
            if let Some(kept) = skip.filter(|_| stride == *skip_px) {
                let channels = spec.stem_width(*skip_px);
                let kept = self.linear("head.skip", kept, (channels, to))?;
                x = self.add("head.skip.add", &name, Op::Add, &[x, kept])?;
            }
            let norm = format!("head.norms.{number}");
            x = self.head_norm(&norm, x, to)?;
            x = self.add(&format!("{norm}.relu"), &name, Op::Relu, &[x])?;
            for _ in 0..if stride == 4 { *residuals } else { 0 } {
                let mut y = x;
                for half in 0..2 {
                    y = self.conv(&format!("head.blocks.{blocks}.conv"), y, (to, to), 3, 1)?;
                    let norm = format!("head.block_norms.{blocks}");
                    y = self.head_norm(&norm, y, to)?;
                    if half == 0 {
                        y = self.add(&format!("{norm}.relu"), &norm, Op::Relu, &[y])?;
                    }
                    blocks += 1;
                }
                x = self.add(
                    &format!("head.blocks.{blocks}.add"),
                    "head",
                    Op::Add,
                    &[x, y],
                )?;
            }
            from = to;
        }
        self.conv("head.out.conv", x, (from, 3), 9, 1)
    }
}
