//! ONNX files: decodes them and reads them as the graph of a network.
//!
//! A file is a program, so finding weights in it is not enough. `network` follows the picture through every node and
//! rewrites the nodes as operations of this program's graph. A model is then recognised in that graph. For any other
//! network, the file or the user says what the pixel values mean. This module knows no model.

pub mod export;
mod external;
mod functions;
mod messages;
mod needed;
mod network;
mod numbers;
mod quantised;
mod tensors;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use itertools::Itertools;

use ::network::{
    Network,
    models::{self, FoundNetwork},
};

use super::{
    Budget, Checkpoint, Choice, Family, PixelChoice, PixelFormat, Result, WeightsError,
    any_network::GRAPH_KEY,
    fit::{Fitted, NamedTensors},
    pixels::with_levels,
    safetensors::fit_any,
};
use export::{EXPORT_KEY, PRODUCER_KEY, VALUE_PREFIX};
use messages::{Graph, Model, OperatorSet};
use tensors::stored;

pub(super) use external::add_external_files;

/// Reads a network that computes one map from one map, with any values and channels, both 1 x channels x height x
/// width. [`Checkpoint::from_bytes`] reads networks on pictures, whose values have a known meaning.
///
/// # Errors
/// [`WeightsError`] names the node, the weight or the byte, and what is wrong with it.
pub fn read_on_map(bytes: &[u8]) -> Result<Network> {
    let budget = Budget::for_file(bytes.len());
    let model = OnnxFile::parse(bytes, &budget)?;
    let graph = model.graph()?;
    check_opset(&model.model)?;
    network::read_on_map(&model.model, graph, &budget)
}

/// Reads a checkpoint from the bytes of an ONNX file.
pub(super) fn read_within(bytes: &[u8], budget: &Budget, choice: Choice) -> Result<Checkpoint> {
    let model = OnnxFile::parse(bytes, budget)?;
    let (fitted, guessed) = model.fit(budget, choice)?;
    Ok(Checkpoint { guessed, ..Checkpoint::new(fitted, model.metadata(budget)?) })
}

/// A decoded file.
pub(crate) struct OnnxFile<'m> {
    model: Model<'m>,
    bytes: &'m [u8],
}

impl<'m> OnnxFile<'m> {
    /// Decodes a file, without looking for a network in it.
    pub(crate) fn parse(bytes: &'m [u8], budget: &Budget) -> Result<Self> {
        budget.steps(bytes.len())?;
        let mut model = wire::read(bytes, budget)?;
        external::resolve(&mut model, budget)?;
        functions::expand(&mut model, budget)?;
        Ok(Self { model, bytes })
    }

    /// The network of a file that this program wrote; `None` if another program wrote or changed it. The metadata of
    /// such a file describe its network. They are only believed if that network makes the same file.
    fn exported(&self, budget: &Budget) -> Result<Option<Fitted>> {
        let mut metadata = self.texts(budget)?;
        let export = metadata.remove(EXPORT_KEY).map(|text| serde_json::from_str(&text));
        let Some(Ok(export)) = export else {
            return Ok(None);
        };
        let mut tensors = self.tensors(budget)?;
        tensors.retain(|(name, _)| !name.starts_with(VALUE_PREFIX));
        let Ok(fitted) = fit_any(&tensors, &mut metadata, Choice::default(), budget) else {
            return Ok(None);
        };
        budget.bytes(2 * self.bytes.len())?;
        let written = export::write(&fitted.network, &metadata, &export);
        Ok(written.is_ok_and(|written| written == self.bytes).then_some(fitted))
    }

    /// The network in the graph, of a known model or not, and the assumed pixel format ([`Checkpoint::guessed`]).
    pub(crate) fn fit(
        &self,
        budget: &Budget,
        choice: Choice,
    ) -> Result<(Fitted, Option<PixelFormat>)> {
        if choice == Choice::default()
            && let Some(own) = self.exported(budget)?
        {
            return Ok((own, None));
        }
        let graph = self.graph()?;
        check_opset(&self.model)?;
        choice.check_no_network()?;
        let pixels = choice.pixels;
        let read = network::read(&self.model, graph, budget)?;
        let network::PictureNetwork { network, pixels: own, size, storage, .. } = read;
        let network = if read.may_be_model && pixels == PixelChoice::default() {
            match models::find(network)? {
                FoundNetwork::Model(network) => {
                    let (family, facts) = (Family::OnnxExport, BTreeMap::new());
                    return Ok((Fitted { family, network, storage, facts, code: None }, None));
                }
                FoundNetwork::Other(network) => network,
            }
        } else {
            network
        };
        if read.batch > 1 {
            return Err(refused(format!(
                "its input is a batch of {} pictures; a style needs one",
                read.batch
            )));
        }
        let known = pixels.or(own);
        let format = known.completed().map_err(|known| WeightsError::PixelValues { known })?;
        let mut named = format.named();
        if let Some((height, width)) = size {
            named.insert("size".to_owned(), format!("{width}x{height}"));
        }
        let fitted = Fitted {
            family: Family::PictureNetwork,
            network: with_levels(network, format)?,
            storage,
            facts: named,
            code: None,
        };
        Ok((fitted, known.order.is_none().then_some(format)))
    }

