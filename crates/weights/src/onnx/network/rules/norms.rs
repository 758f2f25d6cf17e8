//! Norms that are a single node.

use super::{MapValue, Part, Reader};
use crate::{Result, onnx::messages::Node};
use network::{
    NodeWeights,
    graph::{Arithmetic, Conv, Function, Op},
};

/// The number that a node adds to the variance.
fn epsilon(node: &Node<'_>) -> Result<f64> {
    let eps = f64::from(node.float("epsilon", 1e-5));
    if (0.0..=1e6).contains(&eps) {
        Ok(eps)
    } else {
        Err(node.refused(format!("has the epsilon {eps}")))
    }
}

impl Reader<'_> {
    /// Instance norm with the picture's own statistics, or group norm, as one node or expressed with instance norm.
    pub fn norm_groups(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let eps = epsilon(node)?;
        let count = self.channels(x.node);
        let groups = if node.op_type == "GroupNormalization" {
            self.planes(&x)?;
            usize::try_from(node.int("num_groups", 0))
                .ok()
                .filter(|&groups| groups > 0 && count.is_multiple_of(groups))
                .ok_or_else(|| {
                    node.refused(format!("has groups that do not divide {count} channels"))
                })?
        } else if let Some(groups) = x.layout.groups() {
            groups
        } else {
            self.planes(&x)?;
            count
        };
        // Since opset 21, GroupNormalization has one scale per channel.
        let is_new = node.op_type == "GroupNormalization" && self.opset >= 21;
        let scales = if is_new { count } else { groups };
        let [weight, bias] = [1, 2].map(|index| self.values_of_groups(index, count, scales));
        let normed = self.group_norm(&x, groups, eps)?;
        self.affine(&normed, NodeWeights { weight: weight?, bias: bias? })
    }

    /// The norm of a pixel's channels, of a channel's pixels or of all values; with or without their mean.
    pub fn layer_norm(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || node.refused("normalises unsupported sides of a map");
        let first = x.layout.side(node.int("axis", -1)).ok_or_else(odd)?;
        if node.output.iter().skip(1).any(|name| !name.text.is_empty()) {
            return Err(node.refused("has more than one result"));
        }
        let normed: Vec<usize> = (first..x.layout.sides.len()).collect();
        let mut made = self.normed(&x, &normed, epsilon(node)?)?;
        for (index, arithmetic) in [(1, Arithmetic::Product), (2, Arithmetic::Sum)] {
            if node.input(index).is_some() {
                let constant = self.weights_at(index)?;
                made = self.with_broadcast(&made, arithmetic, &constant, false)?;
            }
        }
        Ok(made)
    }

    /// The norm over these sides, with the operator's kind of statistics.
    fn normed(&mut self, x: &MapValue, sides: &[usize], eps: f64) -> Result<MapValue> {
        let sizes = self.sizes_of(x.node);
        let [of_channels, of_pixels] = [Part::is_channels, Part::is_pixels]
            .map(|is_of_kind: fn(&Part) -> bool| x.layout.covers(sides, is_of_kind, &sizes));
        let (Some(of_channels), Some(of_pixels)) = (of_channels, of_pixels) else {
            return Err(self.refused("normalises unsupported sides of a map"));
        };
        let channels = self.channels(x.node);
        if self.scope.node.op_type == "RMSNormalization" {
            let mut mean = self.product(x, x)?;
            if of_pixels {
                mean = self.with_op(&mean, Op::SpatialMean)?;
            }
            let raised = if of_channels {
                let (conv, share) = (Conv::square(channels, 1, 1, 1), 1.0 / channels as f32);
                x.moved_to(self.small_conv(conv, mean.node, share, eps as f32)?)
            } else {
                self.scaled(&mean, 1.0, eps as f32)?
            };
            let root = self.function(&raised, Function::Sqrt)?;
            return self.with(Arithmetic::Quotient, x, &root);
        }
        match (of_channels, of_pixels) {
            (true, false) => {
                let weights = NodeWeights::repeated(channels, 1.0, 0.0);
                Ok(x.moved_to(self.add_weighted(Op::LayerNorm { eps }, &[x.node], weights)?))
            }
            (false, true) => self.instance_norm(x, eps),
            (true, true) => self.group_norm(x, 1, eps),
            (false, false) => Err(self.refused("normalises single values")),
        }
    }

    /// The norm over sides that an attribute lists: by default all but the channels.
    pub fn mean_variance_norm(&mut self, x: MapValue) -> Result<MapValue> {
        /// The square of what is added to the deviation.
        const EPS: f64 = 1e-18;
        let axes = self.scope.ints("axes", usize::MAX)?.unwrap_or_else(|| vec![0, 2, 3]);
        let sides: Option<Vec<usize>> = axes.iter().map(|&axis| x.layout.side(axis)).collect();
        let sides = sides.ok_or_else(|| self.refused("normalises odd sides"))?;
        self.normed(&x, &sides, EPS)
    }

    /// A scale for all channels and a bias for each, as exporters of 2018 wrote preprocessing.
    pub fn image_scaler(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        self.channels_first_node(&x)?;
        let channels = self.channels(x.node);
        let bias = node.attribute("bias").map_or_else(|| vec![0.0; channels], |a| a.floats.clone());
        if bias.len() != channels {
            return Err(node.refused(format!("has {} biases for {channels} channels", bias.len())));
        }
        self.affine(&x, NodeWeights { weight: vec![node.float("scale", 1.0); channels], bias })
    }

    /// Batch norm with the statistics of training.
    pub fn batch_norm(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        self.planes(&x)?;
        if node.flag("training_mode", false) {
            return Err(node.refused("is in training"));
        }
        let count = self.channels(x.node);
        let mut list = |index: usize| self.list_at(index, count);
        let (scale, shift) = (list(1)?, list(2)?);
        let (mean, variance) = (list(3)?, list(4)?);
        let eps = f64::from(node.float("epsilon", 1e-5));
        let mut step = NodeWeights::default();
        let of_batch = mean.iter().zip(&variance);
        for ((&scale, &shift), (&mean, &variance)) in scale.iter().zip(&shift).zip(of_batch) {
            let factor = f64::from(scale) / (f64::from(variance) + eps).sqrt();
            step.weight.push(factor as f32);
            step.bias.push((f64::from(shift) - f64::from(mean) * factor) as f32);
        }
        self.affine(&x, step)
    }

    /// Expands a list with one number per group to one number per channel.
    fn values_of_groups(
        &mut self,
        index: usize,
        channels: usize,
        groups: usize,
    ) -> Result<Vec<f32>> {
        let values = self.list_at(index, groups)?;
        Ok((0..channels).map(|channel| values[channel / (channels / groups)]).collect())
    }
}
