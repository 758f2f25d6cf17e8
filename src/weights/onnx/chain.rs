//! Holds a graph's operations against the network, from the result back to the picture.
//!
//! Every step says what must stand there; the first difference is the error. What comes out are the
//! weights under their published names, for the same strict fit as any other file.

use std::borrow::Cow;

use crate::models::johnson::MAX_BLOCKS;

use super::{
    super::{
        Budget, WeightsError,
        fit::NamedTensors,
        tensor::{Dtype, StorageType, StoredTensor},
    },
    graph::{Id, Operation, TensorId, Walked},
};

/// The weights of the network that the operations are.
///
/// # Errors
/// [`WeightsError::Graph`] with the layer and what stands in its place.
pub(super) fn weights<'w>(
    walked: &'w Walked<'_>,
    budget: &Budget,
) -> Result<NamedTensors<'w>, WeightsError> {
    let mut chain = Chain {
        walked,
        layers: Vec::new(),
    };
    let mut x = match chain.at(walked.output) {
        Operation::Clip(x) => x,
        _ => walked.output,
    };
    x = chain.conv("deconv3", x, 1)?;
    x = chain.conv_norm_relu("deconv2", x, 1)?;
    x = chain.upsampled("deconv2", x)?;
    x = chain.conv_norm_relu("deconv1", x, 1)?;
    x = chain.upsampled("deconv1", x)?;
    // Blocks are met last first; their numbers are known when all have been met.
    let mut blocks = Vec::new();
    while let Operation::Add(a, b) = chain.at(x) {
        if blocks.len() == MAX_BLOCKS {
            return Err(WeightsError::Graph(format!(
                "it has more than {MAX_BLOCKS} residual blocks"
            )));
        }
        let (block, before) = chain.block(a, b).or_else(|_| chain.block(b, a))?;
        blocks.push(block);
        x = before;
    }
    x = chain.conv_norm_relu("conv3", x, 2)?;
    x = chain.conv_norm_relu("conv2", x, 2)?;
    x = chain.conv_norm_relu("conv1", x, 1)?;
    chain.expect("the picture", x, |o| matches!(o, Operation::Picture))?;
    let mut layers = chain.layers;
    blocks.reverse();
    for (index, block) in blocks.into_iter().enumerate() {
        for (half, layer) in (1..).zip(block) {
            layers.push(Layer {
                conv_name: format!("res{}.conv{half}", index + 1),
                norm_name: format!("res{}.in{half}", index + 1),
                ..layer
            });
        }
    }
    let mut tensors = NamedTensors::new();
    for layer in layers {
        layer.add_to(&mut tensors, walked, budget)?;
    }
    Ok(tensors)
}

/// The tensors of one convolution and of the norm behind it.
struct Layer {
    conv_name: String,
    norm_name: String,
    weight: TensorId,
    bias: Option<TensorId>,
    norm: Option<(TensorId, TensorId)>,
}

impl Layer {
    fn add_to<'w>(
        &self,
        tensors: &mut NamedTensors<'w>,
        walked: &'w Walked<'_>,
        budget: &Budget,
    ) -> Result<(), WeightsError> {
        let weight = walked.tensors[self.weight].borrowed();
        let out = weight.shape().first().copied().unwrap_or(0);
        let bias = match self.bias {
            Some(bias) => walked.tensors[bias].borrowed(),
            // A convolution without bias adds zeros.
            None => zeros(&self.conv_name, out, budget)?,
        };
        tensors.push((format!("{}.conv2d.weight", self.conv_name), weight));
        tensors.push((format!("{}.conv2d.bias", self.conv_name), bias));
        if let Some((scale, shift)) = self.norm {
            for (part, id) in [("weight", scale), ("bias", shift)] {
                // Scales may be stored as C x 1 x 1.
                let tensor = walked.tensors[id].borrowed();
                let flat = tensor.reshaped(vec![tensor.element_count()]);
                let name = format!("{}.{part}", self.norm_name);
                let flat = flat.map_err(|problem| WeightsError::Tensor {
                    key: name.clone(),
                    problem,
                })?;
                tensors.push((name, flat));
            }
        }
        Ok(())
    }
}

fn zeros(
    conv_name: &str,
    count: usize,
    budget: &Budget,
) -> Result<StoredTensor<'static>, WeightsError> {
    let half = StorageType::F16;
    // A weight without numbers may have any side, so the file's size bounds nothing here.
    let size_bytes = count.saturating_mul(half.size_bytes());
    budget.bytes(size_bytes)?;
    let bytes = Cow::Owned(vec![0; size_bytes]);
    StoredTensor::contiguous(Dtype::Float(half), vec![count], bytes).map_err(|problem| {
        WeightsError::Tensor {
            key: format!("{conv_name}.conv2d.bias"),
            problem,
        }
    })
}

struct Chain<'w, 'm> {
    walked: &'w Walked<'m>,
    /// Layers outside the residual blocks.
    layers: Vec<Layer>,
}

impl Chain<'_, '_> {
    fn at(&self, id: Id) -> Operation {
        self.walked.operations[id]
    }

