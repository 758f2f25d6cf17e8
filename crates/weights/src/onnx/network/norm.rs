//! Recognises instance norms and GELU that exporters and hand-written layers write as several nodes. The search goes
//! backwards from the product or quotient that ends them. Also converts norms to operations of the graph.

use super::{MapValue, NodeId, PendingWeights, Reader};
use crate::Result;
use network::{
    NodeWeights,
    graph::{Arithmetic, Conv, Function, Op},
};

/// Largest addend that counts as zero if a node reads a map twice. Exports for ONNX.js add 1e-9, or 1e-100 (0 in single
/// precision), so that the two uses have different names.
const NOTHING: f32 = 1e-9;

/// Tolerance for the constant in a GELU that is written as several operations.
const GELU_TOLERANCE: f32 = 1e-6;

impl Reader<'_> {
    pub fn op(&self, id: NodeId) -> (Op, &[NodeId]) {
        let node = &self.graph.nodes()[id];
        (node.op, &node.inputs)
    }

    /// The inputs of a node of this operation and number of inputs.
    pub fn reads<const N: usize>(&self, id: NodeId, op: Op) -> Option<[NodeId; N]> {
        let (own, inputs) = self.op(id);
        inputs.try_into().ok().filter(|_| own == op)
    }

    /// The weights of a node, unless they are still those of the file.
    pub fn own(&self, id: NodeId) -> Option<&NodeWeights> {
        match &self.weights[id] {
            Some(PendingWeights::Own(own)) => Some(own),
            _ => None,
        }
    }

    /// The input of an affine node with the same scale and shift for all channels, its scale and its shift.
    pub fn uniform(&self, id: NodeId) -> Option<(NodeId, f32, f32)> {
        let (scale, shift) = self.own(id)?.uniform()?;
        let [x] = self.reads(id, Op::Affine)?;
        Some((x, scale, shift))
    }

    /// The map before a negligible addend, as [`NOTHING`] describes.
    pub fn original(&self, id: NodeId) -> NodeId {
        match self.uniform(id) {
            Some((x, 1.0, shift)) if shift.abs() <= NOTHING => x,
            _ => id,
        }
    }

    /// The map x, if this is x minus its mean.
    fn centred(&self, id: NodeId) -> Option<NodeId> {
        let [x, mean] = self.reads(id, Op::Combine(Arithmetic::Difference))?;
        (self.reads(mean, Op::SpatialMean) == Some([x])).then_some(x)
    }

    /// The map whose standard deviation this is, and the eps that is added to the variance.
    fn deviation(&self, id: NodeId) -> Option<(NodeId, f64)> {
        let [raised] = self.reads(id, Op::Function(Function::Sqrt))?;
        let (variance, eps) = match self.uniform(raised) {
            Some((variance, 1.0, eps)) if eps >= 0.0 => (variance, f64::from(eps)),
            _ => (raised, 0.0),
        };
        let [square] = self.reads(variance, Op::SpatialMean)?;
        let [a, b] = self.reads(square, Op::Combine(Arithmetic::Product))?;
        let x = self.centred(self.original(a))?;
        (self.centred(self.original(b)) == Some(x)).then_some((x, eps))
    }

    /// The norm that a quotient or product completes.
    pub fn normalised(
        &mut self,
        arithmetic: Arithmetic,
        a: &MapValue,
        b: &MapValue,
    ) -> Result<Option<MapValue>> {
        let inverse = |id: NodeId| {
            let [deviation] = self.reads(id, Op::Function(Function::Reciprocal))?;
            self.deviation(deviation)
        };
        let (map, other) = match arithmetic {
            Arithmetic::Product if self.centred(a.node).is_none() => (b, a.node),
            _ => (a, b.node),
        };
        let mut scale = None;
        let found = match arithmetic {
            // The reciprocal may be written as a quotient.
            Arithmetic::Quotient => self.deviation(other),
            Arithmetic::Product => inverse(other).or_else(|| {
                // The scale may come first.
                let [inner] = self.reads(other, Op::Affine)?;
                let own = self.own(other)?;
                scale = own.bias.iter().all(|&v| v == 0.0).then(|| own.weight.clone());
                inverse(inner).filter(|_| scale.is_some())
            }),
            Arithmetic::Sum | Arithmetic::Difference => None,
        };
        let found = self.centred(map.node).zip(found);
        let Some((x, (_, eps))) = found.filter(|(x, (y, _))| x == y) else {
            return Ok(None);
        };
        let normed = self.instance_norm(&map.moved_to(x), eps)?;
        Ok(Some(match scale {
            Some(weight) => {
                let bias = vec![0.0; weight.len()];
                self.affine(&normed, NodeWeights { weight, bias })?
            }
            None => normed,
        }))
    }

    /// GELU, if one of two factors is a map x and the other `scale * (1 + erf(x / sqrt(2)))`.
    pub fn gelu_in_parts(
        &mut self,
        arithmetic: Arithmetic,
        a: &MapValue,
        b: &MapValue,
    ) -> Result<Option<MapValue>> {
        let scale_of = |factor: NodeId, x: NodeId| {
            let (erf, scale, shift) = self.uniform(factor)?;
            let [inner] = self.reads(erf, Op::Function(Function::Erf))?;
            let (read, root, nothing) = self.uniform(inner)?;
            let is_root = (root - std::f32::consts::FRAC_1_SQRT_2).abs() < GELU_TOLERANCE;
            (read == x && is_root && nothing == 0.0 && scale == shift).then_some(scale)
        };
        if arithmetic != Arithmetic::Product || a.layout != b.layout {
            return Ok(None);
        }
        let found = (scale_of(b.node, a.node).map(|scale| (a, scale)))
            .or_else(|| Some((b, scale_of(a.node, b.node)?)));
        let Some((x, scale)) = found else {
            return Ok(None);
        };
        let gelu = self.function(x, Function::Gelu)?;
        self.scaled(&gelu, 2.0 * scale, 0.0).map(Some)
    }

    /// The instance norm of a map: its statistics, and their application.
    pub fn instance_norm(&mut self, x: &MapValue, eps: f64) -> Result<MapValue> {
        let channels = self.channels(x.node);
        let statistics = self.add(Op::InstanceStatistics, &[x.node])?;
        let (inputs, weights) = ([x.node, statistics], NodeWeights::repeated(channels, 1.0, 0.0));
        Ok(x.moved_to(self.add_weighted(Op::InstanceNorm { eps }, &inputs, weights)?))
    }

    /// The norm of groups of neighbouring channels: one mean and one variance per group. Group statistics do not follow
    /// from those of single channels, so they are computed separately.
    pub fn group_norm(&mut self, x: &MapValue, groups: usize, eps: f64) -> Result<MapValue> {
        let channels = self.channels(x.node);
        if groups == channels {
            return self.instance_norm(x, eps);
        }
        // Attribute the time of the small convolutions to the layer before.
        let layer = self.layer.clone();
        let mean = self.group_means(x.node, groups, 0.0)?;
        let mean = x.moved_to(self.by_group(mean, channels)?);
        let centred = self.with(Arithmetic::Difference, x, &mean)?;
        let square = self.product(&centred, &centred)?;
        // Files store eps in single precision.
        let variance = self.group_means(square.node, groups, eps as f32)?;
        let deviation = self.function(&x.moved_to(variance), Function::Sqrt)?;
        let inverse = self.function(&deviation, Function::Reciprocal)?;
        let inverse = x.moved_to(self.by_group(inverse.node, channels)?);
        let normed = self.product(&centred, &inverse)?;
        self.layer = layer;
        Ok(normed)
    }

    /// The mean of every group of a map's channels plus a constant: one value per group.
    fn group_means(&mut self, x: NodeId, groups: usize, plus: f32) -> Result<NodeId> {
        let channels = self.channels(x);
        let means = self.add(Op::SpatialMean, &[x])?;
        let conv = Conv { groups, ..Conv::square(channels, groups, 1, 1) };
        let share = groups as f32 / channels as f32;
        self.small_conv(conv, means, share, plus)
    }

    /// Expands one value per group to one per channel. A single value is broadcast anyway.
    fn by_group(&mut self, values: NodeId, channels: usize) -> Result<NodeId> {
        let groups = self.channels(values);
        if groups == 1 {
            return Ok(values);
        }
        let conv = Conv { groups, ..Conv::square(groups, channels, 1, 1) };
        self.small_conv(conv, values, 1.0, 0.0)
    }

    /// A convolution of single values with equal weights and equal biases.
    pub fn small_conv(
        &mut self,
        conv: Conv,
        from: NodeId,
        weight: f32,
        bias: f32,
    ) -> Result<NodeId> {
        let count = conv.in_channels / conv.groups * conv.out_channels;
        let (weight, bias) = (vec![weight; count], vec![bias; conv.out_channels]);
        self.add_weighted(Op::Conv2d(conv), &[from], NodeWeights { weight, bias })
    }
}
