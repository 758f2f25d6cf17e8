//! Norms that are a single node.

use super::{MapValue, Part, Reader};
use crate::{Result, onnx::messages::Node};
use network::{
    NodeWeights,
    graph::{Arithmetic, Op},
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

    /// The norm of a pixel's channels, of a channel's pixels or of all values.
    pub fn layer_norm(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || node.refused("normalises unsupported sides of a map");
        let first = x.layout.side(node.int("axis", -1)).ok_or_else(odd)?;
        if node.output.iter().skip(1).any(|name| !name.text.is_empty()) {
            return Err(node.refused("has more than one result"));
        }
        let normed: Vec<usize> = (first..x.layout.sides.len()).collect();
        let sizes = self.sizes_of(x.node);
        let [of_channels, of_pixels] = [Part::is_channels, Part::is_pixels]
            .map(|is_of_kind: fn(&Part) -> bool| x.layout.covers(&normed, is_of_kind, &sizes));
        let (eps, channels) = (epsilon(node)?, self.channels(x.node));
        let mut made = match (of_channels, of_pixels) {
            (Some(true), Some(false)) => {
                let weights = NodeWeights::repeated(channels, 1.0, 0.0);
                x.moved_to(self.add_weighted(Op::LayerNorm { eps }, &[x.node], weights)?)
            }
            (Some(false), Some(true)) => self.instance_norm(&x, eps)?,
            (Some(true), Some(true)) => self.group_norm(&x, 1, eps)?,
            _ => return Err(odd()),
        };
        for (index, arithmetic) in [(1, Arithmetic::Product), (2, Arithmetic::Sum)] {
            if node.input(index).is_some() {
                let constant = self.weights_at(index)?;
                made = self.with_broadcast(&made, arithmetic, &constant, false)?;
            }
        }
        Ok(made)
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
