//! The part of ONNX's messages that this reader needs, as they are in the file. Everything else is skipped.
//!
//! Field numbers are those of onnx.proto.

use std::{borrow::Cow, fmt};

use super::{
    super::{Result, WeightsError, error::shortened},
    wire::{Decode, Field, Message},
};

#[derive(Clone, Debug, Default)]
pub struct Model<'m> {
    pub producer_name: &'m str,
    pub producer_version: &'m str,
    pub graph: Option<Graph<'m>>,
    pub opset_import: Vec<OperatorSet<'m>>,
    pub metadata_props: Vec<Entry<'m>>,
    pub functions: Vec<Function<'m>>,
    /// The files next to the model, which [`external`](super::external) adds to it.
    pub files: Vec<ExternalFile<'m>>,
}

impl<'m> Decode<'m> for Model<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            2 => self.producer_name = field.text()?,
            3 => self.producer_version = field.text()?,
            7 => field.join(self.graph.get_or_insert_default())?,
            8 => field.add_message(&mut self.opset_import)?,
            14 => field.add_message(&mut self.metadata_props)?,
            25 => field.add_message(&mut self.functions)?,
            ExternalFile::FIELD => field.add_message(&mut self.files)?,
            _ => {}
        }
        Ok(())
    }
}

/// The part of a file next to the model in which its weights are.
#[derive(Clone, Debug, Default)]
pub struct ExternalFile<'m> {
    pub name: &'m str,
    /// Offset of `bytes` in the file.
    pub start: i64,
    pub bytes: &'m [u8],
}

impl ExternalFile<'_> {
    /// A field number that the format does not use.
    pub const FIELD: u64 = 10_000;

    /// The bytes of a model's field in front of the file's own bytes.
    pub fn head(name: &str, start: u64, length: usize) -> Vec<u8> {
        let inner = Message::default().bytes(1, name).int(2, start as i64).lengthy(3, length).0;
        let outer = Message::default().lengthy(Self::FIELD, inner.len() + length).0;
        [outer, inner].concat()
    }
}

impl<'m> Decode<'m> for ExternalFile<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => self.name = field.text()?,
            2 => self.start = field.int()?,
            3 => self.bytes = field.bytes()?,
            _ => {}
        }
        Ok(())
    }
}

/// A function of the model: nodes that stand for one node.
#[derive(Clone, Debug, Default)]
pub struct Function<'m> {
    pub name: &'m str,
    pub domain: &'m str,
    pub overload: &'m str,
    pub input: Vec<&'m str>,
    pub output: Vec<&'m str>,
    pub node: Vec<Node<'m>>,
    /// Attributes with a default.
    pub attribute_proto: Vec<Attribute<'m>>,
    pub opset_import: Vec<OperatorSet<'m>>,
}

impl<'m> Decode<'m> for Function<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => self.name = field.text()?,
            4 => field.add_text(&mut self.input)?,
            5 => field.add_text(&mut self.output)?,
            7 => field.add_message(&mut self.node)?,
            9 => field.add_message(&mut self.opset_import)?,
            10 => self.domain = field.text()?,
            11 => field.add_message(&mut self.attribute_proto)?,
            13 => self.overload = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub struct OperatorSet<'m> {
    pub domain: &'m str,
    pub version: i64,
}

impl<'m> Decode<'m> for OperatorSet<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => self.domain = field.text()?,
            2 => self.version = field.int()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Entry<'m> {
    pub key: &'m str,
    pub value: &'m str,
}

impl<'m> Decode<'m> for Entry<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => self.key = field.text()?,
            2 => self.value = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

/// The name of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name<'m> {
    pub text: &'m str,
    /// The call of a function that the value belongs to; 0 for none.
    pub call: u32,
}

impl<'m> From<&'m str> for Name<'m> {
    fn from(text: &'m str) -> Self {
        Self { text, call: 0 }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Graph<'m> {
    /// The call of a function that the graph belongs to; 0 for none.
    pub call: u32,
    pub node: Vec<Node<'m>>,
    pub initializer: Vec<Tensor<'m>>,
    pub input: Vec<ValueInfo<'m>>,
    pub output: Vec<ValueInfo<'m>>,
}

