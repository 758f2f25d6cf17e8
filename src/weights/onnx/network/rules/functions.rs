//! Operators on single values.

use super::{MapValue, Reader};
use crate::{
    graph::{Arithmetic, Function, Op},
    weights::{Result, onnx::messages::Node},
};

/// The operation of an operator that is a function of single values; `None` for another operator.
fn op_of(node: &Node<'_>) -> Option<Op> {
    let number = |name: &str, absent: f32| f64::from(node.float(name, absent));
    Some(Op::Function(match node.op_type {
        "Relu" => return Some(Op::Relu),
        "LeakyRelu" => Function::LeakyRelu { slope: number("alpha", 0.01) },
        "Elu" => Function::Elu { alpha: number("alpha", 1.0) },
        "Sigmoid" => Function::Sigmoid,
        "HardSigmoid" => {
            Function::HardSigmoid { alpha: number("alpha", 0.2), beta: number("beta", 0.5) }
        }
        "Tanh" => Function::Tanh,
        "Sqrt" => Function::Sqrt,
        "Reciprocal" => Function::Reciprocal,
        "Abs" => Function::Abs,
        "Exp" => Function::Exp,
        "Log" => Function::Log,
        "Softplus" => Function::Softplus,
        "Erf" => Function::Erf,
        "Round" => Function::Round,
        "Floor" => Function::Floor,
        _ => return None,
    }))
}

/// The rule of an operator that is a function of single values.
pub fn rule(operator: &str) -> Option<super::Rule> {
    op_of(&Node { op_type: operator, ..Node::default() })?;
    Some(|reader, node| {
        let x = reader.map(node, 0)?;
        op_of(node).map_or_else(|| Ok(x.clone()), |op| reader.with_op(&x, op))
    })
}

/// A function that consists of several operations.
pub fn composed(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    let made = match node.op_type {
        "Neg" => reader.scaled(&x, -1.0, 0.0)?,
        "Ceil" => {
            let negative = reader.scaled(&x, -1.0, 0.0)?;
            let floor = reader.function(&negative, Function::Floor)?;
            reader.scaled(&floor, -1.0, 0.0)?
        }
        "Selu" => {
            let alpha = f64::from(node.float("alpha", 1.673_263_2));
            let elu = reader.function(&x, Function::Elu { alpha })?;
            reader.scaled(&elu, node.float("gamma", 1.050_701), 0.0)?
        }
        "HardSwish" => {
            let gate = Function::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };
            let gate = reader.function(&x, gate)?;
            reader.product(&x, &gate)?
        }
        "Swish" => {
            let inner = reader.scaled(&x, node.float("alpha", 1.0), 0.0)?;
            let gate = reader.function(&inner, Function::Sigmoid)?;
            reader.product(&x, &gate)?
        }
        // Mish
        _ => {
            let inner = reader.function(&x, Function::Softplus)?;
            let gate = reader.function(&inner, Function::Tanh)?;
            reader.product(&x, &gate)?
        }
    };
    Ok(made)
}

/// `x * (1 + erf(x / sqrt(2))) / 2`, or its usual approximation with tanh.
pub fn gelu(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    if node.text("approximate", "none") == "none" {
        return reader.function(&x, Function::Gelu);
    }
    let square = reader.product(&x, &x)?;
    let cubic = reader.scaled(&square, 0.044_715, 1.0)?;
    let inner = reader.product(&x, &cubic)?;
    let inner = reader.scaled(&inner, 0.797_884_6, 0.0)?;
    let inner = reader.function(&inner, Function::Tanh)?;
    let half = reader.scaled(&inner, 0.5, 0.5)?;
    reader.product(&x, &half)
}

pub fn identity(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    reader.map(node, 0)
}

/// A conversion of the number type. To bytes, numbers are cut off; to other integers, conversion is not supported.
pub fn cast(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    match node.int("to", 0) {
        // FLOAT, FLOAT16, DOUBLE, BFLOAT16
        1 | 10 | 11 | 16 => Ok(x),
        // UINT8; the photo consists of bytes.
        2 if reader.is_photo(x.node) => Ok(x),
        2 => Ok(reader.function(&x, Function::Floor)?),
        _ => Err(node.refused("rounds the picture")),
    }
}

pub fn clip(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    let least = reader.number(node, "min", 1, f32::NEG_INFINITY)?;
    let most = reader.number(node, "max", 2, f32::INFINITY)?;
    reader.clipped(&x, least, most)
}

/// Negative values times a slope: one for all, or one per channel.
pub fn prelu(reader: &mut Reader<'_>, node: &Node<'_>) -> Result<MapValue> {
    let x = reader.map(node, 0)?;
    let slopes = reader.weights_at(node, 1)?;
    // PyTorch's slopes are a list, one per channel of a map with channels first.
    let weight = match slopes.sides.as_slice() {
        [count] if *count == reader.channels(x.node) => slopes.values,
        _ => match reader.by_channel(&x, &slopes, node) {
            Ok(weight) => weight,
            Err(error) => match reader.constant_map(&x, &slopes)? {
                Some(slopes) => return reader.sloped_by(&x, slopes),
                None => return Err(error),
            },
        },
    };
    let id = reader.add_weighted(Op::Prelu, &[x.node], weight, Vec::new())?;
    Ok(x.moved_to(id))
}

impl Reader<'_> {
    /// Whether a node's values are those of the photo.
    fn is_photo(&self, id: super::NodeId) -> bool {
        let node = &self.graph.nodes()[id];
        match node.op {
            Op::Sized(_) => self.is_photo(node.inputs[0]),
            op => op == Op::Photo,
        }
    }

    /// An operation that keeps the layout.
    pub fn with_op(&mut self, x: &MapValue, op: Op) -> Result<MapValue> {
        Ok(x.moved_to(self.add(op, &[x.node])?))
    }

    pub fn function(&mut self, x: &MapValue, function: Function) -> Result<MapValue> {
        self.with_op(x, Op::Function(function))
    }

    /// `a` combined with `b`, value by value, in the layout of `a`.
    pub fn with(&mut self, arithmetic: Arithmetic, a: &MapValue, b: &MapValue) -> Result<MapValue> {
        let op = match arithmetic {
            Arithmetic::Sum if self.shapes[a.node] == self.shapes[b.node] => Op::Add,
            other => Op::Combine(other),
        };
        let id = self.add(op, &[a.node, b.node])?;
        Ok(a.moved_to(id))
    }

    pub fn product(&mut self, a: &MapValue, b: &MapValue) -> Result<MapValue> {
        self.with(Arithmetic::Product, a, b)
    }

    /// Multiplies negative values by those of another map.
    fn sloped_by(&mut self, x: &MapValue, slopes: super::NodeId) -> Result<MapValue> {
        let positive = self.clipped(x, 0.0, f32::INFINITY)?;
        let negative = self.clipped(x, f32::NEG_INFINITY, 0.0)?;
        let sloped = self.product(&negative, &x.moved_to(slopes))?;
        self.with(Arithmetic::Sum, &positive, &sloped)
    }

    /// Clamps every value to two limits.
    pub fn clipped(&mut self, x: &MapValue, least: f32, most: f32) -> Result<MapValue> {
        if (least, most) == (0.0, f32::INFINITY) {
            return self.with_op(x, Op::Relu);
        }
        // An infinite limit becomes the largest finite number.
        let bound = |limit: f32| f64::from(limit.clamp(f32::MIN, f32::MAX));
        self.function(x, Function::Clip { least: bound(least), most: bound(most) })
    }
}
