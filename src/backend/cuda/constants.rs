//! The constants of general graphs as they lie on the device.

use crate::{
    network::Weights,
    numeric::NumberFormat,
    plan::cuda::{Constant, ConstantValues, ConvWeights, Part, WeightOrder},
};

/// The bytes of a constant, with a convolution's weights in `format`.
pub fn bytes(constant: &Constant, weights: &Weights, format: NumberFormat) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(constant.bytes);
    match &constant.values {
        ConstantValues::Conv {
            node,
            weights: shape,
        } => push_weights(&mut bytes, shape, &weights.of(node).weight, format),
        ConstantValues::Channels { node, part, count } => {
            let own = weights.of(node);
            let values = match part {
                Part::Weight => &own.weight,
                Part::Bias => &own.bias,
            };
            for channel in 0..*count {
                let value = values.get(channel).copied().unwrap_or_default();
                bytes.extend(value.to_le_bytes());
            }
        }
        ConstantValues::Integers(all) => bytes.extend(all.iter().flat_map(|n| n.to_le_bytes())),
        ConstantValues::Taps {
            resize,
            axis,
            input,
            output,
        } => {
            for (place, weight) in resize.taps(*axis, *input, *output).as_flattened() {
                bytes.extend((*place as i32).to_le_bytes());
                bytes.extend((*weight as f32).to_le_bytes());
            }
        }
    }
    bytes
}

/// Appends a convolution's weights in the order of its kernel; zeros where a channel is only stored.
fn push_weights(to: &mut Vec<u8>, shape: &ConvWeights, weights: &[f32], format: NumberFormat) {
    let conv = &shape.conv;
    let taps = conv.kernel[0] * conv.kernel[1];
    let (group_in, group_out) = (
        conv.in_channels / conv.groups,
        conv.out_channels / conv.groups,
    );
    // The weight of an output for one of the inputs of its group.
    let value = |tap: usize, output: usize, input: usize| {
        if output >= conv.out_channels || input >= group_in {
            return 0.0;
        }
        let at = if shape.is_transposed {
            let (group, own) = (output / group_out, output % group_out);
            (group * group_in + input) * group_out + own
        } else {
            output * group_in + input
        };
        weights[at * taps + tap]
    };
    let (inputs, outputs) = shape.sides(format);
    for tap in 0..taps {
        match shape.order {
            WeightOrder::Tiled => {
                for output in 0..outputs {
                    for input in 0..inputs {
                        format.push(to, value(tap, output, input));
                    }
                }
            }
            WeightOrder::Grouped | WeightOrder::Depthwise => {
                for input in 0..inputs {
                    for output in 0..outputs {
                        format.push(to, value(tap, output, input));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Conv;

    /// The weight that lies at a place, in every order, for both orders of the network's own.
    #[test]
    fn every_weight_lies_where_its_kernel_reads_it() {
        let conv = Conv {
            kernel: [2, 3],
            groups: 2,
            ..Conv::square(4, 6, 1, 1)
        };
        let count = 4 / 2 * 6 * 6;
        let plain: Vec<f32> = (1..=count).map(|n| n as f32).collect();
        for (is_transposed, order) in [(false, WeightOrder::Grouped), (true, WeightOrder::Grouped)]
        {
            let shape = ConvWeights {
                conv,
                is_transposed,
                order,
            };
            let mut packed = Vec::new();
            push_weights(&mut packed, &shape, &plain, NumberFormat::Fp32);
            let (inputs, outputs) = shape.sides(NumberFormat::Fp32);
            assert_eq!((inputs, outputs), (2, 16));
            let packed = NumberFormat::Fp32.read(&packed);
            assert_eq!(packed.len(), 6 * inputs * outputs);
            // Output 4 is the second of the second group; its second input is the map's fourth.
            let at = |tap: usize, input: usize, output: usize| {
                packed[(tap * inputs + input) * outputs + output]
            };
            let expected = if is_transposed { 3 * 3 + 1 } else { 4 * 2 + 1 };
            assert_eq!(at(5, 1, 4), plain[expected * 6 + 5]);
            assert_eq!(at(5, 1, 6), 0.0);
        }
        let tiled = ConvWeights {
            conv: Conv { groups: 1, ..conv },
            is_transposed: false,
            order: WeightOrder::Tiled,
        };
        let plain: Vec<f32> = (1..=4 * 6 * 6).map(|n| n as f32).collect();
        let mut packed = Vec::new();
        push_weights(&mut packed, &tiled, &plain, NumberFormat::Fp16);
        let (inputs, outputs) = tiled.sides(NumberFormat::Fp16);
        assert_eq!((inputs, outputs), (32, 16));
        let packed = NumberFormat::Fp16.read(&packed);
        assert_eq!(
            packed[(3 * outputs + 5) * inputs + 2],
            plain[(5 * 4 + 2) * 6 + 3]
        );
        assert_eq!(packed[(3 * outputs + 5) * inputs + 4], 0.0);
    }
}
