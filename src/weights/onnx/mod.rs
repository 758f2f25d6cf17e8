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
mod wire;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt,
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
pub(crate) struct OnnxFile<'m>(Model<'m>);

impl<'m> OnnxFile<'m> {
    /// Decodes a file, without looking for a network in it.
    pub(crate) fn parse(bytes: &'m [u8], budget: &Budget) -> Result<Self, WeightsError> {
        budget.steps(bytes.len())?;
        messages::decode(bytes, budget).map(Self)
    }

    /// Recognises the network in the graph.
    pub(crate) fn fit(&self, budget: &Budget) -> Result<Fitted, WeightsError> {
        let graph = self.graph()?;
        check_opset(&self.0)?;
        let walked = graph::walk(graph, budget)?;
        let weights = chain::weights(&walked, budget)?;
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
            let tensor = node.attribute("value")?.t.as_deref()?;
            Some((*node.output.first()?, tensor))
        });
        let initializers = graph.initializer.iter().map(|t| (t.name, t));
        let mut tensors = NamedTensors::new();
        for (name, tensor) in initializers.chain(constants) {
            let named = (budget.text(name)?, stored(name, tensor, budget)?);
            budget.push(&mut tensors, named)?;
        }
        Ok(tensors)
    }

    /// What the file says about itself.
    pub(crate) fn metadata(
        &self,
        budget: &Budget,
    ) -> Result<BTreeMap<String, String>, WeightsError> {
        let Model {
            producer_name: name,
            producer_version: version,
            ..
        } = self.0;
        let mut metadata = BTreeMap::new();
        for entry in &self.0.metadata_props {
            budget.bytes(ENTRY_BYTES)?;
            metadata.insert(budget.text(entry.key)?, budget.text(entry.value)?);
        }
        budget.bytes(ENTRY_BYTES + 2 * (name.len() + version.len()))?;
        let producer = format!("{name} {version}");
        if !producer.trim().is_empty() {
            metadata.insert("producer".to_owned(), producer.trim().to_owned());
        }
        Ok(metadata)
    }

    fn graph(&self) -> Result<&Graph<'m>, WeightsError> {
        self.0
            .graph
            .as_ref()
            .ok_or_else(|| WeightsError::Onnx("it has no graph".to_owned()))
    }
}

/// Bytes that an entry of the metadata takes beside its text: two strings in a tree whose nodes may be
/// half empty.
const ENTRY_BYTES: usize = 4 * size_of::<String>();

/// Oldest operator set that is read.
const MIN_OPSET: i64 = 8;

fn check_opset(model: &Model<'_>) -> Result<(), WeightsError> {
    let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    let opset = model.opset_import.iter().find(|o| own(o.domain));
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
fn stored<'t>(
    name: &str,
    tensor: &'t Tensor<'_>,
    budget: &Budget,
) -> Result<StoredTensor<'t>, WeightsError> {
    let refused = |problem: String| WeightsError::Tensor {
        key: shortened(name),
        problem,
    };
    if tensor.is_external {
        return Err(refused(
            "lies in an external file, which is never opened; save the model with its weights \
             inside"
                .to_owned(),
        ));
    }
    // The strides, which are made beside the shape.
    budget.bytes(size_of_val(tensor.dims.as_slice()))?;
    let mut shape = budget.list(tensor.dims.len())?;
    for side in &tensor.dims {
        shape.push(
            usize::try_from(*side)
                .map_err(|_| refused(format!("has a negative side: {}", shown(&tensor.dims))))?,
        );
    }
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
        typed_bytes(tensor, dtype, budget)?
    } else {
        Cow::Borrowed(tensor.raw_data)
    };
    StoredTensor::contiguous(dtype, shape, bytes).map_err(refused)
}

/// Little-endian bytes of numbers that are stored in a typed list. Narrow types share the list of
/// 32-bit integers, one number each.
fn typed_bytes<'t>(
    tensor: &'t Tensor<'_>,
    dtype: Dtype,
    budget: &Budget,
) -> Result<Cow<'t, [u8]>, WeightsError> {
    let (varints, number_bytes) = match dtype {
        Dtype::Float(StorageType::F32) => return Ok(Cow::Borrowed(&*tensor.float_data)),
        Dtype::Float(StorageType::F64) => return Ok(Cow::Borrowed(&*tensor.double_data)),
        Dtype::Other("int64", size_bytes) => (&tensor.int64_data, size_bytes),
        other => (&tensor.int32_data, other.size_bytes().min(4)),
    };
    budget.steps(varints.len())?;
    // The last byte of a number is the one without the highest bit.
    let count = varints.iter().filter(|byte| **byte < 0x80).count();
    let mut bytes = budget.list(count.saturating_mul(number_bytes))?;
    for number in wire::varints(varints) {
        bytes.extend_from_slice(&number.to_le_bytes()[..number_bytes]);
    }
    Ok(Cow::Owned(bytes))
}

/// Numbers of a list that are shown before the rest is only counted.
const SHOWN_NUMBERS: usize = 16;

/// A list of the file's numbers made fit for a message: cut when long.
fn shown<T: fmt::Debug>(list: &[T]) -> String {
    let Some((start, rest)) = list.split_at_checked(SHOWN_NUMBERS) else {
        return format!("{list:?}");
    };
    match rest.len() {
        0 => format!("{list:?}"),
        more => {
            let start: Vec<String> = start.iter().map(|number| format!("{number:?}")).collect();
            format!("[{}, … {more} more]", start.join(", "))
        }
    }
}

/// Refuses names that are given twice: which one counts would be a guess.
fn check_unique<'m>(
    names: impl Iterator<Item = &'m str>,
    budget: &Budget,
) -> Result<(), WeightsError> {
    let mut seen = HashMap::new();
    for name in names.filter(|name| !name.is_empty()) {
        if budget.insert(&mut seen, name, ())?.is_some() {
            return Err(WeightsError::DuplicateKey {
                first: shortened(name),
                second: shortened(name),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(shown::<i64>(&[]), "[]");
        assert_eq!(shown(&[1, -2]), "[1, -2]");
        let ends = |count: usize| shown(&vec![7; count]);
        assert!(ends(16).ends_with("7, 7]"), "{}", ends(16));
        assert!(ends(17).ends_with("7, 7, … 1 more]"), "{}", ends(17));
        for count in [17, 1000, 1_000_000] {
            let text = shown(&vec![i64::MIN; count]);
            assert!(text.ends_with(&format!("… {} more]", count - 16)), "{text}");
            assert!(text.len() < 500, "{text}");
        }
    }
}
