//! The part of ONNX's messages that this reader needs, as they are in the file. Everything else is skipped.
//!
//! Field numbers are those of onnx.proto.

use std::borrow::Cow;

use super::{
    super::{Budget, WeightsError, error::shortened},
    wire::{self, Field, Message},
};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Model<'m> {
    pub(super) producer_name: &'m str,
    pub(super) producer_version: &'m str,
    pub(super) graph: Option<Graph<'m>>,
    pub(super) opset_import: Vec<OperatorSet<'m>>,
    pub(super) metadata_props: Vec<Entry<'m>>,
}

impl<'m> Message<'m> for Model<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            2 => self.producer_name = field.text()?,
            3 => self.producer_version = field.text()?,
            7 => field.join(self.graph.get_or_insert_default())?,
            8 => field.add_message(&mut self.opset_import)?,
            14 => field.add_message(&mut self.metadata_props)?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OperatorSet<'m> {
    pub(super) domain: &'m str,
    pub(super) version: i64,
}

impl<'m> Message<'m> for OperatorSet<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => self.domain = field.text()?,
            2 => self.version = field.int()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry<'m> {
    pub(super) key: &'m str,
    pub(super) value: &'m str,
}

impl<'m> Message<'m> for Entry<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => self.key = field.text()?,
            2 => self.value = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Graph<'m> {
    pub(super) node: Vec<Node<'m>>,
    pub(super) initializer: Vec<Tensor<'m>>,
    pub(super) input: Vec<ValueInfo<'m>>,
    pub(super) output: Vec<ValueInfo<'m>>,
}

impl<'m> Message<'m> for Graph<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => field.add_message(&mut self.node),
            5 => field.add_message(&mut self.initializer),
            11 => field.add_message(&mut self.input),
            12 => field.add_message(&mut self.output),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node<'m> {
    pub(super) input: Vec<&'m str>,
    pub(super) output: Vec<&'m str>,
    pub(super) name: &'m str,
    pub(super) op_type: &'m str,
    pub(super) attribute: Vec<Attribute<'m>>,
    pub(super) domain: &'m str,
}

impl<'m> Message<'m> for Node<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => field.add_text(&mut self.input)?,
            2 => field.add_text(&mut self.output)?,
            3 => self.name = field.text()?,
            4 => self.op_type = field.text()?,
            5 => field.add_message(&mut self.attribute)?,
            7 => self.domain = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attribute<'m> {
    pub(super) name: &'m str,
    pub(super) f: f32,
    pub(super) i: i64,
    pub(super) s: &'m [u8],
    pub(super) t: Option<Box<Tensor<'m>>>,
    pub(super) floats: Vec<f32>,
    pub(super) ints: Vec<i64>,
}

impl<'m> Message<'m> for Attribute<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => self.name = field.text()?,
            2 => self.f = field.float()?,
            3 => self.i = field.int()?,
            4 => self.s = field.bytes()?,
            5 => field.join_boxed(&mut self.t)?,
            7 => field.add_floats(&mut self.floats)?,
            8 => field.add_ints(&mut self.ints)?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tensor<'m> {
    pub(super) dims: Vec<i64>,
    pub(super) data_type: i32,
    pub(super) name: &'m str,
    pub(super) raw_data: &'m [u8],
    /// Little-endian numbers.
    pub(super) float_data: Cow<'m, [u8]>,
    /// Little-endian numbers.
    pub(super) double_data: Cow<'m, [u8]>,
    /// Numbers as [`wire::varints`] reads them.
    pub(super) int32_data: Cow<'m, [u8]>,
    /// Numbers as [`wire::varints`] reads them.
    pub(super) int64_data: Cow<'m, [u8]>,
    /// Whether its numbers are stored in another file.
    pub(super) is_external: bool,
}

impl<'m> Message<'m> for Tensor<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => field.add_ints(&mut self.dims)?,
            2 => self.data_type = field.int()? as i32,
            4 => field.append(&mut self.float_data, field.encoded_floats()?)?,
            5 => field.append(&mut self.int32_data, field.encoded_varints()?)?,
            7 => field.append(&mut self.int64_data, field.encoded_varints()?)?,
            8 => self.name = field.text()?,
            9 => self.raw_data = field.bytes()?,
            10 => field.append(&mut self.double_data, field.encoded_doubles()?)?,
            13 => self.is_external = true,
            14 => self.is_external |= field.int()? as i32 != 0,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ValueInfo<'m> {
    pub(super) name: &'m str,
    pub(super) kind: Option<ValueType>,
}

impl<'m> Message<'m> for ValueInfo<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => self.name = field.text()?,
            2 => field.join(self.kind.get_or_insert_default())?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ValueType {
    pub(super) tensor: Option<TensorType>,
}

