//! Files with the code of a style picture.
//!
//! Such a file contains a [`StyleCode`] of a few kilobytes and names the network that it belongs to. With both, the
//! style is a network like any other.

use std::collections::BTreeMap;

use super::{
    Budget, CodeOf, Family, NetworkLibrary, Result, StorageType, StyleNetwork, WeightsError,
    code::{BUILT_IN_NETWORK, CODE_KEY, NETWORK_KEY},
    error::shortened,
    fit::{Fitted, NamedTensors, check_shape, finite_values},
    safetensors::file,
    style_network::refused,
};
use network::models::vit::StyleCode;

/// The name of the tensor that contains the code.
const CODE: &str = "code";

/// The file of a code, with further metadata about the style.
///
/// # Errors
/// [`WeightsError::Safetensors`] when the metadata cannot be written.
pub fn code_file(code: &CodeOf, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut metadata = metadata.clone();
    metadata.insert(CODE_KEY.to_owned(), code.code.made_by.to_string());
    if code.network != BUILT_IN_NETWORK {
        metadata.insert(NETWORK_KEY.to_owned(), code.network.clone());
    }
    let values = code.code.values.as_slice();
    let tensor = (CODE.to_owned(), vec![values.len()], values);
    file::write_tensors(&[tensor], false, &metadata)
}

/// The network that made a code: the built-in one, or the user's own network of this name.
fn network_of(name: Option<&str>) -> Result<StyleNetwork> {
    let Some(name) = name else {
        return StyleNetwork::built_in();
    };
    NetworkLibrary::standard().find(name).map_err(|error| {
        WeightsError::Graph(format!("its network for style pictures cannot be used: {error}"))
    })
}

/// Reads a code. `id` and `network` are what its file's metadata say about the network that made it.
///
/// # Errors
/// [`WeightsError`] if the code belongs to another network, or is invalid.
pub fn read_code(
    id: &str,
    network: Option<&str>,
    tensors: &NamedTensors<'_>,
    budget: &Budget,
) -> Result<Fitted> {
    let network = network_of(network)?;
    let code = stored_code(id, &network, tensors, budget)?;
    let made = if network.is_built_in() {
        format!("{} (inside the program)", network.name)
    } else {
        network.name.clone()
    };
    Ok(Fitted {
        family: Family::AnyPicture,
        network: network.transformer.network(&code).map_err(refused)?,
        storage: StorageType::F32,
        facts: [("network".to_owned(), made)].into(),
        code: Some(CodeOf { code, network: network.name }),
    })
}

/// The code in a file, for the network that made it; `None` if the file contains a network instead.
///
/// # Errors
/// [`WeightsError`] when the file cannot be read, or the code belongs to another network.
pub fn code_in(bytes: &[u8], network: &StyleNetwork) -> Result<Option<StyleCode>> {
    let budget = Budget::for_file(bytes.len());
    let (tensors, metadata) = file::parse(bytes, &budget)?;
    metadata.get(CODE_KEY).map(|id| stored_code(id, network, &tensors, &budget)).transpose()
}

fn stored_code(
    id: &str,
    network: &StyleNetwork,
    tensors: &NamedTensors<'_>,
    budget: &Budget,
) -> Result<StyleCode> {
    let transformer = &network.transformer;
    if id != transformer.id().to_string() {
        return Err(WeightsError::Graph(format!(
            "it was made by another version of the network {} ({}, not {}); import the picture again",
            network.name,
            shortened(id),
            transformer.id(),
        )));
    }
    let [(key, tensor)] = tensors.as_slice() else {
        return Err(WeightsError::Keys {
            missing: [CODE].into_iter().filter(|_| tensors.is_empty()).collect(),
            unexpected: tensors.iter().skip(1).map(|(key, _)| key.as_str()).collect(),
        });
    };
    check_shape(key, tensor, &[transformer.spec().code_len()])?;
    transformer.code_of_values(finite_values(key, tensor, budget)?).map_err(refused)
}
