//! The weights of convolutions in the order of the kernels: (tap, input, output), padded with zeros to whole packs.

use network::Weights;
use plan::general::{Constant, ConstantValues, ConvWeights, WeightOrder};
use values::numeric::NumberFormat;

use crate::plan::{GpuPlan, PACK, PlacedConstant};

/// The bytes of all weights of a plan, or of all tables.
pub fn bytes(plan: &GpuPlan, weights: &Weights, is_weights: bool) -> Vec<u8> {
    let length = if is_weights { plan.weight_bytes } else { plan.table_bytes };
    let mut all = Vec::with_capacity(length as usize);
    for constant in plan.constants.iter().filter(|constant| constant.is_weights == is_weights) {
        all.resize(constant.offset as usize, 0);
        push(&mut all, constant, weights, plan.format);
    }
    all.resize(length as usize, 0);
    all
}

fn push(to: &mut Vec<u8>, constant: &PlacedConstant, weights: &Weights, format: NumberFormat) {
    match &constant.values {
        ConstantValues::Conv { node, weights: shape } => {
            push_conv(to, shape, &weights.of(node).weight, format);
        }
        values => {
            let table = Constant { values: values.clone(), bytes: constant.bytes as usize };
            to.extend(backend::constants::bytes(&table, weights, NumberFormat::Fp32));
        }
    }
}

fn push_conv(to: &mut Vec<u8>, shape: &ConvWeights, weights: &[f32], format: NumberFormat) {
    let conv = &shape.conv;
    let taps = conv.kernel[0] * conv.kernel[1];
    let (group_in, group_out) = (conv.in_channels / conv.groups, conv.out_channels / conv.groups);
    let is_depthwise = shape.order == WeightOrder::Depthwise;
    let inputs =
        if conv.groups > 1 || is_depthwise { group_in } else { group_in.next_multiple_of(PACK) };
    for tap in 0..taps {
        for input in 0..inputs {
            for output in 0..conv.out_channels.next_multiple_of(PACK) {
                let value = if output >= conv.out_channels || input >= group_in {
                    0.0
                } else if shape.is_transposed {
                    let (group, own) = (output / group_out, output % group_out);
                    weights[((group * group_in + input) * group_out + own) * taps + tap]
                } else {
                    weights[(output * group_in + input) * taps + tap]
                };
                format.push(to, value);
            }
        }
    }
}
