//! The messages of an ONNX file that is written. Field numbers are those of onnx.proto.

use std::str::FromStr;

use super::super::wire::Message;

/// ONNX's codes of number types.
pub const FLOAT: i64 = 1;
pub const UINT8: i64 = 2;
pub const INT64: i64 = 7;
pub const FLOAT16: i64 = 10;

/// The numbers of a list in brackets; `None` for another text.
pub fn numbers<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.strip_prefix('[')?
        .strip_suffix(']')?
        .split(',')
        .map(|number| number.parse().ok())
        .collect()
}

/// An attribute of the form `name=value`. Its type follows from the value.
fn attribute(text: &str) -> Message {
    let (name, value) = text.split_once('=').unwrap_or_default();
    let named = Message::default().bytes(1, name);
    if let Ok(int) = value.parse() {
        named.int(3, int).int(20, 2)
    } else if let Ok(float) = value.parse() {
        named.float(2, float).int(20, 1)
    } else if let Some(ints) = numbers(value) {
        named.ints(8, ints).int(20, 7)
    } else {
        named.bytes(4, value).int(20, 3)
    }
}

pub fn node(operator: &str, inputs: &[String], output: &str, attributes: &[&str]) -> Message {
    let node = inputs
        .iter()
        .fold(Message::default(), |node, input| node.bytes(1, input))
        .bytes(2, output)
        .bytes(3, output)
        .bytes(4, operator);
    attributes.iter().fold(node, |node, text| node.message(5, &attribute(text)))
}

pub fn tensor(name: &str, number_type: i64, dims: &[usize], numbers: &[u8]) -> Message {
    let dims = dims.iter().map(|&side| side as i64);
    Message::default().ints(1, dims).int(2, number_type).bytes(8, name).bytes(9, numbers)
}

/// An input or output of a graph. The length of a side is a number, or a name if it is free.
pub fn value_info(name: &str, number_type: i64, sides: [Result<usize, &str>; 4]) -> Message {
    let shape = sides.into_iter().fold(Message::default(), |shape, side| {
        let length = match side {
            Ok(length) => Message::default().int(1, length as i64),
            Err(name) => Message::default().bytes(2, name),
        };
        shape.message(1, &length)
    });
    let tensor = Message::default().int(1, number_type).message(2, &shape);
    Message::default().bytes(1, name).message(2, &Message::default().message(1, &tensor))
}
