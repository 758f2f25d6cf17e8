//! Sums, and instance norm spelled out in nodes: mean, difference, square, mean, eps, root, quotient,
//! scale and shift, in the spellings that exporters and hand-written layers use.

use std::collections::HashSet;

use super::{
    super::messages::Node, Id, Operation, Value, Walker, WeightsError, refused, unsupported,
};

impl Walker<'_> {
    /// Sums, and the pieces of an instance norm that is spelled out.
    pub(super) fn norm_piece(&mut self, node: &Node) -> Result<Value, WeightsError> {
        use Operation as Op;
        let map = |index: usize| self.map(node, index).ok();
        let operation_of = |id: Option<Id>| id.and_then(|id| self.operations.get(id)).copied();
        let (a, b) = (map(0), map(1));
        let (x, y) = (operation_of(a), operation_of(b));
        // Sums and products read the same from both sides; constants are looked for in the second.
        let (one, other, constant_at) = if x.is_none() { (y, x, 0) } else { (x, y, 1) };
        let operation = match (node.op_type.as_str(), one, other) {
            ("Add", Some(_), Some(_)) => match (a, b) {
                (Some(a), Some(b)) if self.maps[a] == self.maps[b] => Op::Add(a.min(b), a.max(b)),
                _ => return Err(unsupported(node)),
            },
            ("Add", Some(Op::Variance(x)), None) => {
                let eps = self.constant(node, constant_at);
                check_eps(node, eps.ok_or_else(|| unsupported(node))?)?;
                Op::Raised(x)
            }
            ("Add", Some(Op::Scaled(input, scale)), None) => Op::Norm {
                input,
                scale,
                shift: self.per_channel(node, constant_at, input)?,
            },
            ("Sub", Some(_), Some(Op::Mean(x))) if constant_at == 1 && a == Some(x) => {
                Op::Centred(x)
            }
            ("Mul", Some(Op::Centred(x)), Some(Op::Centred(y))) if x == y => Op::Square(x),
            ("Mul", Some(Op::Centred(x)), Some(Op::InverseDeviation(y)))
            | ("Mul", Some(Op::InverseDeviation(y)), Some(Op::Centred(x)))
            | ("Div", Some(Op::Centred(x)), Some(Op::Deviation(y)))
                if x == y =>
            {
                Op::Normalised(x)
            }
            ("Mul", Some(Op::Centred(x)), Some(Op::ScaledInverse(y, scale)))
            | ("Mul", Some(Op::ScaledInverse(y, scale)), Some(Op::Centred(x)))
                if x == y =>
            {
                Op::Scaled(x, scale)
            }
            ("Mul", Some(Op::Normalised(x)), None) => {
                Op::Scaled(x, self.per_channel(node, constant_at, x)?)
            }
            ("Mul", Some(Op::InverseDeviation(x)), None) => {
                Op::ScaledInverse(x, self.per_channel(node, constant_at, x)?)
            }
            ("Pow", Some(Op::Centred(x)), None) if self.constant(node, 1) == Some(2.0) => {
                Op::Square(x)
            }
            ("Pow", Some(Op::Raised(x)), None) if self.constant(node, 1) == Some(0.5) => {
                Op::Deviation(x)
            }
            ("Pow", Some(Op::Raised(x)), None) if self.constant(node, 1) == Some(-0.5) => {
                Op::InverseDeviation(x)
            }
            ("Sqrt", Some(Op::Raised(x)), _) => Op::Deviation(x),
            ("Reciprocal", Some(Op::Deviation(x)), _) => Op::InverseDeviation(x),
            ("Div", Some(Op::Deviation(x)), None)
                if constant_at == 0 && self.constant(node, 0) == Some(1.0) =>
            {
                Op::InverseDeviation(x)
            }
            ("ReduceMean", Some(operation), _) if self.over_plane(node)? => self.mean(operation, a),
            ("GlobalAveragePool", Some(operation), _) => self.mean(operation, a),
            _ => return Err(unsupported(node)),
        };
        let like = match operation {
            Op::Add(x, _) => x,
            Op::Norm { input, .. } => input,
            Op::Centred(x) | Op::Square(x) | Op::Normalised(x) | Op::Scaled(x, _) => x,
            Op::Mean(x)
            | Op::Variance(x)
            | Op::Raised(x)
            | Op::Deviation(x)
            | Op::InverseDeviation(x)
            | Op::ScaledInverse(x, _) => {
                let maps = self.maps[x].iter().map(|[c, ..]| [*c, 1, 1]).collect();
                return Ok(Value::Map(self.operation(operation, maps)));
            }
            _ => return Err(unsupported(node)),
        };
        Ok(self.same_size(operation, like))
    }

    /// The mean over the plane of a map; of squares around the mean it is the variance.
    fn mean(&self, of: Operation, id: Option<Id>) -> Operation {
        match (of, id) {
            (Operation::Square(x), _) => Operation::Variance(x),
            (_, Some(id)) => Operation::Mean(id),
            (other, None) => other,
        }
    }

    /// Whether a reduction takes height and width and keeps them as sides of one.
    fn over_plane(&self, node: &Node) -> Result<bool, WeightsError> {
        let axes = match node.attribute("axes") {
            Some(attribute) => attribute.ints.clone(),
            None => self
                .fixed_numbers(node, 1)?
                .and_then(|n| n.as_ints().map(<[i64]>::to_vec))
                .unwrap_or_default(),
        };
        let keeps = node.attribute("keepdims").is_none_or(|a| a.i == 1);
        let axes: HashSet<i64> = axes
            .iter()
            .map(|a| if *a < 0 { a + 4 } else { *a })
            .collect();
        Ok(keeps && axes == HashSet::from([2, 3]))
    }
}

/// The norm's epsilon is 1e-5 up to its own rounding.
pub(super) fn check_eps(node: &Node, eps: f32) -> Result<(), WeightsError> {
    if (eps - 1e-5).abs() <= 1e-7 {
        return Ok(());
    }
    Err(refused(format!(
        "{} has epsilon {eps:e}, the network has 1e-5",
        node.label()
    )))
}
