//! ONNX graphs of the style network: decoded, recognised, and only then read.
//!
//! A graph is a program, so it is not enough to find weights in it: `graph` follows the picture
//! through every node and brings what it meets to a handful of operations, and `chain` holds
//! these against the network, layer by layer. A graph that does anything else is refused with the
//! first difference. Fixed sizes of old exports are only used to check their arithmetic.

mod chain;
mod graph;
mod messages;
mod numbers;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use super::{
    Budget, Checkpoint, Family, StorageType, WeightsError,
    error::shortened,
    fit::{Fitted, NamedTensors, fit},
    tensor::{Dtype, StoredTensor},
};
use messages::{Graph, Model, Tensor};

/// Reads a checkpoint from the bytes of an ONNX file.
///
/// # Errors
/// [`WeightsError`] names the node, the weight or the byte, and what is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Checkpoint, WeightsError> {
    read_within(bytes, &Budget::for_file(bytes.len()))
}

/// As [`read`], drawing on `budget`.
pub(super) fn read_within(bytes: &[u8], budget: &Budget) -> Result<Checkpoint, WeightsError> {
    let model = OnnxFile::parse(bytes, budget)?;
    let fitted = model.fit(budget)?;
    Ok(Checkpoint::new(fitted, model.metadata(budget)?))
}

/// A decoded file.
pub(crate) struct OnnxFile(Model);

impl OnnxFile {
    /// Decodes a file, without looking for a network in it.
    pub(crate) fn parse(bytes: &[u8], budget: &Budget) -> Result<Self, WeightsError> {
        budget.steps(bytes.len())?;
        messages::decode(bytes).map(Self)
    }

    /// Recognises the network in the graph.
    pub(crate) fn fit(&self, budget: &Budget) -> Result<Fitted, WeightsError> {
        let graph = self.graph()?;
        check_opset(&self.0)?;
        let walked = graph::walk(graph)?;
        let weights = chain::weights(&walked)?;
        let fitted = fit(&weights, budget)?;
        Ok(Fitted {
            family: Family::OnnxExport,
            ..fitted
        })
    }

    /// All weights that the file stores, by the names that it gives them.
    pub(crate) fn tensors(&self, budget: &Budget) -> Result<NamedTensors<'_>, WeightsError> {
        let graph = self.graph()?;
        budget.steps(graph.node.len() + graph.initializer.len())?;
        let constants = graph.node.iter().filter(|n| n.op_type == "Constant");
        let constants = constants.filter_map(|node| {
            let tensor = node.attribute("value")?.t.as_ref()?;
            Some((node.output.first()?, tensor))
        });
        let initializers = graph.initializer.iter().map(|t| (&t.name, t));
        initializers
            .chain(constants)
            .map(|(name, tensor)| Ok((name.clone(), stored(name, tensor)?)))
            .collect()
    }

    /// What the file says about itself.
    pub(crate) fn metadata(
        &self,
        budget: &Budget,
    ) -> Result<BTreeMap<String, String>, WeightsError> {
        budget.steps(self.0.metadata_props.len())?;
        let mut metadata: BTreeMap<String, String> = self
            .0
            .metadata_props
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect();
        let producer = format!("{} {}", self.0.producer_name, self.0.producer_version);
        if !producer.trim().is_empty() {
            metadata.insert("producer".to_owned(), producer.trim().to_owned());
        }
        Ok(metadata)
    }

    fn graph(&self) -> Result<&Graph, WeightsError> {
        self.0
            .graph
            .as_ref()
            .ok_or_else(|| WeightsError::Onnx("it has no graph".to_owned()))
    }
}

/// Oldest operator set that is read.
const MIN_OPSET: i64 = 8;

fn check_opset(model: &Model) -> Result<(), WeightsError> {
    let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model.opset_import.iter().find(|o| own(&o.domain));
    match opset.map(|o| o.version) {
        Some(version) if version >= MIN_OPSET => Ok(()),
        Some(version) => Err(WeightsError::Graph(format!(
            "it uses opset {version}; opset {MIN_OPSET} and later are read"
        ))),
        None => Err(WeightsError::Graph(
            "it does not say which opset it uses".to_owned(),
        )),
    }
}

/// A tensor of the file, its length checked.
fn stored<'m>(name: &str, tensor: &'m Tensor) -> Result<StoredTensor<'m>, WeightsError> {
    let refused = |problem: String| WeightsError::Tensor {
        key: shortened(name),
        problem,
    };
    if tensor.data_location != 0 || !tensor.external_data.is_empty() {
        return Err(refused(
            "lies in an external file, which is never opened; save the model with its weights \
             inside"
                .to_owned(),
        ));
    }
    let shape: Vec<usize> = tensor
        .dims
        .iter()
        .map(|side| usize::try_from(*side))
        .collect::<Result<_, _>>()
        .map_err(|_| refused(format!("has a negative side: {:?}", tensor.dims)))?;
    let float = Dtype::Float;
    let dtype = match tensor.data_type {
        1 => float(StorageType::F32),
        10 => float(StorageType::F16),
        11 => float(StorageType::F64),
        16 => float(StorageType::Bf16),
        2 => Dtype::Other("uint8", 1),
        3 => Dtype::Other("int8", 1),
        4 => Dtype::Other("uint16", 2),
        5 => Dtype::Other("int16", 2),
        6 => Dtype::Other("int32", 4),
        7 => Dtype::Other("int64", 8),
        9 => Dtype::Other("bool", 1),
        12 => Dtype::Other("uint32", 4),
        13 => Dtype::Other("uint64", 8),
        14 => Dtype::Other("complex64", 8),
        15 => Dtype::Other("complex128", 16),
        other => return Err(refused(format!("has the unknown number type {other}"))),
    };
    let bytes = if tensor.raw_data.is_empty() {
        Cow::Owned(typed_bytes(tensor, dtype))
    } else {
        Cow::Borrowed(tensor.raw_data.as_slice())
    };
    StoredTensor::contiguous(dtype, shape, bytes).map_err(refused)
}

/// Little-endian bytes of numbers that are stored in a typed list. Narrow types share the list of
/// 32-bit integers, one number each.
fn typed_bytes(tensor: &Tensor, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::Float(StorageType::F32) => bytes_of(&tensor.float_data, |v| v.to_le_bytes()),
        Dtype::Float(StorageType::F64) => bytes_of(&tensor.double_data, |v| v.to_le_bytes()),
        Dtype::Other("int64", _) => bytes_of(&tensor.int64_data, |v| v.to_le_bytes()),
        Dtype::Float(StorageType::F16 | StorageType::Bf16) | Dtype::Other(_, 2) => {
            bytes_of(&tensor.int32_data, |v| (v as u16).to_le_bytes())
        }
        Dtype::Other(_, 1) => bytes_of(&tensor.int32_data, |v| [v as u8]),
        Dtype::Other(..) => bytes_of(&tensor.int32_data, |v| v.to_le_bytes()),
    }
}

fn bytes_of<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|v| bytes(*v)).collect()
}

/// Refuses names that are given twice: which one counts would be a guess.
fn check_unique<'m>(names: impl Iterator<Item = &'m str>) -> Result<(), WeightsError> {
    let mut seen = HashSet::new();
    for name in names.filter(|name| !name.is_empty()) {
        if !seen.insert(name) {
            return Err(WeightsError::DuplicateKey {
                first: shortened(name),
                second: shortened(name),
            });
        }
    }
    Ok(())
}
