//! The safetensors format: a length, a JSON header, and the numbers.
//!
//! The header is looked at before the `safetensors` crate sees it, because the crate accepts a
//! header of 100 MB and lets the last of two equal keys win. Writing is our own few lines: the
//! crate orders the metadata at random, and the same weights should give the same bytes.

use std::{borrow::Cow, collections::BTreeMap, fmt, fs::File, io::Read, path::Path};

use safetensors::{SafeTensorError, SafeTensors, tensor::Dtype as FileDtype};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::network::Network;

use super::{
    Budget, Checkpoint, Family, StorageType, WeightsError,
    error::shortened,
    fit::{Fitted, NamedTensors, fit},
    tensor::{Dtype, StoredTensor},
};

/// Longest header that is read, in bytes; those of style networks have some 10 KB.
const MAX_HEADER_BYTES: u64 = 4 * 1024 * 1024;

/// What a header says besides where the tensors lie.
struct Header {
    keys: Vec<String>,
    metadata: BTreeMap<String, String>,
}

/// Reads a checkpoint from the bytes of a safetensors file.
///
/// # Errors
/// [`WeightsError`] names the key and what is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Checkpoint, WeightsError> {
    read_within(bytes, &Budget::for_file(bytes.len()))
}

/// As [`read`], drawing on `budget`.
pub(super) fn read_within(bytes: &[u8], budget: &Budget) -> Result<Checkpoint, WeightsError> {
    let (tensors, metadata) = parse(bytes, budget)?;
    let fitted = with_family(fit(&tensors, budget)?, &metadata);
    Ok(Checkpoint::new(fitted, metadata))
}

/// A file with the published names and a title is one of StyleForge's styles.
pub(crate) fn with_family(fitted: Fitted, metadata: &BTreeMap<String, String>) -> Fitted {
    let family = match fitted.family {
        Family::PytorchExamples if metadata.contains_key("title") => Family::Style,
        other => other,
    };
    Fitted { family, ..fitted }
}

/// Names, tensors and metadata, without looking for a network in them.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    budget: &Budget,
) -> Result<(NamedTensors<'a>, BTreeMap<String, String>), WeightsError> {
    budget.steps(bytes.len())?;
    let length = header_length(bytes, bytes.len() as u64)?;
    let text = bytes
        .get(8..8 + length)
        .ok_or_else(|| broken("the header reaches past the end of the file"))?;
    let header = parse_header(text)?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| match error {
        SafeTensorError::MetadataIncompleteBuffer => broken(
            "its numbers do not end where the file ends; it was cut off or something was added",
        ),
        other => match misfit(text) {
            Some(key) => broken(format!("{key}: its shape, type and offsets do not agree")),
            None => broken(other),
        },
    })?;
    let mut tensors = Vec::new();
    for key in header.keys {
        let view = file.tensor(&key).map_err(broken)?;
        let tensor = StoredTensor::contiguous(
            dtype(view.dtype()),
            view.shape().to_vec(),
            Cow::Borrowed(view.data()),
        )
        .map_err(|problem| WeightsError::Tensor {
            key: shortened(&key),
            problem,
        })?;
        tensors.push((key, tensor));
    }
    Ok((tensors, header.metadata))
}

/// The first key whose offsets do not hold as many bytes as its shape and type ask for; the crate
/// refuses such a file without naming it.
fn misfit(header: &[u8]) -> Option<String> {
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let agrees = |entry: &serde_json::Value| -> Option<bool> {
        let numbers = |name: &str| -> Option<Vec<u64>> {
            entry
                .get(name)?
                .as_array()?
                .iter()
                .map(serde_json::Value::as_u64)
                .collect()
        };
        let value_bytes = match entry.get("dtype")?.as_str()? {
            "F64" | "I64" | "U64" => 8,
            "F32" | "I32" | "U32" => 4,
            "F16" | "BF16" | "I16" | "U16" => 2,
            _ => 1,
        };
        let mut needed: u64 = value_bytes;
        for side in numbers("shape")? {
            needed = needed.checked_mul(side)?;
        }
        let [start, end] = numbers("data_offsets")?.try_into().ok()?;
        Some(end.checked_sub(start)? == needed)
    };
    let tensors = header.iter().filter(|(key, _)| *key != "__metadata__");
    tensors
        .map(|(key, entry)| (key, agrees(entry).unwrap_or(false)))
        .find(|(_, agrees)| !agrees)
        .map(|(key, _)| shortened(key))
}

/// Reads only the metadata of a file: some KB, whatever the size of the weights.
///
/// # Errors
/// [`WeightsError::Read`] and [`WeightsError::Safetensors`].
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>, WeightsError> {
    let failed = |source| WeightsError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let file_bytes = file.metadata().map_err(failed)?.len();
    let mut start = Vec::new();
    (&file).take(8).read_to_end(&mut start).map_err(failed)?;
    let length = header_length(&start, file_bytes)?;
    let mut text = Vec::with_capacity(length);
    (&file)
        .take(length as u64)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Ok(parse_header(&text)?.metadata)
}

fn broken(problem: impl fmt::Display) -> WeightsError {
    WeightsError::Safetensors(problem.to_string())
}

/// The header's length, in bytes, which the first eight bytes declare.
fn header_length(start: &[u8], file_bytes: u64) -> Result<usize, WeightsError> {
    let Some(length) = start.first_chunk::<8>() else {
        return Err(broken("the file ends before its header"));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(broken(format!(
            "it declares a header of {length} bytes; up to {MAX_HEADER_BYTES} are read"
        )));
    }
    if length + 8 > file_bytes {
        return Err(broken(format!(
            "it declares a header of {length} bytes but has only {file_bytes} bytes in all"
        )));
    }
    usize::try_from(length).map_err(broken)
}

