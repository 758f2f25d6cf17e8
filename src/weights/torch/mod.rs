//! PyTorch checkpoints: zip archives (1.6 and later) and the stream of pickles before them.
//!
//! Both carry a pickle that names tensors as views of storages, and the storages' bytes. The
//! pickle is run by a machine that knows only what state dicts need (`pickle`); nothing else in
//! the file is looked at.

mod archive;
mod calls;
mod legacy;
mod pickle;
mod values;

use std::collections::{HashMap, HashSet};

use super::{
    Budget, Checkpoint, Family, WeightsError,
    error::shortened,
    family::is_weight,
    fit::{NamedTensors, fit},
    tensor::StoredTensor,
};
use values::{Object, Pickle, StorageRef, TensorRef, Value};

/// Keys under which training scripts keep the weights.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];
/// Wrappers around wrappers that are followed.
const MAX_WRAPPING: usize = 4;

/// Whether these bytes start like a zip archive, with entries or without.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Whether these bytes start like a pickle of protocol 2 or later.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=20, ..])
}

/// Reads a checkpoint from the bytes of a `.pth` file, zip or older.
///
/// # Errors
/// [`WeightsError`] names the entry, the byte or the key, and what is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Checkpoint, WeightsError> {
    read_within(bytes, &Budget::for_file(bytes.len()))
}

/// As [`read`], drawing on `budget`.
pub(super) fn read_within(bytes: &[u8], budget: &Budget) -> Result<Checkpoint, WeightsError> {
    let fitted = fit(&parse(bytes, budget)?, budget)?;
    Ok(Checkpoint::new(fitted, Default::default()))
}

/// Names and tensors of the state dict, without looking for a network in them.
pub(crate) fn parse<'a>(
    bytes: &'a [u8],
    budget: &Budget,
) -> Result<NamedTensors<'a>, WeightsError> {
    budget.steps(bytes.len())?;
    if is_zip(bytes) {
        parse_zip(bytes)
    } else {
        legacy::parse(bytes)
    }
}

fn parse_zip(bytes: &[u8]) -> Result<NamedTensors<'_>, WeightsError> {
    let archive = archive::open(bytes)?;
    let pickles: Vec<&str> = archive
        .names()
        .filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl"))
        .collect();
    let root = match pickles.as_slice() {
        [one] => one.trim_end_matches("data.pkl").to_owned(),
        [] => {
            return Err(WeightsError::Archive(
                "the archive has no data.pkl, so it is no PyTorch checkpoint".to_owned(),
            ));
        }
        [first, second, ..] => {
            return Err(WeightsError::Archive(format!(
                "the archive has two pickles, {} and {}; a checkpoint has one data.pkl",
                shortened(first),
                shortened(second)
            )));
        }
    };
    if archive.names().any(|name| {
        name.strip_prefix(&root)
            .is_some_and(|rest| rest == "constants.pkl" || rest.starts_with("code/"))
    }) {
        return Err(foreign(Family::TorchScript));
    }
    let contents = archive.contents()?;
    if let Some(order) = contents.get(format!("{root}byteorder").as_str())
        && order.trim_ascii() != b"little"
    {
        return Err(WeightsError::Archive(
            "it was written on a big-endian machine; save it again on another one".to_owned(),
        ));
    }
    let program = contents
        .get(format!("{root}data.pkl").as_str())
        .copied()
        .unwrap_or_default();
    let (pickle, _) = pickle::run(program, 0)?;
    state_dict(&pickle, |storage| {
        let name = format!("{root}data/{}", storage.key);
        let bytes = contents
            .get(name.as_str())
            .ok_or_else(|| format!("needs the storage {}, which is not there", shortened(&name)))?;
        checked_storage(storage, bytes)
    })
}

fn foreign(family: Family) -> WeightsError {
    WeightsError::Foreign {
        family,
        reason: family.refusal().unwrap_or_default().to_owned(),
    }
}

/// The bytes of a storage if there are as many as the pickle says.
fn checked_storage<'a>(storage: &StorageRef<'_>, bytes: &'a [u8]) -> Result<&'a [u8], String> {
    let size_bytes = storage.dtype.size_bytes();
    let declared = usize::try_from(storage.count)
        .ok()
        .and_then(|count| count.checked_mul(size_bytes));
    if declared != Some(bytes.len()) {
        return Err(format!(
            "needs a storage of {} {} numbers, but {} bytes are stored",
            storage.count,
            storage.dtype.name(),
            bytes.len()
        ));
    }
    let Some((offset, count)) = storage.view else {
        return Ok(bytes);
    };
    let byte = |elements: i64| usize::try_from(elements).ok()?.checked_mul(size_bytes);
    byte(offset)
        .and_then(|start| bytes.get(start..start.checked_add(byte(count)?)?))
        .ok_or_else(|| "is in a view that reaches past its storage".to_owned())
}

