//! Sums, differences, products and quotients: of maps, and of maps and constants.

use itertools::Itertools;

use super::{Layout, MapValue, NodeId, Part, Reader};
use crate::{
    Result,
    onnx::{
        network::{
            BYTES_PER_NODE,
            constants::{Constant, Spread},
            layout::MAX_SIDES,
            scope::Value,
        },
        refused,
    },
};
use network::{
    NodeWeights,
    graph::{Arithmetic, Function, Op},
};

/// The arithmetic of an operator on two maps.
fn arithmetic_of(operator: &str) -> Option<Arithmetic> {
    match operator {
        "Add" | "Sum" | "Mean" => Some(Arithmetic::Sum),
        "Sub" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => {
            Some(Arithmetic::Difference)
        }
        "Mul" | "And" => Some(Arithmetic::Product),
        "Div" => Some(Arithmetic::Quotient),
        _ => None,
    }
}

impl Reader<'_> {
    pub fn arithmetic(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let count = node.input.len();
        if count != 2 && !matches!(node.op_type, "Sum" | "Mean" | "Max" | "Min") {
            return Err(node.refused(format!("has {count} inputs")));
        }
        // Start with the first map. Constants before it are added afterwards; the order does not matter for sums.
        let first = (0..count).position(|index| self.map(index).is_ok()).unwrap_or_default();
        let mut made = x;
        for index in (0..count).filter(|&index| index != first) {
            made = match self.map(index) {
                Ok(other) => self.combined(arithmetic_of(node.op_type), made, other)?,
                Err(_) => {
                    let arithmetic = arithmetic_of(node.op_type);
                    self.with_constant(&made, arithmetic, index, index < first)?
                }
            };
        }
        match node.op_type {
            "Mean" => self.scaled(&made, 1.0 / count as f32, 0.0),
            operator => self.compared(made, operator),
        }
    }

    /// 1 where an operator's comparison of the difference of its inputs with zero is true, and 0 elsewhere.
    fn compared(&mut self, difference: MapValue, operator: &str) -> Result<MapValue> {
        let (sign, is_inverse) = match operator {
            "Less" => (1.0, false),
            "Greater" => (-1.0, false),
            "GreaterOrEqual" => (1.0, true),
            "LessOrEqual" | "Equal" => (-1.0, true),
            _ => return Ok(difference),
        };
        let mut x = difference;
        if operator == "Equal" {
            x = self.function(&x, Function::Abs)?;
        }
        let x = self.scaled(&x, sign, 0.0)?;
        // -1 for negative values.
        let x = self.clipped(&x, -1.0, 0.0)?;
        let x = self.function(&x, Function::Floor)?;
        if is_inverse { self.scaled(&x, 1.0, 1.0) } else { self.scaled(&x, -1.0, 0.0) }
    }

    /// 1 where a map is larger than a number, and 0 elsewhere.
    pub fn larger(&mut self, x: &MapValue, number: f32) -> Result<MapValue> {
        let difference = self.scaled(x, 1.0, -number)?;
        self.compared(difference, "Greater")
    }

    /// The map and the number of [`Self::larger`], if it made this node.
    fn compared_with(&self, id: NodeId) -> Option<(NodeId, f32)> {
        let (floor, ..) =
            self.uniform(id).filter(|&(_, scale, shift)| (scale, shift) == (-1.0, 0.0))?;
        let [clip] = self.reads(floor, Op::Function(Function::Floor))?;
        let [negative] =
            self.reads(clip, Op::Function(Function::Clip { least: -1.0, most: 0.0 }))?;
        let (difference, ..) = self.uniform(negative).filter(|&(_, scale, _)| scale == -1.0)?;
        let (x, scale, shift) = self.uniform(difference)?;
        (scale == 1.0).then_some((x, -shift))
    }

    /// One of two values, as a map of zeros and ones chooses.
    pub fn choose(&mut self, _: MapValue) -> Result<MapValue> {
        /// Softplus of larger numbers is the number itself, in single precision.
        const LARGE: f32 = 16.0;
        let Ok(gate) = self.map(0) else {
            return Err(self.refused("chooses between maps by constants"));
        };
        if let (Ok(a), Ok(b)) = (self.map(1), self.map(2))
            && let Some((x, number)) = self.compared_with(gate.node)
            && x == a.node
            && number >= LARGE
            && self.reads(b.node, Op::Function(Function::Softplus)) == Some([x])
        {
            return Ok(b);
        }
        let inverse = self.scaled(&gate, -1.0, 1.0)?;
        let (a, b) = (self.gated(gate, 1)?, self.gated(inverse, 2)?);
        self.combined(Some(Arithmetic::Sum), a, b)
    }

    /// The value at an input times a map of zeros and ones.
    fn gated(&mut self, gate: MapValue, index: usize) -> Result<MapValue> {
        match self.map(index) {
            Ok(map) => {
                // An infinite value that is not chosen must not become NaN.
                let finite = self.clipped(&map, f32::MIN, f32::MAX)?;
                self.combined(Some(Arithmetic::Product), gate, finite)
            }
            Err(_) => self.with_constant(&gate, Some(Arithmetic::Product), index, false),
        }
    }

    /// A power: products and roots if possible, otherwise by logarithms.
    pub fn power(&mut self, x: MapValue) -> Result<MapValue> {
        /// The largest power that is computed by products.
        const MOST: f32 = 64.0;
        /// Replaces zero, which has no logarithm.
        const LEAST: f32 = 1e-30;
        if !matches!(self.scope.value(0)?, Value::Map(_)) {
            let base = (self.scope.constant(0).filter(|base| *base > 0.0))
                .ok_or_else(|| self.refused("raises something other than a positive number"))?;
            let exponent = self.scaled(&x, base.ln(), 0.0)?;
            return self.function(&exponent, Function::Exp);
        }
        // The exponent may be an integer, which is not allowed for weights.
        let exponent = self
            .scope
            .constant(1)
            .filter(|exponent| exponent.is_finite())
            .ok_or_else(|| self.refused("raises to powers that are not one finite number"))?;
        let size = exponent.abs();
        let made = if size == 0.5 {
            self.function(&x, Function::Sqrt)?
        } else if size.fract() == 0.0 && (1.0..=MOST).contains(&size) {
            // By squares, from the highest binary digit of the exponent on.
            let exponent = size as u32;
            let mut made = x.clone();
            for digit in (0..exponent.ilog2()).rev() {
                made = self.product(&made, &made)?;
                if exponent >> digit & 1 == 1 {
                    made = self.product(&made, &x)?;
                }
            }
            made
        } else {
            let x = self.clipped(&x, LEAST, f32::INFINITY)?;
            let log = self.function(&x, Function::Log)?;
            let log = self.scaled(&log, size, 0.0)?;
            self.function(&log, Function::Exp)?
        };
        Ok(if exponent < 0.0 { self.function(&made, Function::Reciprocal)? } else { made })
    }

    pub fn map(&self, index: usize) -> Result<MapValue> {
        match self.scope.value(index)? {
            Value::Map(map) => Ok(map.clone()),
            Value::Tensor(..) | Value::Numbers(_) => {
                Err(self.refused("reads constants instead of a map"))
            }
        }
    }

    /// `x * scale + shift`, the same for all channels.
    pub fn scaled(&mut self, x: &MapValue, scale: f32, shift: f32) -> Result<MapValue> {
        self.affine(x, NodeWeights::repeated(self.channels(x.node), scale, shift))
    }

    /// `x * scale + shift`, both per channel.
    pub fn affine(&mut self, x: &MapValue, step: NodeWeights) -> Result<MapValue> {
        if step.uniform() == Some((1.0, 0.0)) {
            return Ok(x.clone());
        }
        if !step.weight.iter().chain(&step.bias).all(|v| v.is_finite()) {
            return Err(refused(format!("{} makes infinite numbers", self.scope.node.op_type)));
        }
        Ok(x.moved_to(self.add_weighted(Op::Affine, &[x.node], step)?))
    }

    /// Arithmetic on a map and the constant at an input; without arithmetic, the larger or smaller value.
    fn with_constant(
        &mut self,
        x: &MapValue,
        arithmetic: Option<Arithmetic>,
        index: usize,
        is_constant_first: bool,
    ) -> Result<MapValue> {
        let node = self.scope.node;
        let is_max = node.op_type != "Min";
        // Limits may be infinite.
        let constant = match arithmetic {
            Some(_) => self.weights_at(index)?,
            None => self.needed_at(index)?,
        };
        // If the constant has more sides than the map, the map gets sides of length 1 in front.
        let mut x = x.clone();
        let count = constant.sides.len();
        let more = count.saturating_sub(x.layout.sides.len());
        if more > 0 && count > MAX_SIDES {
            return Err(node.refused(format!("computes with a constant of {count} sides")));
        }
        x.layout.sides.splice(0..0, vec![Vec::new(); more]);
        if let Some(arithmetic) = arithmetic {
            return self.with_broadcast(&x, arithmetic, &constant, is_constant_first);
        }
        match self.spread(&x, &constant)? {
            Spread::Channels(values) if values.iter().all(|&v| v == values[0]) => {
                let limit = values[0];
                let [least, most] =
                    if is_max { [limit, f32::INFINITY] } else { [f32::NEG_INFINITY, limit] };
                self.clipped(&x, least, most)
            }
            spread => {
                let limits = self.constant_map(spread)?;
                self.extreme(is_max, &x.moved_to(limits), &x)
            }
        }
    }

    /// Arithmetic on a map and a constant, which is broadcast over it.
    pub fn with_broadcast(
        &mut self,
        x: &MapValue,
        arithmetic: Arithmetic,
        constant: &Constant,
        is_constant_first: bool,
    ) -> Result<MapValue> {
        let values = match self.spread(x, constant)? {
            Spread::Channels(values) => values,
            spread => {
                let map = self.constant_map(spread)?;
                let inputs = if is_constant_first { [map, x.node] } else { [x.node, map] };
                let made = self.add(Op::Combine(arithmetic), &inputs)?;
                // One channel may become several.
                let has_as_many = self.channels(made) == self.channels(x.node);
                return Ok(if has_as_many {
                    x.moved_to(made)
                } else {
                    self.with_channels(x, made)
                });
            }
        };
        let mut x = x.clone();
        // The scale and the shift of each channel.
        let step: fn(f32) -> (f32, f32) = match (arithmetic, is_constant_first) {
            (Arithmetic::Sum, _) => |v| (1.0, v),
            (Arithmetic::Difference, false) => |v| (1.0, -v),
            (Arithmetic::Difference, true) => |v| (-1.0, v),
            (Arithmetic::Quotient, false) => |v| ((1.0 / f64::from(v)) as f32, 0.0),
            (Arithmetic::Product, _) => |v| (v, 0.0),
            (Arithmetic::Quotient, true) => {
                x = self.function(&x, Function::Reciprocal)?;
                |v| (v, 0.0)
            }
        };
        let (weight, bias) = values.into_iter().map(step).unzip();
        self.affine(&x, NodeWeights { weight, bias })
    }

    /// Arithmetic on two maps, value by value; without arithmetic, the larger or smaller value.
    fn combined(
        &mut self,
        arithmetic: Option<Arithmetic>,
        a: MapValue,
        b: MapValue,
    ) -> Result<MapValue> {
        let node = self.scope.node;
        if let Some(sloped) = self.sloped(&a, &b)? {
            return Ok(sloped);
        }
        let layout = self.joint_layout(&a, &b).ok_or_else(|| {
            self.scope.of_size(node.refused(format!(
                "combines maps of the shapes {} and {}",
                self.sides_shown(&a),
                self.sides_shown(&b)
            )))
        })?;
        let Some(arithmetic) = arithmetic else {
            let node = self.extreme(node.op_type != "Min", &a, &b)?.node;
            return Ok(MapValue { node, layout });
        };
        if let Some(normed) = self.normalised(arithmetic, &a, &b)? {
            return Ok(normed);
        }
        if let Some(gelu) = self.gelu_in_parts(arithmetic, &a, &b)? {
            return Ok(gelu);
        }
        let node = self.with(arithmetic, &a, &b)?.node;
        Ok(MapValue { node, layout })
    }

    /// The larger or smaller values of two maps: the part of one beyond the other, added to the other.
    pub fn extreme(&mut self, is_max: bool, a: &MapValue, b: &MapValue) -> Result<MapValue> {
        // A reduction over channels does this for each of them.
        self.budget().bytes(BYTES_PER_NODE)?;
        let (more, less) = if is_max { (b, a) } else { (a, b) };
        let beyond = self.with(Arithmetic::Difference, more, less)?;
        let beyond = self.clipped(&beyond, 0.0, f32::INFINITY)?;
        let arithmetic = if is_max { Arithmetic::Sum } else { Arithmetic::Difference };
        self.with(arithmetic, a, &beyond)
    }

    /// Recognises a leaky ReLU written as the maximum of a map and a multiple of it.
    fn sloped(&mut self, a: &MapValue, b: &MapValue) -> Result<Option<MapValue>> {
        let node = self.scope.node;
        let part = |of: &MapValue, whole: &MapValue| {
            let (x, slope, shift) = self.uniform(of.node)?;
            let is_part = x == whole.node && of.layout == whole.layout && shift == 0.0;
            (is_part && (0.0..=1.0).contains(&slope)).then_some(slope)
        };
        let found = match node.op_type {
            "Max" => part(b, a).map(|slope| (a, slope)).or_else(|| Some((b, part(a, b)?))),
            _ => None,
        };
        let Some((x, slope)) = found else {
            return Ok(None);
        };
        self.function(&x.clone(), Function::LeakyRelu { slope: f64::from(slope) }).map(Some)
    }

    /// The layout of the result of two maps; `None` if their sides do not correspond.
    fn joint_layout(&self, a: &MapValue, b: &MapValue) -> Option<Layout> {
        if a.layout == b.layout {
            return Some(a.layout.clone());
        }
        if !a.layout.is_whole() || !b.layout.is_whole() {
            return None;
        }
        let count = a.layout.sides.len().max(b.layout.sides.len());
        // The parts of all sides, and whether they have length 1. Missing sides are the first ones.
        let sides = |map: &MapValue| {
            let (lengths, own) = (self.lengths(map), &map.layout.sides);
            let is_one = |side: usize| lengths.iter().all(|lengths| lengths[side] == 1);
            let mut sides = vec![(Vec::new(), true); count - own.len()];
            sides.extend(own.iter().enumerate().map(|(side, parts)| (parts.clone(), is_one(side))));
            sides
        };
        let joint = |((a, a_is_one), (b, b_is_one)): ((Vec<Part>, bool), (Vec<Part>, bool))| {
            if a_is_one && (a.is_empty() || !b_is_one) {
                Some(b)
            } else {
                (b_is_one || a == b).then_some(a)
            }
        };
        let sides: Vec<_> = sides(a).into_iter().zip(sides(b)).map(joint).collect::<Option<_>>()?;
        // A side that was broadcast over another axis would occur twice.
        sides
            .iter()
            .flatten()
            .map(std::mem::discriminant::<Part>)
            .all_unique()
            .then_some(Layout { sides })
    }
}