fn parse_header(text: &[u8]) -> Result<Header, WeightsError> {
    let header: Header = serde_json::from_slice(text).map_err(broken)?;
    let mut seen = std::collections::HashSet::new();
    for key in &header.keys {
        if !seen.insert(key) {
            return Err(WeightsError::DuplicateKey {
                first: shortened(key),
                second: shortened(key),
            });
        }
    }
    Ok(header)
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header {
                    keys: Vec::new(),
                    metadata: BTreeMap::new(),
                };
                while let Some(key) = map.next_key::<String>()? {
                    if key == "__metadata__" {
                        header.metadata = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        header.keys.push(key);
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Our name and size of a number type; sizes of less than a byte count as one, since such tensors
/// are only ever named in a refusal.
fn dtype(file: FileDtype) -> Dtype {
    match file {
        FileDtype::F16 => Dtype::Float(StorageType::F16),
        FileDtype::BF16 => Dtype::Float(StorageType::Bf16),
        FileDtype::F32 => Dtype::Float(StorageType::F32),
        FileDtype::F64 => Dtype::Float(StorageType::F64),
        FileDtype::BOOL => Dtype::Other("bool", 1),
        FileDtype::U8 => Dtype::Other("uint8", 1),
        FileDtype::I8 => Dtype::Other("int8", 1),
        FileDtype::I16 => Dtype::Other("int16", 2),
        FileDtype::U16 => Dtype::Other("uint16", 2),
        FileDtype::I32 => Dtype::Other("int32", 4),
        FileDtype::U32 => Dtype::Other("uint32", 4),
        FileDtype::I64 => Dtype::Other("int64", 8),
        FileDtype::U64 => Dtype::Other("uint64", 8),
        other => Dtype::Other("an unusual number type", (other.bitsize() / 8).max(1)),
    }
}

/// The bytes of a safetensors file with the published names, fp16 or fp32.
///
/// # Errors
/// [`WeightsError::Safetensors`] when the header cannot be written as JSON.
pub(crate) fn write(
    network: &Network,
    half_precision: bool,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    let mut data = Vec::new();
    let mut add = |name: String, shape: &[usize], values: &[f32]| {
        let start = data.len();
        for value in values {
            if half_precision {
                data.extend(half::f16::from_f32(*value).to_le_bytes());
            } else {
                data.extend(value.to_le_bytes());
            }
        }
        let entry = serde_json::json!({
            "dtype": if half_precision { "F16" } else { "F32" },
            "shape": shape,
            "data_offsets": [start, data.len()],
        });
        header.insert(name, entry);
    };
    for (conv, weights) in network.spec().convs().iter().zip(network.convs()) {
        let (out, k) = (conv.out_channels, conv.kernel);
        let name = format!("{}.conv2d", conv.name);
        let shape = [out, conv.in_channels, k, k];
        add(format!("{name}.weight"), &shape, &weights.weight);
        add(format!("{name}.bias"), &[out], &weights.bias);
        if let (Some(norm), Some(values)) = (&conv.norm_name, &weights.norm) {
            add(format!("{norm}.weight"), &[out], &values.gamma);
            add(format!("{norm}.bias"), &[out], &values.beta);
        }
    }
    let mut text = serde_json::to_vec(&header).map_err(broken)?;
    // The numbers start at a multiple of eight, as the format wants it.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.append(&mut text);
    file.append(&mut data);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::NetworkSpec;

    fn file(header: &str, data_bytes: usize) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.resize(file.len() + data_bytes, 0);
        file
    }

    fn message(bytes: &[u8]) -> String {
        read(bytes).expect_err("refused").to_string()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let network = Network::random(NetworkSpec::with_widths([2, 3, 4]), 3).expect("valid");
        let metadata = BTreeMap::from([("title".to_owned(), "A \"title\"".to_owned())]);
        let bytes = write(&network, false, &metadata).expect("written");
        let checkpoint = read(&bytes).expect("read");
        assert_eq!(*checkpoint.network, network);
        assert_eq!(checkpoint.metadata, metadata);
        assert_eq!(checkpoint.storage, StorageType::F32);
        assert_eq!(checkpoint.to_safetensors().expect("written"), bytes);
    }

    #[test]
    fn half_precision_survives_unchanged() {
        let network = Network::random(NetworkSpec::with_widths([2, 3, 4]), 3).expect("valid");
        let bytes = write(&network, true, &BTreeMap::new()).expect("written");
        let checkpoint = read(&bytes).expect("read");
        assert_eq!(checkpoint.storage, StorageType::F16);
        assert_eq!(checkpoint.to_safetensors().expect("written"), bytes);
    }

    #[test]
    fn lengths_are_checked_before_anything_is_read() {
        assert!(message(b"").contains("ends before its header"));
        let mut huge = u64::MAX.to_le_bytes().to_vec();
        huge.extend(b"{}");
        assert!(message(&huge).contains("declares a header"));
        let mut long = 1000u64.to_le_bytes().to_vec();
        long.extend(b"{}");
        assert!(message(&long).contains("only 10 bytes"));
    }

    #[test]
    fn equal_keys_are_refused() {
        let one = r#""in1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        let text = message(&file(&format!("{{{one},{one}}}"), 4));
        assert!(text.contains("in1.weight twice"), "{text}");
    }

    #[test]
    fn offsets_past_the_end_are_refused() {
        let header = r#"{"in1.weight":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}"#;
        assert!(message(&file(header, 4)).contains("safetensors"));
    }
}
