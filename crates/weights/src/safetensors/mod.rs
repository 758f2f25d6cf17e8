//! Checkpoints in safetensors files: determines which network their tensors and metadata describe.

pub(super) mod file;

use std::collections::BTreeMap;

use network::Network;

use super::{
    Budget, Choice, Family, Result, any_network, any_picture, code,
    fit::{Fitted, NamedTensors, fit},
};
use file::{broken, write_tensors};

pub(super) use file::header_length;
pub(crate) use file::parse;
pub use file::{read_metadata, with_metadata};

/// The network of named tensors: from a style picture's code, from the graph in its metadata, or a known model's. Removes the
/// entries of a code or a graph from the metadata.
pub(crate) fn fit_any(
    tensors: &NamedTensors<'_>,
    metadata: &mut BTreeMap<String, String>,
    choice: Choice,
    budget: &Budget,
) -> Result<Fitted> {
    if let Some(id) = metadata.remove(code::CODE_KEY) {
        choice.check_no_network()?;
        let network = metadata.remove(code::NETWORK_KEY);
        return any_picture::read_code(&id, network.as_deref(), tensors, budget);
    }
    match metadata.remove(any_network::GRAPH_KEY) {
        Some(graph) => {
            choice.check_no_network()?;
            any_network::read(&graph, tensors, budget)
        }
        None => {
            let mut fitted = fit(tensors, choice, budget)?;
            // A file with the published names and a title is one of StyleForge's styles.
            if fitted.family == Family::PytorchExamples && metadata.contains_key("title") {
                fitted.family = Family::Style;
            }
            Ok(fitted)
        }
    }
}

/// The bytes of a safetensors file with the published names, fp16 or fp32.
///
/// # Errors
/// [`WeightsError::Safetensors`](crate::WeightsError::Safetensors) when the header cannot be written as JSON.
pub fn write(
    network: &Network,
    half_precision: bool,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let graph = any_network::graph_text(network).map_err(broken)?;
    let mut metadata = metadata.clone();
    let tensors = any_network::named_weights(network, graph.is_none());
    if let Some(graph) = graph {
        metadata.insert(any_network::GRAPH_KEY.to_owned(), graph);
    }
    write_tensors(&tensors, half_precision, &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, StorageType};
    use network::models::johnson::NetworkSpec;

    fn file(header: &str, data_bytes: usize) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.resize(file.len() + data_bytes, 0);
        file
    }

    fn message(bytes: &[u8]) -> String {
        Checkpoint::from_bytes(bytes).expect_err("refused").to_string()
    }

    #[test]
    fn written_networks_are_read_back() {
        let network = NetworkSpec::with_widths([2, 3, 4]).random(3).expect("valid");
        let metadata = BTreeMap::from([("title".to_owned(), "A \"title\"".to_owned())]);
        let bytes = write(&network, false, &metadata).expect("written");
        let checkpoint = Checkpoint::from_bytes(&bytes).expect("read");
        assert_eq!(*checkpoint.network, network);
        assert_eq!(checkpoint.metadata, metadata);
        assert_eq!(checkpoint.storage, StorageType::F32);
        assert_eq!(checkpoint.to_safetensors().expect("written"), bytes);
    }

    #[test]
    fn half_precision_survives_unchanged() {
        let network = NetworkSpec::with_widths([2, 3, 4]).random(3).expect("valid");
        let bytes = write(&network, true, &BTreeMap::new()).expect("written");
        let checkpoint = Checkpoint::from_bytes(&bytes).expect("read");
        assert_eq!(checkpoint.storage, StorageType::F16);
        assert_eq!(checkpoint.to_safetensors().expect("written"), bytes);
    }

    #[test]
    fn lengths_are_checked_before_anything_is_read() {
        let empty = parse(b"", &Budget::for_file(0)).expect_err("refused").to_string();
        assert!(empty.contains("ends before its header"), "{empty}");
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
