//! What a file's graph is lowered to: operations of this program's graph, each with the file's tensors that it
//! takes, and beside them what no graph of this program holds.

use std::borrow::Cow;

use crate::{
    graph::{NodeId, Op},
    models::{Found, Trained},
};

use super::super::super::{
    Budget, WeightsError,
    fit::NamedTensors,
    tensor::{Dtype, StorageType, StoredTensor, TensorProblem},
};
use super::TensorId;

/// What a node computes.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) enum Step {
    /// An operation of the graph.
    Op(Op),
    /// Limits of 0 and 255; at the end it is a part of [`Op::Picture`].
    Clip,
    /// A piece of an instance norm that is spelled out.
    NormPiece(NormPiece),
    /// A map between two changes of its shape.
    Reshaped(Reshaped),
}

/// A map whose values, one behind the other as they are stored, are given other sides, and may stand there twice.
/// When they have the sides of a map again, they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reshaped {
    /// How many sides there are, the batch among them; those in front of a map's three are one.
    pub(super) rank: usize,
    /// Whether every value is followed by itself.
    pub(super) columns_doubled: bool,
    /// Whether every row is followed by itself.
    pub(super) rows_doubled: bool,
}

/// The pieces of an instance norm; each names the map that is normed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NormPiece {
    Mean(NodeId),
    /// The map without its mean.
    Centred(NodeId),
    Square(NodeId),
    Variance(NodeId),
    /// Variance plus eps.
    Raised(NodeId),
    Deviation(NodeId),
    InverseDeviation(NodeId),
    Normalised(NodeId),
    ScaledInverse(NodeId, TensorId),
    Scaled(NodeId, TensorId),
}

/// A node of the lowered graph. Equal nodes are one node, so two of the file's that compute the same are the same.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
pub(super) struct LoweredNode {
    pub(super) step: Step,
    /// What it reads; as many count as the operation takes.
    pub(super) inputs: [NodeId; 2],
    /// A convolution's weights or a norm's scale.
    pub(super) weight: Option<TensorId>,
    /// A convolution's bias or a norm's shift.
    pub(super) bias: Option<TensorId>,
}

impl LoweredNode {
    /// A node without trained values.
    pub(super) fn new(step: Step, inputs: &[NodeId]) -> Self {
        let input = |index: usize| inputs.get(index).copied().unwrap_or_default();
        Self { step, inputs: [input(0), input(1)], weight: None, bias: None }
    }

    fn inputs(&self) -> &[NodeId] {
        match self.step {
            Step::Op(op) => &self.inputs[..op.input_count()],
            Step::Clip | Step::Reshaped(_) => &self.inputs[..1],
            Step::NormPiece(_) => &[],
        }
    }

    /// What the node is called in messages about ONNX files.
    fn name(&self) -> &'static str {
        match self.step {
            Step::Op(Op::Photo) => "the picture itself",
            Step::Op(Op::Pad { .. }) => "Pad",
            Step::Op(Op::Conv2d(_)) => "Conv",
            Step::Op(Op::InstanceNorm { .. }) => "InstanceNormalization",
            Step::Op(Op::Relu) => "Relu",
            Step::Op(Op::Add) => "Add",
            Step::Op(Op::Upsample) => "an upsampling",
            Step::Op(Op::Picture) => "the result",
            Step::Clip => "Clip",
            Step::Reshaped(_) => "a map in another shape",
            Step::Op(Op::InstanceStatistics) | Step::NormPiece(_) => "an unfinished norm",
            Step::Op(_) => "another operation",
        }
    }
}

/// A file's graph, lowered.
pub(in super::super) struct Lowered<'m> {
    pub(super) nodes: Vec<LoweredNode>,
    pub(super) tensors: Vec<StoredTensor<'m>>,
    /// The node that makes the picture.
    pub(super) output: NodeId,
}