impl<'m> Decode<'m> for Graph<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => field.add_message(&mut self.node),
            5 => field.add_message(&mut self.initializer),
            11 => field.add_message(&mut self.input),
            12 => field.add_message(&mut self.output),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Node<'m> {
    pub input: Vec<Name<'m>>,
    pub output: Vec<Name<'m>>,
    pub name: &'m str,
    pub op_type: &'m str,
    pub attribute: Vec<Attribute<'m>>,
    pub domain: &'m str,
    pub overload: &'m str,
}

impl<'m> Decode<'m> for Node<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => field.add_text(&mut self.input)?,
            2 => field.add_text(&mut self.output)?,
            3 => self.name = field.text()?,
            4 => self.op_type = field.text()?,
            5 => field.add_message(&mut self.attribute)?,
            7 => self.domain = field.text()?,
            8 => self.overload = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Attribute<'m> {
    pub name: &'m str,
    pub f: f32,
    pub i: i64,
    pub s: &'m [u8],
    pub t: Option<Box<Tensor<'m>>>,
    pub g: Option<Box<Graph<'m>>>,
    pub floats: Vec<f32>,
    pub ints: Vec<i64>,
    /// In a function: the attribute of the call whose value this is; empty if this has its own.
    pub ref_attr_name: &'m str,
}

impl<'m> Decode<'m> for Attribute<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => self.name = field.text()?,
            2 => self.f = field.float()?,
            3 => self.i = field.int()?,
            4 => self.s = field.bytes()?,
            5 => field.join_boxed(&mut self.t)?,
            6 => field.join_boxed(&mut self.g)?,
            7 => field.add_floats(&mut self.floats)?,
            8 => field.add_ints(&mut self.ints)?,
            21 => self.ref_attr_name = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Tensor<'m> {
    pub dims: Vec<i64>,
    pub data_type: i32,
    pub name: &'m str,
    pub raw_data: &'m [u8],
    /// Little-endian numbers.
    pub float_data: Cow<'m, [u8]>,
    /// Little-endian numbers.
    pub double_data: Cow<'m, [u8]>,
    /// Numbers as [`wire::varints`] reads them.
    pub int32_data: Cow<'m, [u8]>,
    /// Numbers as [`wire::varints`] reads them.
    pub int64_data: Cow<'m, [u8]>,
    /// Its numbers are stored in another file.
    pub is_external: bool,
    /// Where they are in it.
    pub external_data: Vec<Entry<'m>>,
}

impl<'m> Decode<'m> for Tensor<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        match field.number {
            1 => field.add_ints(&mut self.dims)?,
            2 => self.data_type = field.int()? as i32,
            4 => field.append(&mut self.float_data, field.encoded_floats()?)?,
            5 => field.append(&mut self.int32_data, field.encoded_varints()?)?,
            7 => field.append(&mut self.int64_data, field.encoded_varints()?)?,
            8 => self.name = field.text()?,
            9 => self.raw_data = field.bytes()?,
            10 => field.append(&mut self.double_data, field.encoded_doubles()?)?,
            13 => field.add_message(&mut self.external_data)?,
            14 => self.is_external |= field.int()? as i32 != 0,
            _ => {}
        }
        Ok(())
    }
}

/// An input or output of a graph.
#[derive(Clone, Debug, Default)]
pub struct ValueInfo<'m> {
    pub name: &'m str,
    /// The type of its numbers; 0 if the file does not say.
    pub elem_type: i32,
    /// Its sides, if the file says; a free one is 0.
    pub dims: Option<Vec<i64>>,
}

impl<'m> Decode<'m> for ValueInfo<'m> {
    fn take(&mut self, field: Field<'m, '_>) -> Result<()> {
        self.take_at(0, &field)
    }
}

