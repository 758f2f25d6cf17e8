//! Operators on single values.

use super::{Held, MapValue, Reader};
use crate::{
    graph::{Arithmetic, Function, Op},
    network::NodeWeights,
    weights::{
        WeightsError,
        onnx::{messages::Node, refused},
    },
};

/// Whether an operator is a function of single values, or can be composed of some.
pub(super) fn is_function(operator: &str) -> bool {
    matches!(
        operator,
        "Relu"
            | "LeakyRelu"
            | "Elu"
            | "Selu"
            | "Sigmoid"
            | "HardSigmoid"
            | "HardSwish"
            | "Tanh"
            | "Sqrt"
            | "Reciprocal"
            | "Abs"
            | "Exp"
            | "Softplus"
            | "Erf"
            | "Neg"
            | "Mish"
    )
}

pub(super) fn function<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    let number = |name: &str, absent: f32| f64::from(node.attribute(name).map_or(absent, |a| a.f));
    let of = |function| Op::Function(function);
    let ops = match node.op_type {
        "Relu" => vec![Op::Relu],
        "LeakyRelu" => vec![of(Function::LeakyRelu { slope: number("alpha", 0.01) })],
        "Elu" => vec![of(Function::Elu { alpha: number("alpha", 1.0) })],
        "Sigmoid" => vec![of(Function::Sigmoid)],
        "HardSigmoid" => vec![of(Function::HardSigmoid {
            alpha: number("alpha", 0.2),
            beta: number("beta", 0.5),
        })],
        "Tanh" => vec![of(Function::Tanh)],
        "Sqrt" => return reader.root(x).map(|map| vec![map]),
        "Reciprocal" => vec![of(Function::Reciprocal)],
        "Abs" => vec![of(Function::Abs)],
        "Exp" => vec![of(Function::Exp)],
        "Softplus" => vec![of(Function::Softplus)],
        "Erf" => vec![of(Function::Erf)],
        "Neg" => return reader.scaled(&x, -1.0, 0.0).map(|map| vec![map]),
        "Selu" => {
            let alpha = number("alpha", 1.673_263_2);
            let elu = reader.add(of(Function::Elu { alpha }), &[x.node], None)?;
            let gamma = number("gamma", 1.050_701) as f32;
            return reader.scaled(&x.moved_to(elu), gamma, 0.0).map(|map| vec![map]);
        }
        "HardSwish" => {
            let gate = of(Function::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 });
            return gated(reader, x, &[gate]);
        }
        "Mish" => return gated(reader, x, &[of(Function::Softplus), of(Function::Tanh)]),
        other => {
            return Err(refused(format!("the function {other} is not supported")));
        }
    };
    let mut id = x.node;
    for op in ops {
        id = reader.add(op, &[id], None)?;
    }
    Ok(vec![x.moved_to(id)])
}

/// A map multiplied by a function of itself.
fn gated(reader: &mut Reader<'_>, x: MapValue, gate: &[Op]) -> Result<Vec<MapValue>, WeightsError> {
    let mut id = x.node;
    for op in gate {
        id = reader.add(*op, &[id], None)?;
    }
    let product = reader.add(Op::Combine(Arithmetic::Product), &[x.node, id], None)?;
    Ok(vec![x.moved_to(product)])
}

/// `x * (1 + erf(x / sqrt(2))) / 2`, or its usual approximation with tanh.
pub(super) fn gelu<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    if node.text("approximate", "none") == "none" {
        let id = reader.add(Op::Function(Function::Gelu), &[x.node], None)?;
        return Ok(vec![x.moved_to(id)]);
    }
    let product = Op::Combine(Arithmetic::Product);
    let square = reader.add(product, &[x.node, x.node], None)?;
    let cubic = reader.scaled(&x.moved_to(square), 0.044_715, 1.0)?;
    let inner = reader.add(product, &[x.node, cubic.node], None)?;
    let inner = reader.scaled(&x.moved_to(inner), 0.797_884_6, 0.0)?;
    let inner = reader.add(Op::Function(Function::Tanh), &[inner.node], None)?;
    let half = reader.scaled(&x.moved_to(inner), 0.5, 0.5)?;
    let id = reader.add(product, &[x.node, half.node], None)?;
    Ok(vec![x.moved_to(id)])
}

pub(super) fn identity<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    Ok(vec![reader.map(node, 0)?])
}

/// A conversion of the number type. Conversion to integers is only supported at the end, where the picture is rounded
/// anyway.
pub(super) fn cast<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    match node.attribute("to").map(|a| a.i) {
        // FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16
        Some(1 | 2 | 10 | 11 | 16) => identity(reader, node),
        _ => Err(refused(format!("{} rounds the picture", node.label()))),
    }
}

pub(super) fn clip<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    let mut bound = |name: &str, index: usize, absent: f32| match node.attribute(name) {
        Some(attribute) => Ok(attribute.f),
        None => match reader.constant_at(node, index)? {
            Some(constant) => {
                constant.scalar().ok_or_else(|| refused(format!("{} has odd limits", node.label())))
            }
            None => Ok(absent),
        },
    };
    let least = bound("min", 1, f32::NEG_INFINITY)?;
    let most = bound("max", 2, f32::INFINITY)?;
    reader.clipped(&x, least, most).map(|map| vec![map])
}

/// Negative values times a slope: one for all, or one per channel.
pub(super) fn prelu<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    let slopes = reader.weights_at(node, 1)?;
    // PyTorch's slopes are a list, one per channel of a map with channels first.
    let weight = match slopes.sides.as_slice() {
        [count] if *count == reader.channels(x.node) => slopes.values,
        _ => match reader.by_channel(&x, &slopes, node) {
            Ok(weight) => weight,
            Err(error) => match reader.constant_map(&x, &slopes)? {
                Some(slopes) => return reader.sloped_by(&x, slopes).map(|map| vec![map]),
                None => return Err(error),
            },
        },
    };
    let weights = NodeWeights { weight, bias: Vec::new() };
    let id = reader.add(Op::Prelu, &[x.node], Some(Held::Own(weights)))?;
    Ok(vec![x.moved_to(id)])
}

impl Reader<'_> {
    /// Multiplies negative values by those of another map.
    fn sloped_by(&mut self, x: &MapValue, slopes: super::NodeId) -> Result<MapValue, WeightsError> {
        let positive = self.clipped(x, 0.0, f32::INFINITY)?;
        let negative = self.clipped(x, f32::NEG_INFINITY, 0.0)?;
        let product = Op::Combine(Arithmetic::Product);
        let sloped = self.add(product, &[negative.node, slopes], None)?;
        let sum = self.add(Op::Add, &[positive.node, sloped], None)?;
        Ok(x.moved_to(sum))
    }

    /// Clamps every value to two limits.
    pub(super) fn clipped(
        &mut self,
        x: &MapValue,
        least: f32,
        most: f32,
    ) -> Result<MapValue, WeightsError> {
        if (least, most) == (0.0, f32::INFINITY) {
            let id = self.add(Op::Relu, &[x.node], None)?;
            return Ok(x.moved_to(id));
        }
        // An infinite limit becomes the largest finite number.
        let bound = |limit: f32| f64::from(limit.clamp(f32::MIN, f32::MAX));
        let (least, most) = (bound(least), bound(most));
        let id = self.add(Op::Function(Function::Clip { least, most }), &[x.node], None)?;
        Ok(x.moved_to(id))
    }
}
