//! The constants of general graphs as they are stored on the device.

use super::folded::folded;
use network::Weights;
use plan::cuda::{Constant, ConstantValues, ConvWeights, Part, WeightOrder};
use values::numeric::NumberFormat;

/// The bytes of a constant, with a convolution's weights in `format`.
pub fn bytes(constant: &Constant, weights: &Weights, format: NumberFormat) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(constant.bytes);
    match &constant.values {
        ConstantValues::Conv { node, weights: shape } => {
            push_weights(&mut bytes, shape, &weights.of(node).weight, format)
        }
        ConstantValues::Linear { node, norm, weights: shape } => {
            let layer = (node.as_str(), shape.conv.in_channels);
            let own = folded(layer, [norm.as_deref(), None], 1.0, weights);
            push_weights(&mut bytes, shape, &own.weight, format);
        }
        ConstantValues::LinearBias { node, norm, inputs, count, has_sums } => {
            let own = folded((node, *inputs), [norm.as_deref(), None], 1.0, weights);
            push_channels(&mut bytes, &own.bias, *count);
            if *has_sums {
                let rows = own.weight.chunks_exact(*inputs);
                let sums = rows.map(|row| stored_sum(row, format));
                push_channels(&mut bytes, &sums.collect::<Vec<_>>(), *count);
            }
        }
        ConstantValues::Channels { node, part, count } => {
            let own = weights.of(node);
            let values = match part {
                Part::Weight => &own.weight,
                Part::Bias => &own.bias,
            };
            push_channels(&mut bytes, values, *count);
        }
        ConstantValues::Integers(all) => bytes.extend(all.iter().flat_map(|n| n.to_le_bytes())),
        ConstantValues::Positions { half, height, width } => {
            for place in (0..*height).chain(0..*width) {
                for channel in 0..*half {
                    let value = position(place, channel, *half) as f32;
                    bytes.extend(value.to_le_bytes());
                }
            }
        }
        ConstantValues::Taps { resize, axis, input, output } => {
            for (place, weight) in resize.taps(*axis, *input, *output).as_flattened() {
                bytes.extend((*place as i32).to_le_bytes());
                bytes.extend((*weight as f32).to_le_bytes());
            }
        }
    }
    bytes
}

/// The sum of the values, each rounded to `format`.
fn stored_sum(values: &[f32], format: NumberFormat) -> f32 {
    let mut stored = Vec::with_capacity(values.len() * format.bytes());
    values.iter().for_each(|&v| format.push(&mut stored, v));
    let sum: f64 = format.read(&stored).into_iter().map(f64::from).sum();
    sum as f32
}

/// What a row or column adds to a channel of its half: pairs of sine and cosine.
fn position(place: usize, channel: usize, half: usize) -> f64 {
    let rate = 10_000f64.powf(-((channel - channel % 2) as f64) / half as f64);
    let turn = place as f64 * rate;
    if channel.is_multiple_of(2) { turn.sin() } else { turn.cos() }
}

/// Appends a value for each stored channel; zero for padding channels.
fn push_channels(to: &mut Vec<u8>, values: &[f32], count: usize) {
    for channel in 0..count {
        let value = values.get(channel).copied().unwrap_or_default();
        to.extend(value.to_le_bytes());
    }
}

