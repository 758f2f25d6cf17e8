//! The network for any style picture that is inside the program, and files of what it made of style pictures.
//!
//! Such a file holds a [`StyleCode`] of some kilobytes and names the network that it belongs to; with both, the style
//! is a network like any other.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{
    Budget, Family, StorageType, WeightsError,
    error::shortened,
    fit::{Fitted, NamedTensors, check_shape, finite_values},
    safetensors::file,
    tensor::{Dtype, StoredTensor},
};
use crate::models::vit::{Spec, State, StyleCode, Transformer, TransformerError};

/// The trained network, as `tools/any_net.py --pack` writes it.
static FILE: &[u8] = include_bytes!("../../assets/any.safetensors");
/// The key of the metadata under which the network stands that a code belongs to.
pub(super) const CODE_KEY: &str = "styleforge.style_code";
/// The name of a code among tensors.
const CODE: &str = "code";
/// The key of a trained network's sizes.
const SPEC_KEY: &str = "network";

/// The network inside the program.
#[derive(Debug)]
struct Shipped {
    transformer: Transformer,
    /// Tells it from others.
    id: String,
}

fn shipped_file() -> Result<&'static Shipped, WeightsError> {
    static SHIPPED: OnceLock<Result<Shipped, String>> = OnceLock::new();
    let read = || {
        let budget = Budget::for_file(FILE.len());
        let transformer = transformer(FILE, &budget).map_err(|error| error.to_string())?;
        // FNV-1a: only to tell one training from the next.
        let hashed = FILE.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        let id = format!("{hashed:016x}");
        Ok(Shipped { transformer, id })
    };
    let shipped = SHIPPED.get_or_init(read).as_ref();
    shipped.map_err(|problem| WeightsError::Graph(problem.clone()))
}

/// The network for any style picture that is inside the program.
///
/// # Errors
/// [`WeightsError`] only for a program that was built with a damaged file.
pub fn shipped() -> Result<&'static Transformer, WeightsError> {
    Ok(&shipped_file()?.transformer)
}

/// Reads a trained network: fp16, or 8 bits with a scale for every output channel.
fn transformer(bytes: &[u8], budget: &Budget) -> Result<Transformer, WeightsError> {
    let (tensors, metadata) = file::parse(bytes, budget)?;
    let text = metadata
        .get(SPEC_KEY)
        .ok_or_else(|| WeightsError::Graph("it does not say which network it is".to_owned()))?;
    let spec = Spec::from_json(text).map_err(|e| WeightsError::Graph(e.to_string()))?;
    let places: BTreeMap<&str, &StoredTensor<'_>> = tensors
        .iter()
        .map(|(key, tensor)| (key.as_str(), tensor))
        .collect();
    let mut state = State::new();
    for (name, shape) in spec.weights() {
        let find = |key: &str| {
            places.get(key).copied().ok_or_else(|| WeightsError::Keys {
                missing: [key].into_iter().collect(),
                unexpected: [].into_iter().collect(),
            })
        };
        let tensor = find(&name)?;
        check_shape(&name, tensor, &shape)?;
        let values = match tensor.dtype() {
            Dtype::Other("int8", 1) => {
                let scales_key = format!("{name}.scale");
                let scales = find(&scales_key)?;
                check_shape(&scales_key, scales, &shape[..1])?;
                let scales = finite_values(&scales_key, scales, budget)?;
                budget.bytes(4 * tensor.element_count())?;
                let row = tensor.element_count() / shape[0].max(1);
                let values = tensor.to_i8().into_iter().enumerate();
                values
                    .map(|(at, value)| f32::from(value) * scales[at / row.max(1)])
                    .collect()
            }
            _ => finite_values(&name, tensor, budget)?,
        };
        state.insert(name, values);
    }
    Transformer::new(spec, state).map_err(refused)
}

fn refused(error: TransformerError) -> WeightsError {
    WeightsError::Graph(error.to_string())
}

/// The network that paints in the style of a code.
///
/// # Errors
/// [`WeightsError`] for a code of another network.
pub(super) fn fitted(code: &StyleCode) -> Result<Fitted, WeightsError> {
    Ok(Fitted {
        family: Family::AnyPicture,
        network: shipped()?.network(code).map_err(refused)?,
        storage: StorageType::F32,
        facts: BTreeMap::new(),
    })
}

/// A file of a code, with what else is to be said of the style.
///
/// # Errors
/// [`WeightsError`] as [`shipped`].
pub(super) fn code_file(
    code: &StyleCode,
    mut metadata: BTreeMap<String, String>,
) -> Result<Vec<u8>, WeightsError> {
    metadata.insert(CODE_KEY.to_owned(), shipped_file()?.id.clone());
    let values = code.values();
    file::write_tensors(
        &[(CODE.to_owned(), vec![values.len()], values)],
        false,
        &metadata,
    )
}

/// Reads a code; `network` is what its file's metadata say.
///
/// # Errors
/// [`WeightsError`] when it belongs to another network, or is none.
pub(super) fn read_code(
    network: &str,
    tensors: &NamedTensors<'_>,
    budget: &Budget,
) -> Result<Fitted, WeightsError> {
    let shipped = shipped_file()?;
    if network != shipped.id {
        return Err(WeightsError::Graph(format!(
            "it was made of a picture by another version of the network ({}); import the picture again",
            shortened(network)
        )));
    }
    let [(key, tensor)] = tensors.as_slice() else {
        return Err(WeightsError::Keys {
            missing: [CODE].into_iter().filter(|_| tensors.is_empty()).collect(),
            unexpected: tensors
                .iter()
                .skip(1)
                .map(|(key, _)| key.as_str())
                .collect(),
        });
    };
    check_shape(key, tensor, &[shipped.transformer.spec().code_len()])?;
    let values = finite_values(key, tensor, budget)?;
    let code = shipped
        .transformer
        .code_of_values(values)
        .map_err(refused)?;
    fitted(&code)
}
