//! What a network's input and output values mean. Derived from the file's metadata and from the first and last
//! operations of the graph.

use super::{NodeId, Reader};
use crate::{
    onnx::messages::{Model, ValueInfo},
    pixels::{ChannelOrder, PixelChoice, PixelRange},
};
use network::graph::{Function, Op};

/// What is known about a network's input and output values.
pub fn pixels(
    model: &Model<'_>,
    picture: &ValueInfo<'_>,
    reader: &Reader<'_>,
    last: NodeId,
) -> PixelChoice {
    let named = |key: &str| {
        model
            .metadata_props
            .iter()
            .find(|entry| entry.key.eq_ignore_ascii_case(key))
            .map(|entry| entry.value)
    };
    // The keys of ONNX's metadata for pictures.
    let range = named("Image.NominalPixelRange").and_then(|value| match value {
        "NominalRange_0_255" => Some(PixelRange::Bytes),
        "Normalized_0_1" => Some(PixelRange::Unit),
        "Normalized_1_1" => Some(PixelRange::Signed),
        _ => None,
    });
    let order = named("Image.BitmapPixelFormat").and_then(|value| match value {
        "Rgb8" => Some(ChannelOrder::Rgb),
        "Bgr8" => Some(ChannelOrder::Bgr),
        _ => None,
    });
    const UINT8: i32 = 2;
    let bytes = (picture.elem_type == UINT8).then_some(PixelRange::Bytes);
    let (first_range, first_order) = reader.input_format();
    PixelChoice {
        input: range.or(bytes).or(first_range),
        output: range.or(reader.output_range(last)),
        order: order.or(first_order),
    }
}

/// The range of values between two limits, in any order.
fn range_of(a: f64, b: f64) -> Option<PixelRange> {
    let (least, most) = (a.min(b), a.max(b));
    let is = |low: f64, high: f64| {
        let room = 0.05 * (high - low);
        (least - low).abs() <= room && (most - high).abs() <= room
    };
    // Chainer's networks compute `tanh * 150 + 127.5`.
    if is(0.0, 255.0) || is(-22.5, 277.5) {
        Some(PixelRange::Bytes)
    } else if is(0.0, 1.0) {
        Some(PixelRange::Unit)
    } else if is(-1.0, 1.0) {
        Some(PixelRange::Signed)
    } else {
        None
    }
}

/// Scale and shift of each channel.
type Steps = (Vec<f64>, Vec<f64>);

