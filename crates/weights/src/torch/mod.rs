//! PyTorch checkpoints: zip archives (1.6 and later), and the earlier stream of pickles.
//!
//! Both contain a pickle that describes tensors as views of storages, and the storages' bytes. The pickle is run by a
//! machine that supports only what state dicts need (`pickle`). Nothing else in the file is read.

mod archive;
mod calls;
mod input;
mod legacy;
mod pickle;
mod values;

use std::collections::HashMap;

use network::models::is_weight;

use super::{
    Budget, Family, Result, WeightsError,
    error::{KeyList, shortened},
    fit::{ASSUMED, NamedTensors, TensorFile},
    tensor::{MAX_RANK, StoredTensor},
};
use archive::broken;
pub(super) use archive::check_end;
use input::Input;
use values::{Object, Pickle, StorageRef, TensorRef, Value};

/// Keys under which training scripts store the weights.
const WRAPPERS: [&str; 16] = [
    "state_dict",
    "model",
    "model_state_dict",
    "params",
    "params_ema",
    "ema",
    "ema_state_dict",
    "model_ema",
    "generator",
    "generator_ema",
    "net",
    "netG",
    "g_ema",
    "network",
    "module",
    "weights",
];
/// The problem of a file from a big-endian machine.
const BIG_ENDIAN: &str = "it was written on a big-endian machine; save it again on another one";
/// Maximum depth of nested wrappers.
const MAX_WRAPPING: usize = 4;
/// Bit of a dict that is known to hold no weights for a key of a script's own; lower bits are depths.
const UNDER_OWN_KEY: u8 = 1 << 7;

/// True if these bytes start like a zip archive, empty or not.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// True if these bytes start like a pickle of protocol 2 or later.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=20, ..])
}

/// Names and tensors of the state dict in a `.pth` file, zip or older, and what was assumed about them.
///
/// # Errors
/// [`WeightsError`] names the entry, the offset or the key, and what is wrong with it.
pub(super) fn parse<'a>(bytes: &'a [u8], budget: &Budget) -> Result<TensorFile<'a>> {
    budget.steps(bytes.len())?;
    if is_zip(bytes) { parse_zip(bytes, budget) } else { legacy::parse(bytes, budget) }
}

fn parse_zip<'a>(bytes: &'a [u8], budget: &Budget) -> Result<TensorFile<'a>> {
    let zip = archive::locate(bytes)?;
    let entries = archive::open(&zip, budget)?;
    let names = || entries.iter().map(|entry| entry.name);
    let is_pickle = |name: &&str| *name == "data.pkl" || name.ends_with("/data.pkl");
    let mut pickles = names().filter(is_pickle);
    let root = match (pickles.next(), pickles.next()) {
        (Some(one), None) => one.strip_suffix("data.pkl").unwrap_or_default(),
        (None, _) => {
            return Err(broken("the archive has no data.pkl, so it is not a PyTorch checkpoint"));
        }
        (Some(first), Some(second)) => {
            return Err(broken(format!(
                "the archive has two pickles, {} and {}; a checkpoint has one data.pkl",
                shortened(first),
                shortened(second)
            )));
        }
    };
    if names().any(|name| {
        name.strip_prefix(root)
            .is_some_and(|rest| rest == "constants.pkl" || rest.starts_with("code/"))
    }) {
        return Err(WeightsError::Foreign(Family::TorchScript));
    }
    let mut program: &[u8] = &[];
    let mut byte_order: &[u8] = b"little";
    let mut storages = Contents::new();
    for entry in &entries {
        let data = entry.contents()?;
        match entry.name.strip_prefix(root) {
            Some("data.pkl") => program = data,
            Some("byteorder") => byte_order = data,
            other => {
                if let Some(key) = other.and_then(|name| name.strip_prefix("data/")) {
                    budget.insert(&mut storages, key, data)?;
                }
            }
        }
    }
    if byte_order.trim_ascii() != b"little" {
        return Err(broken(BIG_ENDIAN));
    }
    let pickle = pickle::run(&mut Input::new(program), budget)?;
    state_dict(&pickle, budget, |storage| {
        let bytes = storages.get(storage.key).ok_or_else(|| {
            format!("needs the missing storage {}data/{}", shortened(root), shortened(storage.key))
        })?;
        checked_storage(storage, bytes)
    })
}

