//! Values that no pixel goes through: weights seen in another shape, and arithmetic on sizes.

use super::{
    super::{
        super::tensor::{Dtype, StoredTensor},
        messages::Node,
        numbers::{self, MAX_COUNT, Numbers, Values},
        stored,
    },
    Value, Walker, WeightsError, refused,
};

impl<'m> Walker<'m> {
    pub(super) fn shape(&self, node: &Node) -> Result<Value, WeightsError> {
        if node.attribute("start").is_some_and(|a| a.i != 0) || node.attribute("end").is_some() {
            return Err(refused(format!("{} takes a part of a shape", node.label())));
        }
        let of = |sides: &[usize]| Numbers::ints(sides.iter().map(|side| *side as i64).collect());
        Ok(Value::Numbers(match self.value(node, 0)? {
            Value::Tensor(_, shape) => vec![of(shape); self.probe_count],
            Value::Numbers(numbers) => numbers.iter().map(|n| of(&n.shape)).collect(),
            Value::Map(id) => self.maps[*id]
                .iter()
                .map(|[c, h, w]| of(&[self.batch, *c, *h, *w]))
                .collect(),
        }))
    }

    /// A node that no pixel goes through: a weight seen in another shape, or arithmetic on sizes.
    pub(super) fn node_on_constants(&mut self, node: &'m Node) -> Result<Value, WeightsError> {
        if node.op_type == "Constant" {
            return self.constant_node(node);
        }
        if let Some(Value::Tensor(id, shape)) = node.input(0).and_then(|n| self.values.get(n))
            && let Dtype::Float(stored_as) = self.tensors[*id].dtype()
        {
            let (id, shape) = (*id, shape.clone());
            match node.op_type.as_str() {
                "Identity" => return Ok(Value::Tensor(id, shape)),
                // Casts to FLOAT and DOUBLE lose nothing that single precision would keep.
                "Cast" if matches!(node.attribute("to").map(|a| a.i), Some(1 | 11)) => {
                    return Ok(Value::Tensor(id, shape));
                }
                "Unsqueeze" => {
                    let shape = self.unsqueezed(node, &shape)?;
                    return Ok(Value::Tensor(id, shape));
                }
                "Reshape" => {
                    let shape = self.reshaped(node, &shape)?;
                    return Ok(Value::Tensor(id, shape));
                }
                "Cast" if shape.iter().product::<usize>() > MAX_COUNT => {
                    return Err(refused(format!(
                        "{} changes weights that are stored as {stored_as}",
                        node.label()
                    )));
                }
                _ => {}
            }
        }
        let mut inputs = Vec::new();
        for index in 0..node.input.len() {
            inputs.push(self.numbers(node, index)?);
        }
        let mut results = Vec::new();
        for probe in 0..self.probe_count {
            let at_probe: Vec<Option<&Numbers>> = inputs
                .iter()
                .map(|input| input.as_ref().and_then(|n| n.get(probe)))
                .collect();
            let result = numbers::run(node, &at_probe);
            results.push(result.map_err(|problem| refused(format!("{} {problem}", node.label())))?);
        }
        Ok(Value::Numbers(results))
    }

    /// The shape of a vector that gains sides of one, as scales and shifts do.
    fn unsqueezed(&self, node: &Node, shape: &[usize]) -> Result<Vec<usize>, WeightsError> {
        let axes = match node.attribute("axes") {
            Some(attribute) => Some(attribute.ints.clone()),
            None => self
                .fixed_numbers(node, 1)?
                .and_then(|n| n.as_ints().map(<[i64]>::to_vec)),
        };
        let odd = || refused(format!("{} has odd axes", node.label()));
        let rank = shape.len() + axes.as_ref().map_or(0, Vec::len);
        if rank > 4 {
            return Err(odd());
        }
        let mut sides: Vec<Option<usize>> = vec![None; rank];
        for axis in axes.unwrap_or_default() {
            let axis = if axis < 0 { axis + rank as i64 } else { axis };
            let side = usize::try_from(axis).ok().and_then(|a| sides.get_mut(a));
            if side.ok_or_else(odd)?.replace(1).is_some() {
                return Err(odd());
            }
        }
        let mut own = shape.iter().copied();
        sides
            .into_iter()
            .map(|side| side.or_else(|| own.next()).ok_or_else(odd))
            .collect()
    }

    /// The shape that a weight is given, one side of which may follow from the others.
    fn reshaped(&self, node: &Node, shape: &[usize]) -> Result<Vec<usize>, WeightsError> {
        let odd = || refused(format!("{} gives a weight an odd shape", node.label()));
        let sides = self.fixed_numbers(node, 1)?.ok_or_else(odd)?;
        let sides = sides.as_ints().filter(|s| s.len() <= 4).ok_or_else(odd)?;
        let count: usize = shape.iter().product();
        let known = sides
            .iter()
            .filter(|side| **side != -1)
            .try_fold(1usize, |product, side| {
                product.checked_mul(usize::try_from(*side).ok()?)
            })
            .ok_or_else(odd)?;
        let free = count.checked_div(known).ok_or_else(odd)?;
        let shape: Vec<usize> = sides
            .iter()
            .map(|side| usize::try_from(*side).unwrap_or(free))
            .collect();
        if shape.iter().product::<usize>() == count {
            Ok(shape)
        } else {
            Err(odd())
        }
    }

    fn constant_node(&mut self, node: &'m Node) -> Result<Value, WeightsError> {
        let name = node.output.first().map_or("", String::as_str);
        if let Some(tensor) = node.attribute("value").and_then(|a| a.t.as_ref()) {
            return Ok(self.tensor(stored(name, tensor)?));
        }
        let few = |shape: Vec<usize>, values: Values| Numbers { shape, values };
        let numbers = if let Some(a) = node.attribute("value_int") {
            few(Vec::new(), Values::Int(vec![a.i]))
        } else if let Some(a) = node.attribute("value_float") {
            few(Vec::new(), Values::Float(vec![a.f]))
        } else if let Some(a) = node
            .attribute("value_ints")
            .filter(|a| a.ints.len() <= MAX_COUNT)
        {
            Numbers::ints(a.ints.clone())
        } else if let Some(a) = node
            .attribute("value_floats")
            .filter(|a| a.floats.len() <= MAX_COUNT)
        {
            few(vec![a.floats.len()], Values::Float(a.floats.clone()))
        } else {
            return Err(refused(format!(
                "{} is no constant that is read",
                node.label()
            )));
        };
        Ok(Value::Numbers(vec![numbers; self.probe_count]))
    }
}

/// A few numbers of the file; `None` when there are more or of another type.
pub(super) fn small_numbers(tensor: &StoredTensor<'_>, shape: &[usize]) -> Option<Numbers> {
    if tensor.element_count() > MAX_COUNT {
        return None;
    }
    let values = match tensor.to_i64() {
        Some(ints) => Values::Int(ints),
        None => Values::Float(tensor.to_f32().ok()?),
    };
    Some(Numbers {
        shape: shape.to_vec(),
        values,
    })
}