impl Lowered<'_> {
    /// The node that makes the picture.
    pub(in super::super) fn output(&self) -> NodeId {
        self.output
    }

    /// What stands at a node, for a model that looks for itself.
    pub(in super::super) fn at(&self, id: NodeId) -> Found<'_> {
        let node = &self.nodes[id];
        Found {
            op: match node.step {
                Step::Op(op) => Some(op),
                Step::Clip | Step::NormPiece(_) | Step::Reshaped(_) => None,
            },
            inputs: node.inputs(),
            name: node.name(),
        }
    }

    /// The file's tensors under the names that a model gives its nodes.
    ///
    /// # Errors
    /// [`WeightsError::Shape`] where a convolution takes its weights in another shape than they are stored in, and
    /// [`WeightsError::TooCostly`] where it has no bias and more channels than the file's size allows for.
    pub(in super::super) fn named_tensors(
        &self,
        trained: &[Trained],
        budget: &Budget,
    ) -> Result<NamedTensors<'_>, WeightsError> {
        let mut tensors = NamedTensors::new();
        for (id, name) in trained {
            let node = &self.nodes[*id];
            let keys = ["weight", "bias"].map(|part| format!("{name}.{part}"));
            let stored = [node.weight, node.bias].map(|id| Some(self.tensors[id?].borrowed()));
            let named = match (node.step, stored) {
                (Step::Op(Op::Conv2d(conv)), [Some(weight), bias]) => {
                    let out_channels = conv.out_channels;
                    let inputs = conv.in_channels / conv.groups;
                    let needed = [out_channels, inputs, conv.kernel[0], conv.kernel[1]];
                    if weight.shape() != needed {
                        let [key, _] = keys;
                        return Err(WeightsError::Shape {
                            key,
                            got: weight.shape().to_vec(),
                            needed: format!("{needed:?}"),
                        });
                    }
                    // A convolution without bias adds zeros.
                    let bias = bias.map_or_else(|| zeros(&keys[1], out_channels, budget), Ok)?;
                    [weight, bias]
                }
                (_, [Some(scale), Some(shift)]) => {
                    [flat(&keys[0], &scale)?, flat(&keys[1], &shift)?]
                }
                // What has no trained values adds none.
                _ => continue,
            };
            tensors.extend(keys.into_iter().zip(named));
        }
        Ok(tensors)
    }
}

fn refused(key: &str) -> impl Fn(TensorProblem) -> WeightsError {
    move |problem| WeightsError::Tensor { key: key.to_owned(), problem }
}

/// A scale or shift as a list: it may be stored as C x 1 x 1.
fn flat<'t>(key: &str, tensor: &StoredTensor<'t>) -> Result<StoredTensor<'t>, WeightsError> {
    let flat = tensor.reshaped(vec![tensor.element_count()]);
    flat.map_err(refused(key))
}

fn zeros(key: &str, count: usize, budget: &Budget) -> Result<StoredTensor<'static>, WeightsError> {
    let half = StorageType::F16;
    // A weight without numbers may have any side, so the file's size bounds nothing here.
    let size_bytes = count.saturating_mul(half.size_bytes());
    budget.bytes(size_bytes)?;
    let bytes = Cow::Owned(vec![0; size_bytes]);
    StoredTensor::contiguous(Dtype::Float(half), vec![count], bytes).map_err(refused(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_for_a_missing_bias_are_drawn_before_they_are_made() {
        let budget = Budget::for_file(1000);
        assert!(zeros("bias", 128, &budget).is_ok());
        assert_eq!(budget.cost().bytes, 256);
        for exponent in [25, 29, 34, 50, 58, 63] {
            let error = zeros("bias", 1 << exponent, &budget).expect_err("too many");
            let error = error.to_string();
            assert!(error.contains("bytes of memory"), "2^{exponent}: {error}");
        }
        assert_eq!(budget.cost().bytes, 256);
    }

    #[test]
    fn a_convolution_takes_its_weights_as_they_are_stored() {
        let weight = |shape: Vec<usize>| {
            let bytes = Cow::Owned(vec![0; 2 * 27]);
            let half = Dtype::Float(StorageType::F16);
            StoredTensor::contiguous(half, shape, bytes).expect("27 numbers")
        };
        let op = Op::Conv2d(crate::graph::Conv::square(1, 27, 1, 1));
        let lowered = |shape| Lowered {
            nodes: vec![LoweredNode { weight: Some(0), ..LoweredNode::new(Step::Op(op), &[0]) }],
            tensors: vec![weight(shape)],
            output: 0,
        };
        let named = |shape| {
            let trained = [(0, "last".to_owned())];
            let lowered = lowered(shape);
            let tensors = lowered.named_tensors(&trained, &Budget::for_file(0))?;
            Ok(tensors.into_iter().map(|(key, _)| key).collect::<Vec<_>>())
        };
        assert_eq!(
            named(vec![27, 1, 1, 1]).map_err(|error: WeightsError| error.to_string()),
            Ok(vec!["last.weight".to_owned(), "last.bias".to_owned()])
        );
        for shape in [vec![27], vec![3, 1, 3, 3]] {
            assert!(matches!(named(shape), Err(WeightsError::Shape { .. })));
        }
    }
}
