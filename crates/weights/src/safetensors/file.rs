//! The safetensors format: a length, a JSON header, and the numbers.
//!
//! The header is not read with the `safetensors` crate: the crate accepts a header of 100 MB, allocates fifty bytes per
//! byte of it, and lets the last of two equal keys win. Writing is implemented here as well: the crate writes the
//! metadata in random order, but the same weights should yield the same bytes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
    io::Read,
    path::Path,
};

use safetensors::tensor::Dtype as FileDtype;
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value, json};

use crate::{
    Budget, Result, WeightsError,
    error::shortened,
    fit::TensorFile,
    plain_file,
    tensor::{Dtype, StoredTensor, encoded},
};

/// Maximum length of a header. Those of style networks have about 10 KB.
const MAX_HEADER_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of a value in a header: a text in the map of metadata, whose leaves may be half empty.
const BYTES_PER_VALUE: usize = 128;

/// The key of the metadata in a header.
const METADATA: &str = "__metadata__";

/// The contents of a header.
struct Header {
    /// Keys and entries in the header's order. Keys may repeat until they have been checked.
    tensors: Vec<(String, Entry)>,
    metadata: BTreeMap<String, String>,
}

/// Names, tensors and metadata, without looking for a network in them.
pub fn parse<'a>(bytes: &'a [u8], budget: &Budget) -> Result<TensorFile<'a>> {
    let length = header_length(bytes, bytes.len() as u64)?;
    let (text, data) = bytes[8..]
        .split_at_checked(length)
        .ok_or_else(|| broken("the header reaches past the end of the file"))?;
    let header = parse_header(text, budget)?;
    check_offsets(&header, data, budget)?;
    let mut tensors = budget.list(header.tensors.len())?;
    for (key, entry) in header.tensors {
        let [start, end] = entry.data_offsets;
        let numbers = data.get(start..end).unwrap_or_default();
        // A tensor's strides take as much memory as its sides.
        budget.bytes(size_of_val(entry.shape.as_slice()))?;
        let dtype = Dtype::named(dtype(entry.dtype));
        let tensor = StoredTensor::contiguous(dtype, entry.shape, Cow::Borrowed(numbers))
            .map_err(|problem| WeightsError::tensor(&key, problem))?;
        tensors.push((key, tensor));
    }
    Ok((tensors, header.metadata))
}

/// Refuses tensors that do not fill the data in sequence, from the first byte to the last.
fn check_offsets(header: &Header, data: &[u8], budget: &Budget) -> Result<()> {
    let mut order: Vec<&(String, Entry)> = budget.list(header.tensors.len())?;
    order.extend(&header.tensors);
    order.sort_unstable_by_key(|(_, entry)| entry.data_offsets);
    let mut at = 0;
    for (key, entry) in order {
        let [start, end] = entry.data_offsets;
        if start != at || end < start {
            return Err(broken(format!(
                "{} is at bytes {start} to {end}, which leaves a gap or overlaps another tensor",
                shortened(key)
            )));
        }
        at = end;
    }
    if at != data.len() {
        return Err(broken(
            "its data do not end at the end of the file; it was cut off or extended",
        ));
    }
    Ok(())
}

/// Reads only the metadata of a file: a few KB, whatever the size of the weights.
///
/// # Errors
/// [`WeightsError::Read`] and [`WeightsError::Safetensors`].
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>> {
    let failed = |source| WeightsError::Read { path: path.to_owned(), source };
    let (file, file_bytes) = plain_file::open(path).map_err(failed)?;
    let mut start = Vec::new();
    (&file).take(8).read_to_end(&mut start).map_err(failed)?;
    let length = header_length(&start, file_bytes)?;
    let mut text = Vec::new();
    (&file).take(length as u64).read_to_end(&mut text).map_err(failed)?;
    let budget = Budget::for_file(usize::try_from(file_bytes).map_err(broken)?);
    Ok(parse_header(&text, &budget)?.metadata)
}

/// The same file with these texts added to its metadata.
///
/// # Errors
/// [`WeightsError`] if the file, before or after the change, is not valid.
pub fn with_metadata(bytes: &[u8], texts: &[(&str, &str)]) -> Result<Vec<u8>> {
    parse(bytes, &Budget::for_file(bytes.len()))?;
    let length = header_length(bytes, bytes.len() as u64)?;
    let (text, data) = bytes[8..].split_at(length);
    let mut header: Map<String, Value> = serde_json::from_slice(text).map_err(broken)?;
    let metadata = header.entry(METADATA).or_insert_with(|| Value::Object(Map::new()));
    for (key, text) in texts {
        metadata[*key] = Value::from(*text);
    }
    let file = file_of(&header, data)?;
    parse(&file, &Budget::for_file(file.len()))?;
    Ok(file)
}