/// The tensors of the state dict in a pickle, their storages found by `find`.
fn state_dict<'a>(
    pickle: &Pickle<'a>,
    find: impl Fn(&StorageRef<'a>) -> Result<&'a [u8], String>,
) -> Result<NamedTensors<'a>, WeightsError> {
    let refused = |problem: &str| WeightsError::StateDict(problem.to_owned());
    let Some(Object::Dict(root)) = pickle.object(pickle.root) else {
        return Err(refused("it is no dict"));
    };
    let dict = unwrapped(pickle, root, 0)?.ok_or_else(|| refused("it has no tensors"))?;
    let mut seen = HashSet::new();
    let mut tensors = NamedTensors::new();
    for (key, value) in dict {
        let Some(tensor) = pickle.tensor(*value) else {
            match key {
                Value::Text(key) if is_weight(key) => {
                    return Err(WeightsError::Tensor {
                        key: shortened(key),
                        problem: "is not a tensor".to_owned(),
                    });
                }
                // Numbers, texts and lists that training scripts keep beside the weights.
                _ => continue,
            }
        };
        let Value::Text(key) = key else {
            return Err(refused("a tensor's key is not a text"));
        };
        if !seen.insert(*key) {
            return Err(WeightsError::DuplicateKey {
                first: shortened(key),
                second: shortened(key),
            });
        }
        let stored = stored(pickle, tensor, &find).map_err(|problem| WeightsError::Tensor {
            key: shortened(key),
            problem,
        })?;
        tensors.push(((*key).to_owned(), stored));
    }
    Ok(tensors)
}

type Entries<'p, 'a> = &'p [(Value<'a>, Value<'a>)];

/// The dict that holds the weights: the given one, or one inside it under a known key.
fn unwrapped<'p, 'a>(
    pickle: &'p Pickle<'a>,
    dict: Entries<'p, 'a>,
    depth: usize,
) -> Result<Option<Entries<'p, 'a>>, WeightsError> {
    let mut found: Option<(&str, Entries<'p, 'a>)> = None;
    for (key, value) in dict {
        let Value::Text(key) = *key else { continue };
        let Some(Object::Dict(inner)) = pickle.object(*value) else {
            continue;
        };
        if !WRAPPERS.contains(&key) {
            continue;
        }
        if depth == MAX_WRAPPING {
            return Err(WeightsError::StateDict(format!(
                "the weights are wrapped more than {MAX_WRAPPING} times"
            )));
        }
        let Some(weights) = unwrapped(pickle, inner, depth + 1)? else {
            continue;
        };
        if let Some((other, _)) = found {
            return Err(WeightsError::DuplicateKey {
                first: format!("weights under '{other}'"),
                second: format!("weights under '{key}'"),
            });
        }
        found = Some((key, weights));
    }
    Ok(match found {
        Some((_, weights)) => Some(weights),
        None => dict
            .iter()
            .any(|(key, value)| {
                pickle.tensor(*value).is_some() || matches!(key, Value::Text(k) if is_weight(k))
            })
            .then_some(dict),
    })
}

/// A tensor with its bytes, its reach checked.
fn stored<'a>(
    pickle: &Pickle<'a>,
    tensor: &TensorRef<'a>,
    find: impl Fn(&StorageRef<'a>) -> Result<&'a [u8], String>,
) -> Result<StoredTensor<'a>, String> {
    let Some(Object::Storage(storage)) = pickle.object(tensor.storage) else {
        return Err("does not name a storage".to_owned());
    };
    let numbers = |value: Value<'a>, what: &str| -> Result<Vec<usize>, String> {
        let Some(Object::Tuple(items)) = pickle.object(value) else {
            return Err(format!("has no list of {what}s"));
        };
        items
            .iter()
            .map(|item| whole(*item).ok_or_else(|| format!("has a {what} that is no whole number")))
            .collect()
    };
    let shape = numbers(tensor.size, "side")?;
    let strides = numbers(tensor.strides, "stride")?;
    let offset = whole(tensor.offset).ok_or("has an offset that is no whole number")?;
    StoredTensor::strided(storage.dtype, shape, find(storage)?, offset, strides)
}

fn whole(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

/// Bytes of named entries.
type Contents<'a> = HashMap<&'a str, &'a [u8]>;