/// The bytes of a storage. Checks their number against the pickle.
fn checked_storage<'a>(storage: &StorageRef<'_>, bytes: &'a [u8]) -> Result<&'a [u8], String> {
    let size_bytes = storage.dtype.size_bytes();
    let byte = |elements: i64| usize::try_from(elements).ok()?.checked_mul(size_bytes);
    if byte(storage.count) != Some(bytes.len()) {
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
    byte(offset)
        .and_then(|start| bytes.get(start..start.checked_add(byte(count)?)?))
        .ok_or_else(|| "is in a view that reaches past its storage".to_owned())
}

/// The tensors of the state dict in a pickle. `find` finds their storages.
fn state_dict<'a>(
    pickle: &Pickle<'a>,
    budget: &Budget,
    find: impl Fn(&StorageRef<'a>) -> Result<&'a [u8], String>,
) -> Result<TensorFile<'a>> {
    let refused = |problem: &str| WeightsError::StateDict(problem.to_owned());
    let (Value::Object(root), Some(Object::Dict(_))) = (pickle.root, pickle.object(pickle.root))
    else {
        return Err(refused("it is not a dict"));
    };
    let barren = budget.list(pickle.objects.len())?;
    let mut search = Search { pickle, budget, barren };
    search.barren.resize(pickle.objects.len(), 0);
    let set = search.unwrapped(root, 0)?.ok_or_else(|| refused("it has no tensors"))?;
    let mut seen = HashMap::new();
    let mut tensors = NamedTensors::new();
    for (key, value) in set.entries {
        budget.steps(1)?;
        let Some(tensor) = pickle.tensor(*value) else {
            match key {
                Value::Text(key) if is_weight(key) => {
                    return Err(WeightsError::tensor(key, "is not a tensor"));
                }
                // Numbers, texts and lists that training scripts store next to the weights.
                _ => continue,
            }
        };
        let Value::Text(key) = key else {
            return Err(refused("a tensor's key is not a string"));
        };
        budget.insert_once(&mut seen, key, ())?;
        // Many storages and tensors may share one long key, which is read for each of them.
        if let Some(Object::Storage(storage)) = pickle.object(tensor.storage) {
            budget.steps(storage.key.len())?;
        }
        budget.items::<usize>(2 * MAX_RANK)?;
        let stored =
            stored(pickle, tensor, &find).map_err(|problem| WeightsError::tensor(key, problem))?;
        budget.push(&mut tensors, (budget.text(key)?, stored))?;
    }
    let assumed = set.assumed.into_iter().map(|what| (ASSUMED.to_owned(), what));
    Ok((tensors, assumed.collect()))
}

type Entries<'p, 'a> = &'p [(Value<'a>, Value<'a>)];

/// Weights in a checkpoint.
struct Set<'p, 'a> {
    /// `None` if they are not under a key of their own, but next to such keys.
    key: Option<&'a str>,
    entries: Entries<'p, 'a>,
    /// Why these weights and no others were chosen, as text that follows "assumed".
    assumed: Option<String>,
}

/// The search for the dict that holds the weights.
struct Search<'p, 'a> {
    pickle: &'p Pickle<'a>,
    budget: &'p Budget,
    /// For each object, one bit per depth at which no weights were found in it. A dict that is wrapped many times is
    /// then searched once.
    barren: Vec<u8>,
}

/// True if a key means an average of the weights over the training.
fn is_averaged(key: &str) -> bool {
    key.split('_').any(|part| part == "ema")
}

