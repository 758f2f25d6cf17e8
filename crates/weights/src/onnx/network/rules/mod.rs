//! Rules that convert operators on maps, one file per kind of operator.

mod arithmetic;
mod convolution;
mod functions;
mod moves;
mod norms;
mod pools;
mod quantisation;
mod reductions;
mod resize;
mod shapes;

use super::{Axis, Layout, MapValue, NodeId, PendingWeights, Reader, equal, layout::Part};
use crate::Result;

/// Adds the operations of a node and returns its result. Gets the first of the maps that the node reads.
pub type Rule<'m> = fn(&mut Reader<'m>, MapValue) -> Result<MapValue>;

/// True if an operator may read constants before the first map.
pub fn may_begin_with_constants(operator: &str) -> bool {
    matches!(
        operator,
        "Add"
            | "And"
            | "Concat"
            | "Div"
            | "Einsum"
            | "Equal"
            | "Gemm"
            | "Greater"
            | "GreaterOrEqual"
            | "Less"
            | "LessOrEqual"
            | "MatMul"
            | "Max"
            | "Mean"
            | "Min"
            | "Mul"
            | "Or"
            | "Pow"
            | "Sub"
            | "Sum"
            | "Where"
    )
}

pub fn rule<'m>(operator: &str) -> Option<Rule<'m>> {
    Some(match operator {
        "Add" | "And" | "Div" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual"
        | "Max" | "Mean" | "Min" | "Mul" | "Or" | "Sub" | "Sum" => Reader::arithmetic,
        "Pow" => Reader::power,
        "AveragePool" | "MaxPool" => Reader::pool,
        "BatchNormalization" => Reader::batch_norm,
        "Cast" => Reader::cast,
        "Clip" => Reader::clip,
        "Concat" => Reader::concat,
        "Conv" => Reader::conv,
        "ConvTranspose" => Reader::conv_transpose,
        "DepthToSpace" | "SpaceToDepth" => Reader::blocks,
        "Affine" | "Ceil" | "Celu" | "HardSwish" | "Mish" | "Neg" | "Not"
        | "ParametricSoftplus" | "ScaledTanh" | "Selu" | "Shrink" | "Sign" | "Softsign"
        | "Swish" | "ThresholdedRelu" => Reader::composed,
        "Crop" => Reader::cropped_by_border,
        "Dropout" | "Identity" => |_, x| Ok(x),
        "Expand" | "Tile" => Reader::expand,
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => Reader::reshape,
        "Einsum" => Reader::einsum,
        "Gather" | "GatherND" => Reader::gather,
        "Gelu" => Reader::gelu,
        "Gemm" | "MatMul" => Reader::matrix_product,
        "GlobalAveragePool" | "GlobalMaxPool" | "ReduceL1" | "ReduceL2" | "ReduceMax"
        | "ReduceMean" | "ReduceMin" | "ReduceSum" | "ReduceSumSquare" => Reader::reduce,
        "GroupNormalization" | "InstanceNormalization" => Reader::norm_groups,
        "ImageScaler" => Reader::image_scaler,
        "LayerNormalization" | "RMSNormalization" => Reader::layer_norm,
        "MeanVarianceNormalization" => Reader::mean_variance_norm,
        "Pad" => Reader::pad,
        "PRelu" => Reader::prelu,
        "DequantizeLinear" | "QuantizeLinear" => Reader::on_map,
        "Resize" | "Upsample" => Reader::resize,
        "Slice" => Reader::slice,
        "Softmax" => Reader::softmax,
        "Transpose" => Reader::transpose,
        "Where" => Reader::choose,
        _ => return functions::rule(operator),
    })
}