    /// All weights that the file stores, with their names in the file.
    pub(crate) fn tensors(&self, budget: &Budget) -> Result<NamedTensors<'_>> {
        let graph = self.graph()?;
        budget.steps(graph.node.len() + graph.initializer.len())?;
        let constants = graph.node.iter().filter(|n| n.op_type == "Constant").filter_map(|node| {
            let tensor = node.attribute("value")?.t.as_deref()?;
            Some((node.output.first()?.text, tensor))
        });
        let mut tensors = NamedTensors::new();
        for (name, tensor) in graph.initializer.iter().map(|t| (t.name, t)).chain(constants) {
            let named = (budget.text(name)?, stored(name, tensor, budget)?);
            budget.push(&mut tensors, named)?;
        }
        Ok(tensors)
    }

    /// What the file says about itself, without a description of its graph.
    pub(crate) fn metadata(&self, budget: &Budget) -> Result<BTreeMap<String, String>> {
        let Model { producer_name: name, producer_version: version, .. } = self.model;
        let mut metadata = self.texts(budget)?;
        metadata.retain(|key, _| ![EXPORT_KEY, GRAPH_KEY].contains(&key.as_str()));
        budget.bytes(ENTRY_BYTES + 2 * (name.len() + version.len()))?;
        let producer = format!("{name} {version}");
        if !producer.trim().is_empty() {
            metadata.insert(PRODUCER_KEY.to_owned(), producer.trim().to_owned());
        }
        Ok(metadata)
    }

    fn texts(&self, budget: &Budget) -> Result<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        for entry in &self.model.metadata_props {
            budget.bytes(ENTRY_BYTES)?;
            texts.insert(budget.text(entry.key)?, budget.text(entry.value)?);
        }
        Ok(texts)
    }

    fn graph(&self) -> Result<&Graph<'m>> {
        self.model.graph.as_ref().ok_or_else(|| WeightsError::Onnx("it has no graph".to_owned()))
    }
}

/// Bytes that a metadata entry takes in addition to its text: two strings in a tree whose nodes may be half empty.
const ENTRY_BYTES: usize = 4 * size_of::<String>();

/// The oldest supported operator set.
const MIN_OPSET: i64 = 7;

/// The version of ONNX's own operators, if it is stated.
fn opset(stated: &[OperatorSet<'_>]) -> Option<i64> {
    stated.iter().find(|o| is_own(o.domain)).map(|o| o.version)
}

/// True if a domain is that of ONNX's own operators.
fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

fn check_opset(model: &Model<'_>) -> Result<()> {
    match opset(&model.opset_import) {
        Some(version) if version >= MIN_OPSET => Ok(()),
        Some(version) => Err(refused(format!(
            "it uses opset {version}; opset {MIN_OPSET} and later are supported"
        ))),
        None => Err(refused("it does not declare its opset")),
    }
}

fn refused(problem: impl Into<String>) -> WeightsError {
    WeightsError::Graph(problem.into())
}

/// Maximum number of a list's values in a message. The rest are only counted.
const SHOWN_NUMBERS: usize = 16;

/// A list of the file's numbers for a message: cut when long.
fn shown<T: fmt::Debug>(list: &[T]) -> String {
    match list.split_at_checked(SHOWN_NUMBERS) {
        Some((start, rest @ [_, ..])) => {
            let start = start.iter().map(|number| format!("{number:?}")).join(", ");
            format!("[{start}, … {} more]", rest.len())
        }
        _ => format!("{list:?}"),
    }
}

/// Refuses duplicate names: which one counts would be a guess.
fn check_unique<'m>(names: impl Iterator<Item = &'m str>, budget: &Budget) -> Result<()> {
    let mut seen = HashMap::new();
    names
        .filter(|name| !name.is_empty())
        .try_for_each(|name| budget.insert_once(&mut seen, name, ()))
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
