//! Values that do not depend on pixels: weights viewed in another shape, and arithmetic on sizes.

use std::borrow::Cow;

use super::{
    Result,
    messages::Node,
    numbers::{self, MAX_COUNT, Numbers, Values, fewer_or_more, reshaped},
    scope::{Scope, Value},
    tensors::stored,
};
use crate::weights::tensor::{Dtype, MAX_RANK};

impl<'m, M> Scope<'m, M> {
    /// A node whose result does not depend on pixels: a weight viewed in another shape, or arithmetic on sizes.
    pub(super) fn node_on_constants(&mut self, node: &'m Node<'_>) -> Result<Value<M>> {
        if node.op_type == "Constant" {
            return self.constant_node(node);
        }
        if let Some(Value::Tensor(id, shape)) =
            node.input(0).and_then(|name| self.values.get(&name))
        {
            let (id, shape, dtype) = (*id, shape.clone(), self.tensors[*id].dtype());
            match node.op_type {
                "Identity" => return Ok(Value::Tensor(id, shape)),
                "Reshape" | "Squeeze" | "Unsqueeze" => {
                    let made = if node.op_type == "Reshape" {
                        let sides = self.fixed_numbers(node, 1)?;
                        let sides = sides.as_ref().and_then(Numbers::as_ints);
                        sides.and_then(|sides| reshaped(node, &shape, sides))
                    } else {
                        let axes = self.ints(node, "axes", 1)?;
                        fewer_or_more(&shape, axes.as_deref(), node.op_type == "Squeeze")
                    };
                    let odd = || node.refused("gives a weight an unsupported shape");
                    let made = made.filter(|made| made.len() <= MAX_RANK).ok_or_else(odd)?;
                    return Ok(Value::Tensor(id, made));
                }
                "Cast" if let Dtype::Float(stored_as) = dtype => {
                    // Casts to FLOAT and DOUBLE lose nothing that single precision would keep.
                    if matches!(node.int("to", 0), 1 | 11) {
                        return Ok(Value::Tensor(id, shape));
                    }
                    if shape.iter().product::<usize>() > MAX_COUNT {
                        return Err(
                            node.refused(format!("changes weights that are stored as {stored_as}"))
                        );
                    }
                }
                _ => {}
            }
        }
        if node.input.len() > MAX_COUNT {
            return Err(node.refused(format!("computes with {} inputs", node.input.len())));
        }
        let mut inputs: Vec<Option<Cow<'_, [Numbers]>>> = Vec::new();
        for index in 0..node.input.len() {
            inputs.push(self.numbers(node, index)?);
        }
        let mut results = Vec::new();
        for probe in 0..self.probe_count {
            let at_probe: Vec<Option<&Numbers>> =
                inputs.iter().map(|input| input.as_ref().and_then(|n| n.get(probe))).collect();
            let result = numbers::run(node, &at_probe);
            results.push(result.map_err(|problem| node.refused(problem))?);
        }
        Ok(Value::Numbers(results))
    }

    fn constant_node(&mut self, node: &'m Node<'_>) -> Result<Value<M>> {
        let name = node.output.first().copied().unwrap_or_default().text;
        if let Some(tensor) = node.attribute("value").and_then(|a| a.t.as_deref()) {
            return self.tensor(stored(name, tensor, self.budget)?);
        }
        let numbers = if let Some(a) = node.attribute("value_int") {
            Numbers::new(Vec::new(), Values::Int(vec![a.i]))
        } else if let Some(a) = node.attribute("value_float") {
            Numbers::new(Vec::new(), Values::Float(vec![a.f]))
        } else if let Some(a) = node.attribute("value_ints").filter(|a| a.ints.len() <= MAX_COUNT) {
            Numbers::ints(a.ints.clone())
        } else if let Some(a) =
            node.attribute("value_floats").filter(|a| a.floats.len() <= MAX_COUNT)
        {
            Numbers::new(vec![a.floats.len()], Values::Float(a.floats.clone()))
        } else {
            None
        };
        let numbers =
            numbers.ok_or_else(|| node.refused("is a constant of an unsupported kind"))?;
        Ok(Value::Numbers(vec![numbers; self.probe_count]))
    }
}