impl Reader<'_> {
    /// A node's scale and shift, if it is affine.
    fn step(&self, id: NodeId) -> Option<Steps> {
        let own = self.own(id)?;
        let doubles = |list: &[f32]| list.iter().map(|&v| f64::from(v)).collect();
        (self.op(id).0 == Op::Affine).then(|| (doubles(&own.weight), doubles(&own.bias)))
    }

    /// What the first affine steps say about the input values.
    fn input_format(&self) -> (Option<PixelRange>, Option<ChannelOrder>) {
        let readers = self.graph.readers();
        let (mut scale, mut shift) = (vec![1.0; 3], vec![0.0; 3]);
        let mut at = 0;
        let mut means = None;
        while let [only] = readers[at][..] {
            // A mean of neighbours has the range of the values themselves.
            if let Op::Sized(_) | Op::AveragePool { .. } = self.op(only).0 {
                at = only;
                continue;
            }
            if let (Op::Function(Function::Round), [next]) = (self.op(only).0, &readers[only][..])
                && let Op::Function(Function::Clip { least, most }) = self.op(*next).0
            {
                // A quantised photo.
                let [least, most] = [least, most].map(|limit| (limit - shift[0]) / scale[0]);
                return (range_of(least, most), None);
            }
            let Some((by, plus)) = self.step(only).filter(|(by, _)| by.len() == 3) else {
                break;
            };
            for channel in 0..3 {
                scale[channel] *= by[channel];
                shift[channel] = shift[channel] * by[channel] + plus[channel];
            }
            // The values that are subtracted before any division.
            means = Some([0, 1, 2].map(|c: usize| -shift[c] / scale[c]));
            at = only;
        }
        let Some(means) = means else {
            return (None, None);
        };
        let (least, most) = scale.iter().fold((f64::INFINITY, 0.0f64), |(least, most), s| {
            (least.min(s.abs()), most.max(s.abs()))
        });
        let mean = means.iter().sum::<f64>() / 3.0;
        let range = if most <= 0.05 || (most - 1.0).abs() < 1e-6 && (90.0..=135.0).contains(&mean) {
            Some(PixelRange::Bytes)
        } else if (least - 127.5).abs() < 1.0 && (shift[0] - 127.5).abs() < 1.0 {
            Some(PixelRange::Signed)
        } else if least >= 250.0 && most <= 256.0
            || least >= 1.5 && most <= 6.0 && (0.35..=0.65).contains(&mean)
            || (most - 1.0).abs() < 1e-6 && (0.35..=0.6).contains(&mean)
        {
            Some(PixelRange::Unit)
        } else {
            None
        };
        // Photos contain more red than blue, and so do the commonly used means.
        let order = match means[0] - means[2] {
            difference if difference > 0.05 * mean.abs() => Some(ChannelOrder::Rgb),
            difference if difference < -0.05 * mean.abs() => Some(ChannelOrder::Bgr),
            _ => None,
        };
        (range, order.filter(|_| range.is_some()))
    }

    /// What the last affine steps say about the output values.
    fn output_range(&self, last: NodeId) -> Option<PixelRange> {
        let (mut scale, mut shift) = (1.0f64, 0.0f64);
        let mut at = last;
        let bounds = loop {
            let (op, inputs) = self.op(at);
            if let Some((by, plus)) = self.step(at) {
                let is_uniform = |list: &[f64]| {
                    list.iter().all(|v| (v - list[0]).abs() < 1e-6 * list[0].abs().max(1.0))
                };
                if !is_uniform(&by) || !is_uniform(&plus) {
                    // The mean of photos, which the network adds back.
                    let mean = plus.iter().sum::<f64>() / plus.len() as f64 * scale + shift;
                    return match mean {
                        mean if (90.0..=135.0).contains(&mean) => Some(PixelRange::Bytes),
                        mean if (0.35..=0.6).contains(&mean) => Some(PixelRange::Unit),
                        _ => None,
                    };
                }
                shift += plus[0] * scale;
                scale *= by[0];
                at = inputs[0];
                continue;
            }
            break match op {
                Op::Function(Function::Tanh) => (-1.0, 1.0),
                Op::Function(Function::Sigmoid | Function::HardSigmoid { .. }) => (0.0, 1.0),
                Op::Function(Function::Clip { least, most }) => {
                    // Only levels are rounded, which says more than limits.
                    let (before, _) = self.op(inputs[0]);
                    if scale == 1.0
                        && matches!(before, Op::Function(Function::Round | Function::Floor))
                    {
                        return Some(PixelRange::Bytes);
                    }
                    (least, most)
                }
                Op::Function(Function::Round | Function::Floor) if scale == 1.0 => {
                    return Some(PixelRange::Bytes);
                }
                Op::Crop(_) | Op::Function(Function::Round | Function::Floor) => {
                    at = inputs[0];
                    continue;
                }
                _ => {
                    // If values are not limited, only the last scale and shift are evidence.
                    return match (scale, shift) {
                        (s, b) if (s - 127.5).abs() < 1.0 && (b - 127.5).abs() < 1.0 => {
                            Some(PixelRange::Bytes)
                        }
                        (s, b) if (s - 0.5).abs() < 1e-3 && (b - 0.5).abs() < 1e-3 => {
                            Some(PixelRange::Unit)
                        }
                        (s, b) if (250.0..=256.0).contains(&s) && b.abs() < 1.0 => {
                            Some(PixelRange::Bytes)
                        }
                        _ => None,
                    };
                }
            };
        };
        range_of(bounds.0 * scale + shift, bounds.1 * scale + shift)
    }
}