/// The bytes of a file.
fn file_of(header: &Map<String, Value>, data: &[u8]) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(header).map_err(broken)?;
    // The format requires the numbers to begin at a multiple of eight.
    text.resize(text.len().next_multiple_of(8), b' ');
    let length = (text.len() as u64).to_le_bytes();
    Ok([length.as_slice(), &text, data].concat())
}

pub fn broken(problem: impl fmt::Display) -> WeightsError {
    WeightsError::Safetensors(problem.to_string())
}

/// The header's length in bytes, which the first eight bytes declare.
pub fn header_length(start: &[u8], file_bytes: u64) -> Result<usize> {
    let Some(length) = start.first_chunk::<8>() else {
        return Err(broken("the file ends before its header"));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(broken(format!(
            "it declares a header of {length} bytes; the maximum is {MAX_HEADER_BYTES}"
        )));
    }
    if length + 8 > file_bytes {
        return Err(broken(format!(
            "it declares a header of {length} bytes but has only {file_bytes} bytes in all"
        )));
    }
    usize::try_from(length).map_err(broken)
}

fn parse_header(text: &[u8], budget: &Budget) -> Result<Header> {
    budget.steps(text.len())?;
    // Every value in a map follows a colon, and all but the first side of a tensor a comma. An entry has four colons,
    // which pay for its place in a growing list.
    let count = |sign: u8| text.iter().filter(|&&byte| byte == sign).count();
    budget.bytes(text.len() + BYTES_PER_VALUE * count(b':') + size_of::<usize>() * count(b','))?;
    let mut json = serde_json::Deserializer::from_slice(text);
    let header = json.deserialize_map(HeaderVisitor).map_err(broken)?;
    json.end().map_err(broken)?;
    let mut seen = HashMap::new();
    for (key, _) in &header.tensors {
        budget.insert_once(&mut seen, key, ())?;
    }
    Ok(header)
}

/// Reads a header entry by entry, and keeps those with equal keys.
struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header { tensors: Vec::new(), metadata: BTreeMap::new() };
        let mut has_metadata = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == METADATA {
                if has_metadata {
                    return Err(A::Error::duplicate_field(METADATA));
                }
                header.metadata = map.next_value()?;
                has_metadata = true;
                continue;
            }
            let entry: Entry = map.next_value().map_err(|error| {
                let (key, problem) = (shortened(&key), shortened(&error.to_string()));
                A::Error::custom(format_args!("{key}: {problem}"))
            })?;
            header.tensors.push((key, entry));
        }
        Ok(header)
    }
}

/// What a header says about one tensor.
#[derive(Deserialize)]
struct Entry {
    dtype: FileDtype,
    shape: Vec<usize>,
    /// Begin and end of its numbers, in bytes after the header.
    data_offsets: [usize; 2],
}

/// This program's name of a number type.
fn dtype(file: FileDtype) -> &'static str {
    match file {
        FileDtype::F16 => "fp16",
        FileDtype::BF16 => "bf16",
        FileDtype::F32 => "fp32",
        FileDtype::F64 => "fp64",
        FileDtype::BOOL => "bool",
        FileDtype::U8 => "uint8",
        FileDtype::I8 => "int8",
        FileDtype::I16 => "int16",
        FileDtype::U16 => "uint16",
        FileDtype::I32 => "int32",
        FileDtype::U32 => "uint32",
        FileDtype::I64 => "int64",
        FileDtype::U64 => "uint64",
        FileDtype::C64 => "complex64",
        FileDtype::F8_E4M3 | FileDtype::F8_E5M2 => "fp8",
        _ => "an unusual number type",
    }
}

/// The bytes of a safetensors file with tensors by name and shape, in fp16 or fp32.
///
/// # Errors
/// [`WeightsError::Safetensors`] when the header cannot be written as JSON.
pub fn write_tensors(
    tensors: &[(String, Vec<usize>, &[f32])],
    half_precision: bool,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let mut header = Map::new();
    header.insert(METADATA.to_owned(), json!(metadata));
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(encoded(values, half_precision));
        let entry = json!({
            "dtype": if half_precision { "F16" } else { "F32" },
            "shape": shape,
            "data_offsets": [start, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    file_of(&header, &data)
}
