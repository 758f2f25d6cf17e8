//! Replaces quantised operators by plain ones: numbers are made from integers, computed with, and made
//! integers again.

use super::{
    Result,
    messages::{Attribute, Name, Node},
};

/// The nodes that replace a quantised operator; `None` if it is another operator. Their values are named after the
/// calls from `call` on, one each.
///
/// # Errors
/// [`WeightsError::Graph`](crate::WeightsError::Graph) if nothing states the number type of the result.
pub fn nodes<'m>(node: &Node<'m>, call: u32) -> Result<Option<Vec<Node<'m>>>> {
    if let Some(operator) = node.op_type.strip_suffix("Integer") {
        return Ok(integers(node, operator, call));
    }
    let Some(operator) = node.op_type.strip_prefix("QLinear") else {
        return Ok(None);
    };
    // Each input is followed by its scale and its zero point, and the last input by those of the result. A Concat has
    // the result's in front.
    let inputs = match operator {
        "Conv" | "MatMul" | "Add" | "Mul" => 2,
        "Sigmoid" | "LeakyRelu" | "AveragePool" | "GlobalAveragePool" => 1,
        "Concat" => node.input.len().saturating_sub(2) / 3,
        _ => return Ok(None),
    };
    let (first, scale) = if operator == "Concat" { (2, 0) } else { (0, 3 * inputs) };
    let zero = scale + 1;
    // A QuantizeLinear without a zero point makes uint8, but these operators keep the type of their inputs.
    if node.input(zero).is_none() {
        return Err(node.refused(
            "has no zero point for its result, so the type of its integers is unknown; \
             export it with zero points",
        ));
    }
    let mut made = Made { node, call, nodes: Vec::new() };
    let mut values = Vec::new();
    for index in 0..inputs {
        let from = (first + 3 * index..first + 3 * index + 3).map(|at| made.input(at)).collect();
        let attribute = if operator == "Conv" && index == 1 { axis() } else { Vec::new() };
        values.push(made.add("DequantizeLinear", from, attribute));
    }
    if operator == "Conv" && node.input(8).is_some() {
        let scale = made.add("Mul", vec![made.input(1), made.input(4)], Vec::new());
        values.push(made.add("DequantizeLinear", vec![made.input(8), scale], axis()));
    }
    let computed = made.add(operator, values, node.attribute.clone());
    let from = vec![computed, made.input(scale), made.input(zero)];
    made.add("QuantizeLinear", from, Vec::new());
    Ok(Some(made.finished()))
}

/// The nodes that replace an operator that makes wide integers of two maps or weights, as dynamic quantisation writes.
fn integers<'m>(node: &Node<'m>, operator: &'m str, call: u32) -> Option<Vec<Node<'m>>> {
    let mut made = Made { node, call, nodes: Vec::new() };
    let attribute = match operator {
        "Conv" => axis(),
        "MatMul" => Vec::new(),
        _ => return None,
    };
    let number = Attribute { name: "value_float", f: 1.0, ..Attribute::default() };
    let one = made.add("Constant", Vec::new(), vec![number]);
    let values = [Vec::new(), attribute].into_iter().enumerate().map(|(index, attribute)| {
        let from = vec![made.input(index), one, made.input(index + 2)];
        made.add("DequantizeLinear", from, attribute)
    });
    let values = values.collect();
    made.add(operator, values, node.attribute.clone());
    Some(made.finished())
}

/// The attribute of scales that belong to a convolution's outputs.
fn axis<'m>() -> Vec<Attribute<'m>> {
    vec![Attribute { name: "axis", ..Attribute::default() }]
}

/// The nodes that replace an operator.
struct Made<'n, 'm> {
    node: &'n Node<'m>,
    call: u32,
    nodes: Vec<Node<'m>>,
}

impl<'m> Made<'_, 'm> {
    /// An input of the operator.
    fn input(&self, index: usize) -> Name<'m> {
        self.node.input.get(index).copied().unwrap_or_default()
    }

    /// Adds a node; returns the name of its result.
    fn add(
        &mut self,
        op_type: &'m str,
        input: Vec<Name<'m>>,
        attribute: Vec<Attribute<'m>>,
    ) -> Name<'m> {
        let output = Name { text: "value", call: self.call + self.nodes.len() as u32 };
        self.nodes.push(Node {
            input,
            output: vec![output],
            op_type,
            name: self.node.name,
            attribute,
            ..Node::default()
        });
        output
    }

    /// The nodes, of which the last one makes the operator's result.
    fn finished(mut self) -> Vec<Node<'m>> {
        if let Some(last) = self.nodes.last_mut() {
            last.output.clone_from(&self.node.output);
        }
        self.nodes
    }
}
