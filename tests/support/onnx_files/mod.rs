//! Small ONNX files that request much work, graphs of known operators in random wiring with extreme numbers, changed
//! networks, and networks in the form exported for browsers. Written field by field, because no library writes such files.

#![allow(dead_code, unused_imports, reason = "test support: each test binary uses a part of it")]

mod browser;
mod hostile;
mod mutation;
mod network;
mod random;

pub use browser::browser_export;
pub use hostile::{costly, hostile};
pub use mutation::{Draw, mutated};
pub use random::random_graph;

/// A protobuf message, written field by field.
#[derive(Clone, Debug, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.key(field, 0);
        self.varint(value as u64);
        self
    }

    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn double(mut self, field: u64, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub fn packed_ints(self, field: u64, values: &[i64]) -> Self {
        let mut list = Self::default();
        for value in values {
            list.varint(*value as u64);
        }
        self.bytes(field, &list.0)
    }

    pub fn packed_floats(self, field: u64, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.bytes(field, &bytes)
    }

    /// The fields that `one` writes, `count` times.
    pub fn repeated(mut self, count: usize, one: Self) -> Self {
        for _ in 0..count {
            self.0.extend(&one.0);
        }
        self
    }
}

fn none() -> Message {
    Message::default()
}

/// ONNX's codes of number types.
pub const FLOAT: i64 = 1;
pub const UINT8: i64 = 2;
pub const INT8: i64 = 3;
pub const INT32: i64 = 6;
pub const INT64: i64 = 7;
pub const FLOAT16: i64 = 10;

/// A tensor without numbers.
pub fn tensor(name: &str, number_type: i64, dims: &[i64]) -> Message {
    none().text(8, name).int(2, number_type).packed_ints(1, dims)
}

pub fn ints(name: &str, values: &[i64]) -> Message {
    tensor(name, INT64, &[values.len() as i64]).packed_ints(7, values)
}

pub fn floats(name: &str, values: &[f32]) -> Message {
    tensor(name, FLOAT, &[values.len() as i64]).packed_floats(4, values)
}

pub fn attribute(name: &str) -> Message {
    none().text(1, name)
}

pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Message]) -> Message {
    let mut node = none();
    for input in inputs {
        node = node.text(1, input);
    }
    node = node.text(2, output).text(4, operator);
    for attribute in attributes {
        node = node.message(5, attribute);
    }
    node
}

/// A node that calls a function of [`function`].
pub fn call(function: &str, input: &str, output: &str) -> Message {
    node(function, &[input], output, &[]).text(7, "local")
}

/// A function of `x` that makes `y`.
pub fn function(name: &str, nodes: &[Message]) -> Message {
    let named = none().text(1, name).text(4, "x").text(5, "y").text(10, "local");
    nodes.iter().fold(named, |function, node| function.message(7, node))
}

/// The file with functions.
pub fn with_functions(file: Vec<u8>, functions: &[Message]) -> Vec<u8> {
    functions.iter().fold(Message(file), |file, function| file.message(25, function)).0
}

/// A graph under construction; its input is `x`, its result `y`.
#[derive(Clone, Debug, Default)]
pub struct Graph(pub Message);

impl Graph {
    pub fn node(
        self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[Message],
    ) -> Self {
        Self(self.0.message(1, &node(operator, inputs, output, attributes)))
    }

    pub fn tensor(self, tensor: &Message) -> Self {
        Self(self.0.message(5, tensor))
    }

    /// The file, with the input and the result.
    pub fn file(self) -> Vec<u8> {
        let graph = self.0.message(11, &none().text(1, "x"));
        model(&graph.message(12, &none().text(1, "y")))
    }

    /// The file with an input of these sides.
    pub fn file_of_size(self, sides: &[i64]) -> Vec<u8> {
        let shape =
            sides.iter().fold(none(), |shape, &side| shape.message(1, &none().int(1, side)));
        let tensor = none().int(1, FLOAT).message(2, &shape);
        let input = none().text(1, "x").message(2, &none().message(1, &tensor));
        let graph = self.0.message(11, &input);
        model(&graph.message(12, &none().text(1, "y")))
    }
}

/// A file of opset 17 with this graph.
pub fn model(graph: &Message) -> Vec<u8> {
    let opset = none().int(2, 17);
    none().int(1, 8).message(8, &opset).message(7, graph).0
}