impl<'m> Message<'m> for ValueType {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => field.join(self.tensor.get_or_insert_default()),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TensorType {
    pub(super) elem_type: i32,
    pub(super) shape: Option<TensorShape>,
}

impl<'m> Message<'m> for TensorType {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => self.elem_type = field.int()? as i32,
            2 => field.join(self.shape.get_or_insert_default())?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TensorShape {
    pub(super) dim: Vec<Dimension>,
}

impl<'m> Message<'m> for TensorShape {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        match field.number {
            1 => field.add_message(&mut self.dim),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dimension {
    /// Zero if the side is free.
    pub(super) dim_value: i64,
}

impl<'m> Message<'m> for Dimension {
    fn take(&mut self, field: Field<'m, '_>) -> Result<(), WeightsError> {
        if field.number == 1 {
            self.dim_value = field.int()?;
        }
        Ok(())
    }
}

impl<'m> Node<'m> {
    pub(super) fn attribute(&self, name: &str) -> Option<&Attribute<'m>> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// A text attribute, or its default.
    pub(super) fn text<'a>(&self, name: &str, absent: &'a str) -> &'a str
    where
        'm: 'a,
    {
        self.attribute(name).map_or(absent, |a| std::str::from_utf8(a.s).unwrap_or("unreadable"))
    }

    /// The name of an input; `None` if the optional input is absent.
    pub(super) fn input(&self, index: usize) -> Option<&'m str> {
        self.input.get(index).copied().filter(|name| !name.is_empty())
    }

    /// The node in messages: its operator and its name or, without a name, its result.
    pub(super) fn label(&self) -> String {
        let name = if self.name.is_empty() {
            self.output.first().copied().unwrap_or_default()
        } else {
            self.name
        };
        // Cut each part before joining them: the file decides how long they are.
        shortened(&format!("{} '{}'", shortened(self.op_type), shortened(name)))
    }
}

/// Decodes a file.
///
/// # Errors
/// [`WeightsError::Onnx`] with the offset where the file is truncated; [`WeightsError::TooCostly`] if it would take
/// more memory than its size allows.
pub(super) fn decode<'m>(bytes: &'m [u8], budget: &Budget) -> Result<Model<'m>, WeightsError> {
    wire::read(bytes, budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Model<'_>, String> {
        decode(bytes, &Budget::for_file(bytes.len())).map_err(|error| error.to_string())
    }

    /// A field of a message. Its length is less than 128 bytes, or is written with five bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        let seven = |shift: usize| (length >> shift) as u8 & 0x7f;
        let mut bytes = vec![number << 3 | 2];
        bytes.extend([0, 7, 14, 21].map(|shift| seven(shift) | 0x80));
        bytes.push(seven(28));
        bytes.extend(content);
        bytes
    }

    #[test]
    fn many_small_fields_are_refused_before_they_are_made() {
        for (inside, count) in [(1, 200_000), (5, 200_000), (11, 500_000), (12, 500_000)] {
            let file = field(7, &[inside << 3 | 2, 0].repeat(count));
            let error = decoded(&file).expect_err("too many");
            assert!(error.contains("bytes of memory"), "{inside}: {error}");
        }
    }

    #[test]
    fn offsets_are_named() {
        let error = decoded(&[0x08, 0x08, 0x3a, 0x05, 0x0a, 0x09]).expect_err("short");
        assert!(error.contains("byte 2"), "{error}");
        let error = decoded(&[0x08, 0x08, 0x3a, 0x02, 0x0a, 0x09]).expect_err("short");
        assert!(error.contains("byte 4"), "{error}");
    }

    #[test]
    fn numbers_stay_where_they_lie() {
        let numbers = [0u8; 64];
        let tensor = [&[0x10, 1][..], &field(1, &[16]), &field(4, &numbers)].concat();
        let file = field(7, &field(5, &tensor));
        let budget = Budget::for_file(file.len());
        let model = decode(&file, &budget).expect("well formed");
        let graph = model.graph.expect("there");
        assert!(matches!(graph.initializer[0].float_data, Cow::Borrowed(b) if b == numbers));
        let drawn = budget.cost().bytes;
        // A list starts with capacity for four items.
        let structs = 4 * (size_of::<Tensor<'_>>() + size_of::<i64>());
        assert_eq!(drawn as usize, structs);
    }

    #[test]
    fn long_names_are_cut_before_they_are_copied() {
        let long = "\u{1f600}".repeat(1000);
        let node = Node { op_type: &long, name: &long, ..Node::default() };
        assert_eq!(node.label(), shortened(&format!("{long} '{long}'")));
        let node = Node { op_type: "Relu", output: vec!["y"], ..Node::default() };
        assert_eq!(node.label(), "Relu 'y'");
    }
}