    fn differs(&self, wanted: &str, id: Id) -> WeightsError {
        let found = self.at(id).name();
        WeightsError::Graph(format!("where {wanted} belongs there is {found}"))
    }

    fn expect(
        &self,
        wanted: &str,
        id: Id,
        is: impl Fn(Operation) -> bool,
    ) -> Result<(), WeightsError> {
        if is(self.at(id)) {
            Ok(())
        } else {
            Err(self.differs(wanted, id))
        }
    }

    /// A convolution with the reflection padding that keeps the size; gives what it reads.
    fn padded_conv(
        &self,
        name: &str,
        id: Id,
        wanted_stride: usize,
    ) -> Result<(Layer, Id), WeightsError> {
        let Operation::Conv {
            input,
            weight,
            bias,
            stride,
        } = self.at(id)
        else {
            return Err(self.differs(&format!("the convolution {name}"), id));
        };
        if stride != wanted_stride {
            return Err(WeightsError::Graph(format!(
                "{name} has stride {stride}, the network has {wanted_stride}"
            )));
        }
        let kernel = self.walked.tensors[weight].shape().last();
        let needed = kernel.map_or(0, |kernel| kernel / 2);
        let (amount, before) = match self.at(input) {
            Operation::Pad(before, amount) => (amount, before),
            _ => (0, input),
        };
        if amount != needed {
            return Err(WeightsError::Graph(format!(
                "{name} is padded by {amount} pixels, the network reflects {needed}"
            )));
        }
        let layer = Layer {
            conv_name: name.to_owned(),
            norm_name: String::new(),
            weight,
            bias,
            norm: None,
        };
        Ok((layer, before))
    }

    fn conv(&mut self, name: &str, id: Id, stride: usize) -> Result<Id, WeightsError> {
        let (layer, before) = self.padded_conv(name, id, stride)?;
        self.layers.push(layer);
        Ok(before)
    }

    fn norm(&self, name: &str, id: Id) -> Result<((TensorId, TensorId), Id), WeightsError> {
        match self.at(id) {
            Operation::Norm {
                input,
                scale,
                shift,
            } => Ok(((scale, shift), input)),
            _ => Err(self.differs(&format!("the norm behind {name}"), id)),
        }
    }

    fn relu(&self, name: &str, id: Id) -> Result<Id, WeightsError> {
        match self.at(id) {
            Operation::Relu(x) => Ok(x),
            _ => Err(self.differs(&format!("the Relu behind {name}"), id)),
        }
    }

    fn conv_norm_relu(&mut self, name: &str, id: Id, stride: usize) -> Result<Id, WeightsError> {
        let x = self.relu(name, id)?;
        let (norm, x) = self
            .norm(name, x)
            .map_err(|error| after_relu(error, self.at(x)))?;
        let (layer, before) = self.padded_conv(name, x, stride)?;
        let norm_name = match name {
            "conv1" => "in1",
            "conv2" => "in2",
            "conv3" => "in3",
            "deconv1" => "in4",
            _ => "in5",
        };
        self.layers.push(Layer {
            norm_name: norm_name.to_owned(),
            norm: Some(norm),
            ..layer
        });
        Ok(before)
    }

    fn upsampled(&self, name: &str, id: Id) -> Result<Id, WeightsError> {
        match self.at(id) {
            Operation::Upsample(x) => Ok(x),
            _ => Err(self.differs(&format!("the upsampling before {name}"), id)),
        }
    }

    /// A residual block that adds `original` to what it made of it; gives `original`.
    fn block(&self, changed: Id, original: Id) -> Result<([Layer; 2], Id), WeightsError> {
        let name = "a residual block's";
        let (second_norm, x) = self.norm(&format!("{name} second convolution"), changed)?;
        let (second, x) = self.padded_conv(&format!("{name} second convolution"), x, 1)?;
        let x = self.relu(&format!("{name} first norm"), x)?;
        let (first_norm, x) = self.norm(&format!("{name} first convolution"), x)?;
        let (first, before) = self.padded_conv(&format!("{name} first convolution"), x, 1)?;
        if before != original {
            return Err(WeightsError::Graph(
                "a residual block adds something else than its own input".to_owned(),
            ));
        }
        let first = Layer {
            norm: Some(first_norm),
            ..first
        };
        let second = Layer {
            norm: Some(second_norm),
            ..second
        };
        Ok(([first, second], before))
    }
}

/// Says that a Relu follows where the network has none, when a sum is what it follows.
fn after_relu(error: WeightsError, found: Operation) -> WeightsError {
    match found {
        Operation::Add(..) => WeightsError::Graph(
            "a Relu follows the sum of a residual block, the network has none there".to_owned(),
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_for_a_missing_bias_are_drawn_before_they_are_made() {
        let budget = Budget::for_file(1000);
        assert!(zeros("conv1", 128, &budget).is_ok());
        assert_eq!(budget.cost().bytes, 256);
        for exponent in [25, 29, 34, 50, 58, 63] {
            let error = zeros("deconv3", 1 << exponent, &budget).expect_err("too many");
            let error = error.to_string();
            assert!(error.contains("bytes of memory"), "2^{exponent}: {error}");
        }
        assert_eq!(budget.cost().bytes, 256);
    }
}
