//! Builds the graphs of the style transformer, node by node.

use crate::{
    Network, NodeWeights, Weights,
    graph::{BlockOrder, Conv, Function, Graph, GraphError, NodeId, Op, SizeRule},
};

use super::{
    EPS, Head, Spec, Stem, Transformer, TransformerError,
    spec::{HeadNorm, Positions},
};

/// A graph and its weights while they are built.
pub struct Builder<'a> {
    of: &'a Transformer,
    /// Scales and offsets of the remaining norms; `None` if the graph uses no code.
    code: Option<&'a [f32]>,
    pub graph: Graph,
    weights: Weights,
}

impl<'a> Builder<'a> {
    pub fn new(of: &'a Transformer, code: Option<&'a [f32]>) -> Self {
        Self {
            of,
            code: code.filter(|_| of.spec.modulation > 0),
            graph: Graph::default(),
            weights: Weights::default(),
        }
    }

    pub fn finished(self) -> Result<Network, TransformerError> {
        Ok(Network::new(self.graph, self.weights)?)
    }

    pub fn weighted(
        &mut self,
        name: &str,
        layer: &str,
        op: Op,
        inputs: &[NodeId],
        weights: NodeWeights,
    ) -> Result<NodeId, GraphError> {
        *self.weights.of_mut(name) = weights;
        self.graph.add(name, layer, op, inputs)
    }

    /// The trained weights of a name. If it has no biases, they are `outputs` zeros.
    fn stored(&self, name: &str, outputs: usize) -> NodeWeights {
        let values = |part: &str| self.of.state.get(&format!("{name}.{part}")).cloned();
        NodeWeights {
            weight: values("weight").unwrap_or_default(),
            bias: values("bias").unwrap_or_else(|| vec![0.0; outputs]),
        }
    }