/// Appends a convolution's weights in the order of its kernel; zero for padding channels.
fn push_weights(to: &mut Vec<u8>, shape: &ConvWeights, weights: &[f32], format: NumberFormat) {
    let conv = &shape.conv;
    let taps = conv.kernel[0] * conv.kernel[1];
    let (group_in, group_out) = (conv.in_channels / conv.groups, conv.out_channels / conv.groups);
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
            WeightOrder::Panels => {
                let (rows, values) = ConvWeights::panel(format);
                // Values of 16 bytes.
                let piece = values / 8;
                for first in (0..outputs).step_by(rows) {
                    for panel in (0..inputs).step_by(values) {
                        for row in 0..rows {
                            for place in 0..values {
                                let own = ((place / piece) ^ (row % 8)) * piece + place % piece;
                                format.push(to, value(tap, first + row, panel + own));
                            }
                        }
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
    use network::{
        Network, NodeWeights,
        graph::{Conv, Graph, Op},
    };
    use oracle::Map;

    /// Compares the table with what the oracle adds to zeros.
    #[test]
    fn places_are_what_the_definition_adds() {
        let (half, height, width) = (6, 5, 7);
        let mut graph = Graph::default();
        let channels = 2 * half;
        let input = graph.add("input", "", Op::Input { channels }, &[]).expect("no inputs");
        graph.add("places", "", Op::Positions, &[input]).expect("a node");
        let network = Network::new(graph, Weights::default()).expect("no weights");
        let zeros = Map { channels, height, width, data: vec![0.0; channels * height * width] };
        let expected = oracle::judge_maps(&network, &[zeros]).expect("a map");
        let values = ConstantValues::Positions { half, height, width };
        let constant = Constant { values, bytes: 4 * half * (height + width) };
        let table = bytes(&constant, network.weights(), NumberFormat::Fp16);
        assert_eq!(table.len(), constant.bytes);
        let table = NumberFormat::Fp32.read(&table);
        for c in 0..channels {
            for y in 0..height {
                for x in 0..width {
                    let at = match c < half {
                        true => y * half + c,
                        false => (height + x) * half + c - half,
                    };
                    let added = expected.data[(c * height + y) * width + x];
                    assert!((f64::from(table[at]) - added).abs() < 1e-6, "{c} {y} {x}");
                }
            }
        }
    }

    /// Checks the weight at each position, in every order, for both orders of the network's own weights.
    #[test]
    fn every_weight_is_where_its_kernel_reads_it() {
        let conv = Conv { kernel: [2, 3], groups: 2, ..Conv::square(4, 6, 1, 1) };
        let count = 4 / 2 * 6 * 6;
        let plain: Vec<f32> = (1..=count).map(|n| n as f32).collect();
        for (is_transposed, order) in [(false, WeightOrder::Grouped), (true, WeightOrder::Grouped)]
        {
            let shape = ConvWeights { conv, is_transposed, order };
            let mut packed = Vec::new();
            push_weights(&mut packed, &shape, &plain, NumberFormat::Fp32);
            let (inputs, outputs) = shape.sides(NumberFormat::Fp32);
            assert_eq!((inputs, outputs), (2, 16));
            let packed = NumberFormat::Fp32.read(&packed);
            assert_eq!(packed.len(), 6 * inputs * outputs);
            // Output 4 is the second output of the second group; its second input is the fourth channel of the map.
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
        assert_eq!(packed[(3 * outputs + 5) * inputs + 2], plain[(5 * 4 + 2) * 6 + 3]);
        assert_eq!(packed[(3 * outputs + 5) * inputs + 4], 0.0);
    }

    /// Checks the weight at each position of a row of 128 bytes, where Hopper's products read it, in blocks of 64
    /// outputs and inputs.
    #[test]
    fn panels_are_in_the_order_of_the_products() {
        let (ins, outs) = (150, 72);
        let shape = ConvWeights {
            conv: Conv::square(ins, outs, 1, 1),
            is_transposed: false,
            order: WeightOrder::Panels,
        };
        // Small integers are exact in 16 bits.
        let plain: Vec<f32> = (0..ins * outs).map(|n| (n % 2039) as f32).collect();
        let mut packed = Vec::new();
        push_weights(&mut packed, &shape, &plain, NumberFormat::Fp16);
        let (inputs, outputs) = shape.sides(NumberFormat::Fp16);
        assert_eq!((inputs, outputs), (192, 128));
        assert_eq!(packed.len(), 2 * inputs * outputs);
        let packed = NumberFormat::Fp16.read(&packed);
        for output in 0..outputs {
            for input in 0..inputs {
                let panel = output / 64 * (inputs / 64) + input / 64;
                let (row, piece) = (output % 64, input % 64 / 8);
                let at = panel * 4096 + row * 64 + (piece ^ (row % 8)) * 8 + input % 8;
                let expected = match output < outs && input < ins {
                    true => plain[output * ins + input],
                    false => 0.0,
                };
                assert_eq!(packed[at], expected, "{output} {input}");
            }
        }
    }

    /// Compares a layer after a norm's scale and shift as two steps and as one.
    #[test]
    fn a_norms_scale_and_shift_are_in_the_layer_after_it() {
        let own = |weight: &[f32], bias: &[f32]| NodeWeights {
            weight: weight.to_vec(),
            bias: bias.to_vec(),
        };
        let weights: Weights = [
            ("layer", own(&[1.0, 2.0, -3.0, 0.5], &[0.25, -1.0])),
            ("norm", own(&[2.0, -1.0], &[3.0, 0.5])),
        ]
        .map(|(name, own)| (name.to_owned(), own))
        .into_iter()
        .collect();
        let shape = ConvWeights {
            conv: Conv::square(2, 2, 1, 1),
            is_transposed: false,
            order: WeightOrder::Tiled,
        };
        let norm = Some("norm".to_owned());
        let values = |values| {
            let constant = Constant { values, bytes: 0 };
            NumberFormat::Fp32.read(&bytes(&constant, &weights, NumberFormat::Fp32))
        };
        let packed = values(ConstantValues::Linear {
            node: "layer".to_owned(),
            norm: norm.clone(),
            weights: shape,
        });
        let biases = values(ConstantValues::LinearBias {
            node: "layer".to_owned(),
            norm,
            inputs: 2,
            count: 16,
            has_sums: true,
        });
        let (inputs, _) = shape.sides(NumberFormat::Fp32);
        let normed = [0.5f32, -2.0];
        let seen = [normed[0] * 2.0 + 3.0, -normed[1] + 0.5];
        for (output, (row, bias)) in [([1.0, 2.0], 0.25), ([-3.0, 0.5], -1.0)].iter().enumerate() {
            let at = |input: usize| packed[output * inputs + input];
            let at_once = biases[output] + at(0) * normed[0] + at(1) * normed[1];
            assert_eq!(at_once, bias + row[0] * seen[0] + row[1] * seen[1], "{output}");
        }
        assert!(biases[2..16].iter().all(|&bias| bias == 0.0));
        let sums = [0, 1].map(|output| packed[output * inputs..][..2].iter().sum::<f32>());
        assert_eq!(biases[16..18], sums);
        assert_eq!(biases.len(), 32);
    }
}
