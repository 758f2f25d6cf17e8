//! Replaces quantised operators by plain ones: numbers are made from integers, computed with, and made
//! integers again.

use super::messages::{Attribute, Name, Node};

/// The nodes that replace a quantised operator; `None` if it is another operator. `call` is for the names of their
/// values.
pub(super) fn nodes<'m>(node: &Node<'m>, call: u32) -> Option<Vec<Node<'m>>> {
    // The operator, the number of its inputs, and the inputs with the scale and the zero point of the result.
    let (operator, inputs, result) = match node.op_type {
        "QLinearConv" => ("Conv", 2, [6, 7]),
        "QLinearMatMul" => ("MatMul", 2, [6, 7]),
        "QLinearAdd" => ("Add", 2, [6, 7]),
        "QLinearMul" => ("Mul", 2, [6, 7]),
        "QLinearSigmoid" => ("Sigmoid", 1, [3, 4]),
        "QLinearLeakyRelu" => ("LeakyRelu", 1, [3, 4]),
        "QLinearAveragePool" => ("AveragePool", 1, [3, 4]),
        "QLinearGlobalAveragePool" => ("GlobalAveragePool", 1, [3, 4]),
        "QLinearConcat" => ("Concat", node.input.len().checked_sub(2)? / 3, [0, 1]),
        _ => return None,
    };
    // The result's scale and zero point are in front of the inputs of a Concat.
    let first = if operator == "Concat" { 2 } else { 0 };
    let name = |text: &'static str| Name { text, call };
    let input = |index: usize| node.input.get(index).copied().unwrap_or_default();
    let axis = || vec![Attribute { name: "axis", i: 0, ..Attribute::default() }];
    let mut made = Vec::new();
    let mut add = |op_type: &'static str, input: Vec<Name<'m>>, output, attribute| {
        let name = node.name;
        made.push(Node {
            input,
            output: vec![output],
            op_type,
            name,
            attribute,
            ..Node::default()
        });
        output
    };
    let mut values = Vec::new();
    for index in 0..inputs {
        let text = if index == 0 { "first" } else { "second" };
        // Names of a Concat's inputs are distinguished by their integers' names.
        let output = if operator == "Concat" {
            Name { call, ..input(first + 3 * index) }
        } else {
            name(text)
        };
        let from = (first + 3 * index..first + 3 * index + 3).map(input).collect();
        let is_kernel = operator == "Conv" && index == 1;
        let attribute = if is_kernel { axis() } else { Vec::new() };
        values.push(add("DequantizeLinear", from, output, attribute));
    }
    if operator == "Conv" && node.input(8).is_some() {
        let scale = add("Mul", vec![input(1), input(4)], name("bias scale"), Vec::new());
        let bias = vec![input(8), scale];
        values.push(add("DequantizeLinear", bias, name("bias"), axis()));
    }
    let computed = add(operator, values, name("result"), node.attribute.clone());
    let output = node.output.first().copied().unwrap_or_default();
    add("QuantizeLinear", vec![computed, input(result[0]), input(result[1])], output, Vec::new());
    Some(made)
}