    /// A convolution after reflection padding that keeps the size, apart from the stride.
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
            px => self.graph.then(name, "pad", Op::reflect(px), &[x])?,
        };
        let op = Op::Conv2d(Conv::square(from, to, kernel_px, stride_px));
        self.weighted(name, name, op, &[padded], self.stored(name, to))
    }

    /// The same linear layer for every token.
    fn linear(
        &mut self,
        name: &str,
        x: NodeId,
        channels: (usize, usize),
    ) -> Result<NodeId, GraphError> {
        self.conv(name, x, channels, 1, 1)
    }

    /// Scale and offset of the next norm: from the code, or the trained ones of its name.
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

    pub fn layer_norm(&mut self, name: &str, layer: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let values = self.norm_values(name, self.of.spec.dim, name.starts_with("decoder"));
        self.weighted(name, layer, Op::LayerNorm { eps: EPS }, &[x], values)
    }

    pub fn instance_norm(
        &mut self,
        name: &str,
        x: NodeId,
        values: NodeWeights,
    ) -> Result<NodeId, GraphError> {
        *self.weights.of_mut(name) = values;
        self.graph.instance_norm(name, name, EPS, x)
    }

    /// The picture's tokens, one pixel each, and the map that the head also gets.
    pub fn tokens(&mut self, picture: Op) -> Result<(NodeId, Option<NodeId>), GraphError> {
        let spec = &self.of.spec;
        let mut x = self.graph.add("photo", "stem", picture, &[])?;
        x = self.graph.add("size", "stem", Op::Sized(SizeRule::MultipleOf(spec.stride)), &[x])?;
        let centred = NodeWeights::repeated(3, 1.0 / 127.5, -1.0);
        x = self.weighted("input", "stem", Op::Affine, &[x], centred)?;
        let mut kept = None;
        match &spec.stem {
            Stem::Patches => {
                let op = Op::Conv2d(Conv::square(3, spec.dim, spec.stride, spec.stride));
                let name = "stem.patches";
                x = self.weighted(name, "stem", op, &[x], self.stored(name, spec.dim))?;
            }
            Stem::Convolutions { widths } => {
                let mut from = 3;
                for (number, &to) in widths.iter().chain([&spec.dim]).enumerate() {
                    let name = format!("stem.layers.{number}.conv");
                    let (kernel_px, stride_px) = if number == 0 { (9, 1) } else { (3, 2) };
                    x = self.conv(&name, x, (from, to), kernel_px, stride_px)?;
                    if number < widths.len() {
                        x = self.graph.then(&name, "relu", Op::Relu, &[x])?;
                    }
                    kept = kept.or((spec.skip() == 1 << number).then_some(x));
                    from = to;
                }
            }
        }
        if spec.positions == Positions::Sinusoidal {
            x = self.graph.add("positions", "stem", Op::Positions, &[x])?;
        }
        Ok((x, kept))
    }

    /// `x + attention(norm(x))`, then `x + ffn(norm(x))`.
    pub fn block(&mut self, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let Spec { dim, heads, ffn, .. } = self.of.spec;
        let (attention, feed) = (format!("{name}.attention"), format!("{name}.ffn"));
        let normed = self.layer_norm(&format!("{name}.norm1"), &attention, x)?;
        let all = self.linear(&format!("{attention}.qkv"), normed, (dim, 3 * dim))?;
        let mut parts = [all; 3];
        for (part, what) in ["queries", "keys", "values"].iter().enumerate() {
            let slice = Op::Channels { first: part * dim, count: dim };
            parts[part] = self.graph.then(&attention, what, slice, &[all])?;
        }
        let mixed = self.graph.add(&attention, &attention, Op::Attention { heads }, &parts)?;
        let made = self.linear(&format!("{attention}.out"), mixed, (dim, dim))?;
        let x = self.graph.then(&attention, "add", Op::Add, &[made, x])?;
        let normed = self.layer_norm(&format!("{name}.norm2"), &feed, x)?;
        let wide = self.linear(&format!("{name}.up"), normed, (dim, ffn))?;
        let bent = self.graph.then(&feed, "gelu", Op::Function(Function::Gelu), &[wide])?;
        let made = self.linear(&format!("{name}.down"), bent, (ffn, dim))?;
        self.graph.then(&feed, "add", Op::Add, &[made, x])
    }

    /// A norm of the head: an instance norm, or only its scale and offset.
    fn head_norm(&mut self, name: &str, x: NodeId, channels: usize) -> Result<NodeId, GraphError> {
        let values = self.norm_values(name, channels, true);
        match self.of.spec.head {
            Head::Convolutions { norm: HeadNorm::Instance, .. } => {
                self.instance_norm(name, x, values)
            }
            _ => self.weighted(name, name, Op::Affine, &[x], values),
        }
    }

    /// Converts tokens to values of -1 to 1.
    pub fn head(&mut self, mut x: NodeId, skip: Option<NodeId>) -> Result<NodeId, GraphError> {
        let spec = &self.of.spec;
        let Head::Convolutions { widths, residuals, skip: skip_px, .. } = &spec.head else {
            let pixels =
                self.linear("head.pixels", x, (spec.dim, 3 * spec.stride * spec.stride))?;
            let op = Op::DepthToSpace { block: spec.stride, order: BlockOrder::ChannelFirst };
            return self.graph.add("head.unpatch", "head", op, &[pixels]);
        };
        let (mut from, mut stride) = (spec.dim, spec.stride);
        let mut blocks = 0;
        for (number, &to) in widths.iter().enumerate() {
            stride /= 2;
            let name = format!("head.ups.{number}.conv");
            x = self.graph.then(&name, "upsample", Op::Upsample, &[x])?;
            x = self.conv(&name, x, (from, to), 3, 1)?;
            if let Some(kept) = skip.filter(|_| stride == *skip_px) {
                let channels = spec.stem_width(*skip_px);
                let kept = self.linear("head.skip", kept, (channels, to))?;
                x = self.graph.add("head.skip.add", &name, Op::Add, &[x, kept])?;
            }
            let norm = format!("head.norms.{number}");
            x = self.head_norm(&norm, x, to)?;
            x = self.graph.add(&format!("{norm}.relu"), &name, Op::Relu, &[x])?;
            for _ in 0..if stride == 4 { *residuals } else { 0 } {
                let mut y = x;
                for half in 0..2 {
                    y = self.conv(&format!("head.blocks.{blocks}.conv"), y, (to, to), 3, 1)?;
                    let norm = format!("head.block_norms.{blocks}");
                    y = self.head_norm(&norm, y, to)?;
                    if half == 0 {
                        y = self.graph.add(&format!("{norm}.relu"), &norm, Op::Relu, &[y])?;
                    }
                    blocks += 1;
                }
                x = self.graph.add(
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