impl<'m> ValueInfo<'m> {
    /// Takes a field of the value (level 0), its type (1), the tensor in it (2), its shape (3) or one of its sides (4).
    fn take_at(&mut self, level: usize, field: &Field<'m, '_>) -> Result<()> {
        match (level, field.number) {
            (0, 1) => self.name = field.text()?,
            (2, 1) => self.elem_type = field.int()? as i32,
            (4, 1) => {
                let side = field.int()?;
                self.dims.iter_mut().flatten().last().into_iter().for_each(|last| *last = side);
            }
            (0, 2) | (1, 1) | (2, 2) | (3, 1) => {
                match level {
                    2 => drop(self.dims.get_or_insert_default()),
                    3 => field.push(self.dims.get_or_insert_default(), 0)?,
                    _ => {}
                }
                return field.each(&mut |inner| self.take_at(level + 1, &inner));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Attribute<'_> {
    /// Bytes of the attribute, without those of a graph.
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(self.floats.as_slice())
            + size_of_val(self.ints.as_slice())
            + self.t.as_ref().map_or(0, |tensor| tensor.size_bytes())
    }
}

impl Tensor<'_> {
    /// Bytes of a copy.
    pub fn size_bytes(&self) -> usize {
        let lists = [&self.float_data, &self.double_data, &self.int32_data, &self.int64_data];
        let owned = lists.iter().filter(|list| matches!(list, Cow::Owned(_)));
        size_of::<Self>()
            + size_of_val(self.dims.as_slice())
            + size_of_val(self.external_data.as_slice())
            + owned.map(|list| list.len()).sum::<usize>()
    }
}

impl<'m> Node<'m> {
    pub fn attribute(&self, name: &str) -> Option<&Attribute<'m>> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// An integer attribute, or its default.
    pub fn int(&self, name: &str, absent: i64) -> i64 {
        self.attribute(name).map_or(absent, |a| a.i)
    }

    /// True if an integer attribute is not zero.
    pub fn flag(&self, name: &str, absent: bool) -> bool {
        self.int(name, absent.into()) != 0
    }

    pub fn float(&self, name: &str, absent: f32) -> f32 {
        self.attribute(name).map_or(absent, |a| a.f)
    }

    /// A list of integers; empty if it is absent.
    pub fn ints(&self, name: &str) -> &[i64] {
        self.attribute(name).map_or(&[], |a| &a.ints)
    }

    /// The order in which a Transpose takes `count` sides.
    pub fn order(&self, count: usize) -> Vec<usize> {
        match self.attribute("perm") {
            Some(a) => a.ints.iter().map(|&i| usize::try_from(i).unwrap_or(usize::MAX)).collect(),
            None => (0..count).rev().collect(),
        }
    }

    /// A text attribute, or its default.
    pub fn text<'a>(&self, name: &str, absent: &'a str) -> &'a str
    where
        'm: 'a,
    {
        self.attribute(name).map_or(absent, |a| std::str::from_utf8(a.s).unwrap_or("unreadable"))
    }

    /// The name of an input; `None` if the optional input is absent.
    pub fn input(&self, index: usize) -> Option<Name<'m>> {
        self.input.get(index).copied().filter(|name| !name.text.is_empty())
    }

    /// The name of an input for a message.
    pub fn input_key(&self, index: usize) -> String {
        shortened(self.input(index).unwrap_or_default().text)
    }

    /// Calls `visit` with the node and all nodes of the graphs in its attributes.
    pub fn each(&self, visit: &mut impl FnMut(&Self) -> Result<()>) -> Result<()> {
        visit(self)?;
        self.attribute
            .iter()
            .filter_map(|attribute| attribute.g.as_ref())
            .flat_map(|graph| &graph.node)
            .try_for_each(|node| node.each(visit))
    }

    /// Why the node is not supported: `problem` follows its label.
    pub fn refused(&self, problem: impl fmt::Display) -> WeightsError {
        WeightsError::Graph(format!("{} {problem}", self.label()))
    }

    /// The node in messages: its operator and its name or, without a name, its result.
    pub fn label(&self) -> String {
        let name = if self.name.is_empty() {
            self.output.first().copied().unwrap_or_default().text
        } else {
            self.name
        };
        // Cut each part before joining them: the file decides how long they are.
        shortened(&format!("{} '{}'", shortened(self.op_type), shortened(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Budget, onnx::wire};

    fn decoded(bytes: &[u8]) -> Result<Model<'_>, String> {
        wire::read(bytes, &Budget::for_file(bytes.len())).map_err(|error| error.to_string())
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
    fn numbers_are_not_copied() {
        let numbers = [0u8; 64];
        let tensor = [&[0x10, 1][..], &field(1, &[16]), &field(4, &numbers)].concat();
        let file = field(7, &field(5, &tensor));
        let budget = Budget::for_file(file.len());
        let model: Model<'_> = wire::read(&file, &budget).expect("well formed");
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
        let node = Node { op_type: "Relu", output: vec!["y".into()], ..Node::default() };
        assert_eq!(node.label(), "Relu 'y'");
    }
}
