//! Operators on single values.

use super::{MapValue, NodeId, Reader};
use crate::{
    Result,
    onnx::{messages::Node, network::constants::Spread},
};
use network::{
    NodeWeights,
    graph::{Arithmetic, Function, Op},
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
pub fn rule<'m>(operator: &str) -> Option<super::Rule<'m>> {
    op_of(&Node { op_type: operator, ..Node::default() })?;
    Some(|reader, x| match op_of(reader.scope.node) {
        Some(op) => reader.with_op(&x, op),
        None => Ok(x),
    })
}

impl Reader<'_> {
    /// A function that consists of several operations.
    pub fn composed(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        match node.op_type {
            "Neg" => self.scaled(&x, -1.0, 0.0),
            "Not" => self.scaled(&x, -1.0, 1.0),
            "Affine" => self.scaled(&x, node.float("alpha", 1.0), node.float("beta", 0.0)),
            "ScaledTanh" => {
                let inner = self.scaled(&x, node.float("beta", 1.0), 0.0)?;
                let tanh = self.function(&inner, Function::Tanh)?;
                self.scaled(&tanh, node.float("alpha", 1.0), 0.0)
            }
            "ParametricSoftplus" => {
                let inner = self.scaled(&x, node.float("beta", 1.0), 0.0)?;
                let softplus = self.function(&inner, Function::Softplus)?;
                self.scaled(&softplus, node.float("alpha", 1.0), 0.0)
            }
            "Celu" => {
                let alpha = node.float("alpha", 1.0);
                let inner = self.scaled(&x, 1.0 / alpha, 0.0)?;
                let elu = self.function(&inner, Function::Elu { alpha: 1.0 })?;
                self.scaled(&elu, alpha, 0.0)
            }
            "Softsign" => {
                let size = self.function(&x, Function::Abs)?;
                let size = self.scaled(&size, 1.0, 1.0)?;
                self.with(Arithmetic::Quotient, &x, &size)
            }
            "Sign" => {
                let positive = self.larger(&x, 0.0)?;
                let negative = self.scaled(&x, -1.0, 0.0)?;
                let negative = self.larger(&negative, 0.0)?;
                self.with(Arithmetic::Difference, &positive, &negative)
            }
            "ThresholdedRelu" => {
                let gate = self.larger(&x, node.float("alpha", 1.0))?;
                self.product(&x, &gate)
            }
            // Values near zero become zero, others move towards it.
            "Shrink" => {
                let (limit, bias) = (node.float("lambd", 0.5), node.float("bias", 0.0));
                let mut halves = Vec::new();
                for sign in [1.0, -1.0] {
                    let half = self.scaled(&x, sign, 0.0)?;
                    let gate = self.larger(&half, limit)?;
                    let moved = self.scaled(&half, 1.0, -bias)?;
                    halves.push(self.product(&moved, &gate)?);
                }
                self.with(Arithmetic::Difference, &halves[0], &halves[1])
            }
            "Ceil" => {
                let negative = self.scaled(&x, -1.0, 0.0)?;
                let floor = self.function(&negative, Function::Floor)?;
                self.scaled(&floor, -1.0, 0.0)
            }
            "Selu" => {
                let alpha = f64::from(node.float("alpha", 1.673_263_2));
                let elu = self.function(&x, Function::Elu { alpha })?;
                self.scaled(&elu, node.float("gamma", 1.050_701), 0.0)
            }
            operator => {
                let gate = match operator {
                    "HardSwish" => {
                        let gate = Function::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };
                        self.function(&x, gate)?
                    }
                    "Swish" => {
                        let inner = self.scaled(&x, node.float("alpha", 1.0), 0.0)?;
                        self.function(&inner, Function::Sigmoid)?
                    }
                    // Mish
                    _ => {
                        let inner = self.function(&x, Function::Softplus)?;
                        self.function(&inner, Function::Tanh)?
                    }
                };
                self.product(&x, &gate)
            }
        }
    }

    /// `x * (1 + erf(x / sqrt(2))) / 2`, or its usual approximation with tanh.
    pub fn gelu(&mut self, x: MapValue) -> Result<MapValue> {
        if self.scope.node.text("approximate", "none") == "none" {
            return self.function(&x, Function::Gelu);
        }
        let square = self.product(&x, &x)?;
        let cubic = self.scaled(&square, 0.044_715, 1.0)?;
        let inner = self.product(&x, &cubic)?;
        let inner = self.scaled(&inner, 0.797_884_6, 0.0)?;
        let inner = self.function(&inner, Function::Tanh)?;
        let half = self.scaled(&inner, 0.5, 0.5)?;
        self.product(&x, &half)
    }

    /// A conversion of the number type. To bytes, numbers are cut off; to other integers, conversion is not supported.
    pub fn cast(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        match node.int("to", 0) {
            // FLOAT, FLOAT16, DOUBLE, BFLOAT16
            1 | 10 | 11 | 16 => Ok(x),
            // UINT8; the photo consists of bytes.
            2 if self.is_photo(x.node) => Ok(x),
            2 => self.function(&x, Function::Floor),
            _ => Err(node.refused("rounds the picture")),
        }
    }

    pub fn clip(&mut self, x: MapValue) -> Result<MapValue> {
        let least = self.number("min", 1, f32::NEG_INFINITY)?;
        let most = self.number("max", 2, f32::INFINITY)?;
        self.clipped(&x, least, most)
    }

    /// Negative values times a slope: one for all, or one per channel.
    pub fn prelu(&mut self, x: MapValue) -> Result<MapValue> {
        let slopes = self.weights_at(1)?;
        // PyTorch's slopes are a list, one per channel of a map with channels first.
        let weight = match slopes.sides.as_slice() {
            [count] if *count == self.channels(x.node) => slopes.values,
            _ => match self.spread(&x, &slopes)? {
                Spread::Channels(weight) => weight,
                map => {
                    let slopes = self.constant_map(map)?;
                    return self.sloped_by(&x, slopes);
                }
            },
        };
        let slopes = NodeWeights { weight, bias: Vec::new() };
        Ok(x.moved_to(self.add_weighted(Op::Prelu, &[x.node], slopes)?))
    }

    fn is_photo(&self, id: NodeId) -> bool {
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
        Ok(a.moved_to(self.add(op, &[a.node, b.node])?))
    }

    pub fn product(&mut self, a: &MapValue, b: &MapValue) -> Result<MapValue> {
        self.with(Arithmetic::Product, a, b)
    }

    /// Multiplies negative values by those of another map.
    fn sloped_by(&mut self, x: &MapValue, slopes: NodeId) -> Result<MapValue> {
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
