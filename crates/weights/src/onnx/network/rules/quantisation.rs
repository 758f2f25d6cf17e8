//! Numbers as integers with a scale and a zero point, and back.

use super::{MapValue, Reader};
use crate::{
    Result,
    onnx::{
        network::{constants::Constant, scope::Value},
        numbers::wrapped,
        tensors::dtype_of,
    },
    tensor::{Dtype, Scaling, StoredTensor},
};
use network::{
    NodeWeights,
    graph::{Arithmetic, Function, Op},
};

/// How a node turns numbers into integers or back.
struct Quantisation {
    scaling: Scaling,
    /// The side that the scales belong to, if there are several.
    axis: usize,
    /// Limits of the integers.
    limits: [f32; 2],
}

/// The limits of an integer type of at most 16 bits.
fn limits_of(dtype: &str) -> Option<[f32; 2]> {
    Some(match dtype {
        "uint8" => [0.0, 255.0],
        "int8" => [-128.0, 127.0],
        "uint16" => [0.0, 65535.0],
        "int16" => [-32768.0, 32767.0],
        _ => return None,
    })
}

impl<'m> Reader<'m> {
    /// Quantises a map, or returns the numbers that it represents.
    pub fn on_map(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let lengths = self.lengths(&x).swap_remove(0);
        let Quantisation { scaling, axis, limits } = self.quantisation(&lengths)?;
        let zero = scaling.zeros.first().copied().unwrap_or_default();
        let are_equal = scaling.zeros.iter().all(|&other| other == zero);
        let constant = |values: Vec<f32>| {
            let mut sides = vec![1; lengths.len()];
            if values.len() > 1 {
                sides[axis] = values.len();
            }
            Constant { sides, values }
        };
        let (scales, zeros) = (constant(scaling.scales), constant(scaling.zeros));
        if node.op_type == "DequantizeLinear" {
            let centred = self.with_broadcast(&x, Arithmetic::Difference, &zeros, false)?;
            return self.with_broadcast(&centred, Arithmetic::Product, &scales, false);
        }
        if !are_equal {
            return Err(node.refused("has a zero point for each channel"));
        }
        let divided = self.with_broadcast(&x, Arithmetic::Quotient, &scales, false)?;
        let rounded = self.function(&divided, Function::Round)?;
        let clipped = self.clipped(&rounded, limits[0] - zero, limits[1] - zero)?;
        self.with_broadcast(&clipped, Arithmetic::Sum, &zeros, false)
    }

    /// The scales and zero points of a node that reads values of these lengths.
    fn quantisation(&mut self, lengths: &[usize]) -> Result<Quantisation> {
        let node = self.scope.node;
        let mut scales = self.weights_at(1)?;
        if scales.values.iter().any(|&scale| scale <= 0.0) {
            return Err(node.refused("has a scale that is not larger than zero"));
        }
        if node.flag("block_size", false) || scales.sides.len() > 1 {
            return Err(node.refused("has scales of blocks"));
        }
        let mut dtype = "uint8";
        let zeros = match node.input(2) {
            Some(_) => {
                match self.scope.value(2)? {
                    Value::Tensor(id, _) => {
                        if let Dtype::Other(name, _) = self.scope.tensors[*id].dtype() {
                            dtype = name;
                        }
                    }
                    // The type of computed numbers is not kept, and it decides where they are clipped.
                    _ if node.op_type == "QuantizeLinear" => {
                        return Err(
                            node.refused("has a computed zero point; store it as an initializer")
                        );
                    }
                    _ => {}
                }
                let (_, zeros) = (self.scope.indices(2)?)
                    .ok_or_else(|| node.refused("has zero points that are not integers"))?;
                zeros.into_iter().map(|zero| zero as f32).collect()
            }
            None => {
                if let code @ 1.. = node.int("output_dtype", 0) {
                    let known = i32::try_from(code).ok().and_then(dtype_of);
                    dtype = known.map_or("unknown", Dtype::name);
                }
                vec![0.0]
            }
        };
        if scales.values.len() == 1 {
            scales.values = vec![scales.values[0]; zeros.len()];
        }
        let count = scales.values.len();
        if count == 0 || zeros.len() != 1 && zeros.len() != count {
            return Err(node.refused("has another number of zero points than scales"));
        }
        let (mut run, mut axis) = (1, 0);
        if count > 1 {
            axis = wrapped(node.int("axis", 1), lengths.len())
                .filter(|&side| lengths[side] == count)
                .ok_or_else(|| node.refused("has scales that do not fit its input"))?;
            run = lengths[axis + 1..].iter().product::<usize>().max(1);
        }
        let limits = limits_of(dtype).unwrap_or([f32::MIN, f32::MAX]);
        if node.op_type == "QuantizeLinear" && limits_of(dtype).is_none() {
            return Err(node.refused(format!("makes numbers of the type {dtype}")));
        }
        Ok(Quantisation { scaling: Scaling { scales: scales.values, zeros, run }, axis, limits })
    }

