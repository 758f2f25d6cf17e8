//! The format before PyTorch 1.6: five pickles in sequence, then the storages.
//!
//! The pickles are a magic number, a protocol, facts about the machine, the state dict, and the keys of the storages.
//! The storages' bytes follow in the order of the keys, each after its length.

use std::collections::HashMap;

use super::{
    super::{error::shortened, fit::Named, tensor::Dtype},
    BIG_ENDIAN, Budget, Contents, Result, WeightsError, broken, checked_storage, pickle,
    state_dict,
    values::{Object, Pickle, Value},
};

/// The first pickle's number, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The second pickle's number.
const PROTOCOL: i64 = 1001;

/// Names and tensors of the state dict.
pub fn parse<'a>(bytes: &'a [u8], budget: &Budget) -> Result<Named<'a>> {
    let mut stream = Stream { bytes, at: 0, budget };
    if !matches!(stream.pickle()?.root, Value::Long(number) if number == MAGIC) {
        return Err(broken(
            "it is a pickle that torch.save did not write; save a state_dict() with torch.save",
        ));
    }
    if !matches!(stream.pickle()?.root, Value::Int(PROTOCOL)) {
        return Err(broken("it has an unknown version of PyTorch's old format"));
    }
    if !little_endian(&stream.pickle()?) {
        return Err(broken(BIG_ENDIAN));
    }
    let weights = stream.pickle()?;
    let order = stream.pickle()?;
    let Some(Object::List(keys)) = order.object(order.root) else {
        return Err(broken("it has no list of storages"));
    };
    let storages = stream.storages(&weights, keys)?;
    let rest = bytes.len() - stream.at;
    if rest != 0 {
        return Err(broken(format!("{rest} bytes follow after the last storage")));
    }
    state_dict(&weights, budget, |storage| {
        let bytes = storages
            .get(storage.key)
            .ok_or_else(|| format!("needs the missing storage {}", shortened(storage.key)))?;
        checked_storage(storage, bytes)
    })
}

fn little_endian(facts: &Pickle<'_>) -> bool {
    let Some(Object::Dict(entries)) = facts.object(facts.root) else {
        return false;
    };
    entries.iter().any(|entry| matches!(entry, (Value::Text("little_endian"), Value::Bool(true))))
}

struct Stream<'a, 'b> {
    bytes: &'a [u8],
    at: usize,
    budget: &'b Budget,
}

impl<'a> Stream<'a, '_> {
    /// Runs the next pickle.
    fn pickle(&mut self) -> Result<Pickle<'a>> {
        let (pickle, length) = pickle::run(&self.bytes[self.at..], self.at, self.budget)?;
        self.at += length;
        Ok(pickle)
    }

    /// The bytes of all storages, in the order of `keys`.
    fn storages(&mut self, weights: &Pickle<'a>, keys: &[Value<'a>]) -> Result<Contents<'a, 'a>> {
        let mut dtypes: HashMap<&str, Dtype> = HashMap::new();
        for storage in weights.storages() {
            self.budget.steps(storage.key.len())?;
            self.budget.insert(&mut dtypes, storage.key, storage.dtype)?;
        }
        let mut contents = Contents::new();
        for key in keys {
            let Value::Text(key) = *key else {
                return Err(self.broken("a storage's key is not a string"));
            };
            self.budget.steps(key.len())?;
            let Some(dtype) = dtypes.get(key) else {
                return Err(self.broken("a storage belongs to no tensor"));
            };
            let data = self
                .take(8)
                .and_then(|length| {
                    let length = i64::from_le_bytes(*length.first_chunk()?);
                    let count = usize::try_from(length).ok()?;
                    self.take(count.checked_mul(dtype.size_bytes())?)
                })
                .ok_or_else(|| self.broken("a storage reaches past the end of the file"))?;
            if self.budget.insert(&mut contents, key, data)?.is_some() {
                return Err(self.broken("a storage is listed twice"));
            }
        }
        Ok(contents)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let part = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(part)
    }

    fn broken(&self, problem: &str) -> WeightsError {
        broken(format!("{problem} (byte {})", self.at))
    }
}
