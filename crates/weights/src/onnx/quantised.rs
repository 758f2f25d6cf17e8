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
    let input = |index: usize| node.input.get(index).copied().unwrap_or_default();
    let axis = || vec![Attribute { name: "axis", ..Attribute::default() }];
    let mut made = Vec::new();
    let mut add = |op_type: &'m str, input: Vec<Name<'m>>, attribute| {
        let output = Name { text: "value", call: call + made.len() as u32 };
        made.push(Node {
            input,
            output: vec![output],
            op_type,
            name: node.name,
            attribute,
            ..Node::default()
        });
        output
    };
    let mut values = Vec::new();
    for index in 0..inputs {
        let from = (first + 3 * index..first + 3 * index + 3).map(input).collect();
        let attribute = if operator == "Conv" && index == 1 { axis() } else { Vec::new() };
        values.push(add("DequantizeLinear", from, attribute));
    }
    if operator == "Conv" && node.input(8).is_some() {
        let scale = add("Mul", vec![input(1), input(4)], Vec::new());
        values.push(add("DequantizeLinear", vec![input(8), scale], axis()));
    }
    let computed = add(operator, values, node.attribute.clone());
    add("QuantizeLinear", vec![computed, input(scale), input(zero)], Vec::new());
    if let Some(last) = made.last_mut() {
        last.output.clone_from(&node.output);
    }
    Ok(Some(made))
}
