//! Rules that convert operators on maps, one file per kind of operator.

mod arithmetic;
mod convolution;
mod functions;
mod moves;
mod norms;
mod pools;
pub mod quantisation;
mod reductions;
mod resize;
mod shapes;

use super::{Axis, Held, Layout, MapValue, NodeId, Reader, layout::Part};
use crate::weights::{Result, onnx::messages::Node};

pub(super) use moves::split;

/// Adds the operations of a node with at least one map as input, and returns its result.
pub type Rule = fn(&mut Reader<'_>, &Node<'_>) -> Result<MapValue>;

pub fn rule(operator: &str) -> Option<Rule> {
    Some(match operator {
        "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Sum" => arithmetic::arithmetic,
        "Pow" => arithmetic::power,
        "AveragePool" | "MaxPool" => pools::pool,
        "BatchNormalization" => norms::batch_norm,
        "Cast" => functions::cast,
        "Clip" => functions::clip,
        "Concat" => moves::concat,
        "Conv" => convolution::conv,
        "ConvTranspose" => convolution::conv_transpose,
        "DepthToSpace" | "SpaceToDepth" => moves::blocks,
        "Ceil" | "HardSwish" | "Mish" | "Neg" | "Selu" | "Swish" => functions::composed,
        "Dropout" | "Identity" => functions::identity,
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Expand" => shapes::reshape,
        "Gather" | "GatherND" => moves::gather,
        "Gelu" => functions::gelu,
        "Gemm" | "MatMul" => convolution::product,
        "GlobalAveragePool" | "GlobalMaxPool" | "ReduceL1" | "ReduceL2" | "ReduceMax"
        | "ReduceMean" | "ReduceMin" | "ReduceSum" | "ReduceSumSquare" => reductions::reduce,
        "GroupNormalization" => norms::group_norm,
        "InstanceNormalization" => norms::instance_norm,
        "LayerNormalization" => norms::layer_norm,
        "Pad" => moves::pad,
        "PRelu" => functions::prelu,
        "DequantizeLinear" | "QuantizeLinear" => quantisation::on_map,
        "Resize" | "Upsample" => resize::resize,
        "Slice" => moves::slice,
        "Softmax" => reductions::softmax,
        "Transpose" => shapes::transpose,
        _ => return functions::rule(operator),
    })
}