impl<'p, 'a> Search<'p, 'a> {
    /// The weights in the given object: the object, or a dict inside it.
    fn unwrapped(&mut self, object: usize, depth: usize) -> Result<Option<Set<'p, 'a>>> {
        let (pickle, budget) = (self.pickle, self.budget);
        let Some(Object::Dict(dict)) = pickle.objects.get(object) else {
            return Ok(None);
        };
        if self.barren[object] & 1 << depth != 0 {
            return Ok(None);
        }
        budget.steps(dict.len())?;
        let is_weights = |(key, value): &(Value<'a>, Value<'a>)| {
            matches!(key, Value::Text(key) if is_weight(key)) && pickle.tensor(*value).is_some()
        };
        let mut sets = Vec::new();
        for (key, value) in dict {
            let (Value::Text(key), Value::Object(inner)) = (*key, *value) else {
                continue;
            };
            let Some(Object::Dict(entries)) = pickle.objects.get(inner) else {
                continue;
            };
            if WRAPPERS.contains(&key) {
                if depth == MAX_WRAPPING {
                    return Err(WeightsError::StateDict(format!(
                        "the weights are wrapped more than {MAX_WRAPPING} times"
                    )));
                }
                if let Some(set) = self.unwrapped(inner, depth + 1)? {
                    budget.push(&mut sets, Set { key: Some(key), ..set })?;
                }
            } else if depth == 0 && self.barren[inner] & UNDER_OWN_KEY == 0 {
                // A script may also use a key of its own. One dict may be stored under many keys.
                self.barren[inner] |= UNDER_OWN_KEY;
                budget.steps(entries.len())?;
                if entries.iter().any(is_weights) {
                    // Many sets may share one long key, which is searched for each of them.
                    budget.steps(key.len())?;
                    budget.push(&mut sets, Set { key: Some(key), entries, assumed: None })?;
                }
            }
        }
        let itself = Set { key: None, entries: dict, assumed: None };
        if !sets.is_empty() {
            if dict.iter().any(is_weights) {
                budget.push(&mut sets, itself)?;
            }
            return chosen(sets).map(Some);
        }
        let holds_weights = dict.iter().any(|(key, value)| {
            pickle.tensor(*value).is_some() || matches!(key, Value::Text(k) if is_weight(k))
        });
        if !holds_weights {
            self.barren[object] |= 1 << depth;
        }
        Ok(holds_weights.then_some(itself))
    }
}

/// The set of weights to use: the only average, or else the only set.
fn chosen<'p, 'a>(mut sets: Vec<Set<'p, 'a>>) -> Result<Set<'p, 'a>> {
    let place = |set: &Set<'_, '_>| match set.key {
        Some(key) => format!("under '{}'", shortened(key)),
        None => "beside them".to_owned(),
    };
    let places = |sets: &[Set<'_, '_>]| {
        let mut places = KeyList::default();
        sets.iter().for_each(|set| places.add(&place(set)));
        places
    };
    let mut averages = (0..sets.len()).filter(|&set| sets[set].key.is_some_and(is_averaged));
    let used = match (averages.next(), averages.next(), sets.len()) {
        (Some(one), None, _) => one,
        (None, None, 1) => 0,
        _ => return Err(WeightsError::SeveralSets(places(&sets))),
    };
    let used = sets.remove(used);
    if sets.is_empty() {
        return Ok(used);
    }
    let mut assumed = format!(
        "that the averaged weights {} are to be used, not those {}",
        place(&used),
        places(&sets)
    );
    if let Some(inside) = &used.assumed {
        assumed += &format!(", and {inside}");
    }
    Ok(Set { assumed: Some(assumed), ..used })
}

/// A tensor with its bytes. Checks that it stays within its storage.
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
        // Many tensors may share one long list.
        if items.len() > MAX_RANK {
            return Err(format!("has {} {what}s", items.len()));
        }
        items
            .iter()
            .map(|item| whole(*item).ok_or_else(|| format!("has a {what} that is not an integer")))
            .collect()
    };
    let shape = numbers(tensor.size, "side")?;
    let strides = numbers(tensor.strides, "stride")?;
    let offset = whole(tensor.offset).ok_or("has an offset that is not an integer")?;
    StoredTensor::strided(storage.dtype, shape, find(storage)?, offset, strides)
}