    /// The numbers that stored integers stand for; `None` if the node reads something else. They are computed when they
    /// are needed.
    pub fn dequantised(&mut self) -> Result<Option<StoredTensor<'m>>> {
        let node = self.scope.node;
        if node.op_type != "DequantizeLinear" {
            return Ok(None);
        }
        let Value::Tensor(id, sides) = self.scope.value(0)? else {
            return Ok(None);
        };
        let (id, sides) = (*id, sides.clone());
        let tensor = &self.scope.tensors[id];
        if let Dtype::Float(_) = tensor.dtype() {
            return Ok(None);
        }
        self.budget().bytes(tensor.copied_bytes())?;
        let tensor = tensor.clone();
        let name = tensor.dtype().name();
        let Quantisation { scaling, .. } = self.quantisation(&sides)?;
        let unread = || node.refused(format!("reads numbers of the type {name}"));
        tensor.scaled(scaling).ok_or_else(unread).map(Some)
    }

    /// Quantises weights, or returns the numbers that quantised weights stand for.
    pub fn on_constant(&mut self) -> Result<Constant> {
        let mut of = self.weights_at(0)?;
        let Quantisation { scaling, limits, .. } = self.quantisation(&of.sides)?;
        self.budget().steps(of.values.len())?;
        for (place, value) in of.values.iter_mut().enumerate() {
            let (scale, zero) = scaling.at(place);
            *value = if self.scope.node.op_type == "DequantizeLinear" {
                (*value - zero) * scale
            } else {
                ((*value / scale).round_ties_even() + zero).clamp(limits[0], limits[1])
            };
        }
        Ok(of)
    }

    /// Replaces the rounding that ends a network that makes levels, because the picture is rounded anyway. Returns the
    /// new last node.
    pub fn without_rounding(&mut self, last: usize) -> Result<usize> {
        /// Nearly half: what is cut off becomes what is rounded, and integers stay as they are.
        const HALF: f32 = 0.4999;
        let mut limits = Vec::new();
        let mut at = last;
        let mut first = None;
        loop {
            let node = &self.graph.nodes()[at];
            match node.op {
                Op::Function(function @ (Function::Round | Function::Floor)) => {
                    first = Some((function, limits.len(), node.inputs[0]));
                }
                Op::Function(Function::Clip { least, most })
                    if [least, most].iter().all(|limit| limit.fract() == 0.0) =>
                {
                    limits.push(node.op);
                }
                Op::Relu => limits.push(Op::Relu),
                _ => break,
            }
            at = node.inputs[0];
        }
        let Some((function, count, mut made)) = first else {
            return Ok(last);
        };
        if function == Function::Floor {
            let step = NodeWeights::repeated(self.channels(made), 1.0, -HALF);
            made = self.add_weighted(Op::Affine, &[made], step)?;
        }
        for op in limits[..count].iter().rev() {
            made = self.add(*op, &[made])?;
        }
        Ok(made)
    }
}
