//! The part of ONNX's protobuf messages that this reader needs; everything else is skipped.
//!
//! Field numbers are those of onnx.proto. Decoding is bounded first: a field of two bytes may
//! become a struct of two hundred, so fields that become structs are counted before any is made.

use prost::Message;

use super::WeightsError;

/// Most nodes, attributes, tensors and names in one file. A graph in which every size is computed
/// has some 10,000.
const MAX_FIELDS: usize = 200_000;
/// Longest list of 64-bit integers, in encoded bytes. One byte may become eight; weights are never
/// stored so.
const MAX_INTEGER_BYTES: u64 = 1 << 20;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, tag = "2")]
    pub(super) f: f32,
    #[prost(int64, tag = "3")]
    pub(super) i: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) s: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<Tensor>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<Entry>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<ValueType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueType {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<TensorShape>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorShape {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dimension {
    /// Zero where the side is free.
    #[prost(int64, tag = "1")]
    pub(super) dim_value: i64,
}

impl Node {
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// The name of an input, `None` where it is left out.
    pub(super) fn input(&self, index: usize) -> Option<&str> {
        let name = self.input.get(index).map(String::as_str);
        name.filter(|name| !name.is_empty())
    }

    /// The node in messages: its operator and its name or, without one, its result.
    pub(super) fn label(&self) -> String {
        let name = if self.name.is_empty() {
            self.output.first().map_or("", String::as_str)
        } else {
            &self.name
        };
        super::super::error::shortened(&format!("{} '{name}'", self.op_type))
    }
}

/// Decodes a file.
///
/// # Errors
/// [`WeightsError::Onnx`], with the offset where the file breaks off.
pub(super) fn decode(bytes: &[u8]) -> Result<Model, WeightsError> {
    let mut fields = 0;
    count_fields(bytes, 0, Level::Model, &mut fields)?;
    Model::decode(bytes).map_err(|error| WeightsError::Onnx(error.to_string()))
}

/// The messages whose fields are counted.
#[derive(Clone, Copy)]
enum Level {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Integers,
    Leaf,
}

impl Level {
    /// What the field of this number holds.
    fn inner(self, field: u64) -> Self {
        match (self, field) {
            (Self::Model, 7) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Node, 5) => Self::Attribute,
            (Self::Attribute, 8) | (Self::Tensor, 1 | 7) => Self::Integers,
            _ => Self::Leaf,
        }
    }
}

/// Walks the fields of one message, which starts at `base` in the file.
fn count_fields(
    bytes: &[u8],
    base: usize,
    level: Level,
    fields: &mut usize,
) -> Result<(), WeightsError> {
    let mut at = 0;
    while at < bytes.len() {
        let broken =
            |what: &str| WeightsError::Onnx(format!("{what} at byte {} of the file", base + at));
        let mut next = at;
        let tag = varint(bytes, &mut next).ok_or_else(|| broken("a field breaks off"))?;
        let length = match tag & 7 {
            0 => {
                varint(bytes, &mut next).ok_or_else(|| broken("a number breaks off"))?;
                0
            }
            1 => 8,
            2 => varint(bytes, &mut next).ok_or_else(|| broken("a length breaks off"))?,
            5 => 4,
            _ => return Err(broken("a field has an unknown kind")),
        };
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| next.checked_add(length))
            .filter(|end| *end <= bytes.len())
            .ok_or_else(|| broken("a field reaches past the end"))?;
        if tag & 7 == 2 {
            *fields += 1;
            if *fields > MAX_FIELDS {
                return Err(WeightsError::Onnx(format!(
                    "it has more than {MAX_FIELDS} fields"
                )));
            }
            match level.inner(tag >> 3) {
                Level::Leaf => {}
                Level::Integers if length > MAX_INTEGER_BYTES => {
                    return Err(broken("a list of integers is too long"));
                }
                Level::Integers => {}
                inner => count_fields(&bytes[next..end], base + next, inner, fields)?,
            }
        }
        at = end;
    }
    Ok(())
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_seven_bits() {
        let mut at = 0;
        assert_eq!(varint(&[0xac, 0x02, 9], &mut at), Some(300));
        assert_eq!(at, 2);
        assert_eq!(varint(&[0x80; 12], &mut 0), None);
        assert_eq!(varint(&[0x80], &mut 0), None);
    }

    #[test]
    fn many_small_fields_are_refused_before_they_are_made() {
        let nodes = [0x0a, 0x00].repeat(MAX_FIELDS + 1);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(nodes.len() as u64, &mut file);
        file.extend(nodes);
        let error = decode(&file).expect_err("too many").to_string();
        assert!(error.contains("fields"), "{error}");
    }

    #[test]
    fn offsets_are_named() {
        let error = decode(&[0x08, 0x08, 0x3a, 0x05, 0x0a, 0x09]).expect_err("short");
        assert!(error.to_string().contains("byte 2"), "{error}");
        let error = decode(&[0x08, 0x08, 0x3a, 0x02, 0x0a, 0x09]).expect_err("short");
        assert!(error.to_string().contains("byte 4"), "{error}");
    }
}