fn whole(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

/// Bytes of named entries.
type Contents<'n, 'a> = HashMap<&'n str, &'a [u8]>;

#[cfg(test)]
mod tests {
    use super::*;

    /// A dict of keys and values as a pickle.
    fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut body = b"}(".to_vec();
        for (key, value) in entries {
            body.extend([b"X", &(key.len() as u32).to_le_bytes()[..], key.as_bytes()].concat());
            body.extend(value);
        }
        body.push(b'u');
        body
    }

    /// A tensor that is stored under a key of one letter.
    fn tensor(storage: u8) -> Vec<u8> {
        let mut body = b"ctorch._utils\n_rebuild_tensor_v2\n(\
            (X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
            .to_vec();
        body.push(storage);
        body.extend(b"X\x03\0\0\0cpuK\x01tQK\0K\x01\x85K\x01\x85\x89}tR");
        body
    }

    fn weights(storage: u8) -> Vec<u8> {
        dict(&[("in1.weight", tensor(storage))])
    }

    /// The number that is read, and what was assumed; or the refusal.
    fn read(entries: &[(&str, Vec<u8>)]) -> Result<(f32, String), String> {
        let file = [b"\x80\x02".to_vec(), dict(entries), b".".to_vec()].concat();
        let budget = Budget::for_file(file.len());
        let pickle =
            pickle::run(&mut Input::new(&file), &budget).map_err(|error| error.to_string())?;
        let numbers = [1.0f32, 2.0, 3.0].map(f32::to_le_bytes);
        let find = |storage: &StorageRef<'_>| {
            let place = usize::from(storage.key.as_bytes()[0] - b'1');
            numbers.get(place).map(|bytes| &bytes[..]).ok_or_else(String::new)
        };
        let (tensors, notes) =
            state_dict(&pickle, &budget, find).map_err(|error| error.to_string())?;
        let values = tensors[0].1.to_f32()?;
        Ok((values[0], notes.into_values().collect()))
    }

    #[test]
    fn the_only_average_is_used_whatever_the_order_of_the_keys() {
        let sets = [("model", weights(b'1')), ("net", weights(b'2')), ("ema", weights(b'3'))];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let (number, assumed) = read(&order.map(|set| sets[set].clone())).expect("one average");
            assert_eq!(number, 3.0);
            let start = "that the averaged weights under 'ema' are to be used, not those under";
            assert!(assumed.starts_with(start), "{assumed}");
            for other in ["under 'model'", "under 'net'"] {
                assert!(assumed.contains(other), "{assumed}");
            }
        }
        assert_eq!(read(&sets[..1]), Ok((1.0, String::new())));
    }

    #[test]
    fn no_weights_are_left_out_silently() {
        let own = ("in1.weight", tensor(b'1'));
        let error = read(&[own.clone(), ("net", weights(b'2'))]).expect_err("two sets");
        assert!(error.contains("under 'net', beside them; keep one of them"), "{error}");
        for key in ["ema", "style_ema"] {
            let (number, assumed) = read(&[own.clone(), (key, weights(b'2'))]).expect("an average");
            assert_eq!(number, 2.0);
            assert!(assumed.ends_with("to be used, not those beside them"), "{assumed}");
        }
        let sets = [("model", weights(b'1')), ("style_ema", weights(b'2'))];
        let (number, assumed) = read(&sets).expect("an average");
        assert_eq!(number, 2.0);
        assert!(assumed.contains("under 'style_ema'") && assumed.contains("under 'model'"));
        let averages = [("ema", weights(b'1')), ("style_ema", weights(b'2'))];
        assert!(read(&averages).expect_err("two averages").contains("keep one of them"));
        // Other tensors next to the weights are no weights.
        let step = ("step", tensor(b'1'));
        assert_eq!(read(&[step, ("net", weights(b'2'))]), Ok((2.0, String::new())));
    }

    #[test]
    fn a_long_key_is_not_searched_for_any_number_of_sets() {
        let key = "k".repeat(10_000);
        let text =
            |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let first = [&text("in1.weight")[..], b"q\x01", &tensor(b'1'), b"q\x02"].concat();
        let sets = [&b"}("[..], &first, b"u", &b"h\0}(h\x01h\x02u".repeat(1000)].concat();
        let file = [&b"\x80\x02}("[..], &text(&key), b"q\0", &sets, b"u."].concat();
        let budget = Budget::for_file(file.len());
        let pickle = pickle::run(&mut Input::new(&file), &budget).expect("a dict");
        let found = state_dict(&pickle, &budget, |_| Err(String::new()));
        let error = found.expect_err("costs too much").to_string();
        assert!(error.contains("takes more than"), "{error}");
    }

    #[test]
    fn only_what_is_used_is_assumed() {
        let inner = dict(&[("net", weights(b'1')), ("ema", weights(b'2'))]);
        let (number, assumed) = read(&[("model", inner.clone())]).expect("an average");
        assert_eq!(number, 2.0);
        assert!(assumed.ends_with("'ema' are to be used, not those under 'net'"), "{assumed}");
        for sets in [
            [("model", inner.clone()), ("g_ema", weights(b'3'))],
            [("g_ema", weights(b'3')), ("model", inner)],
        ] {
            let (number, assumed) = read(&sets).expect("an average");
            assert_eq!(number, 3.0);
            let expected = "weights under 'g_ema' are to be used, not those under 'model'";
            assert!(assumed.ends_with(expected), "{assumed}");
        }
    }
}
