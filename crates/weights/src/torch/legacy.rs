//! The format before PyTorch 1.6: five pickles in sequence, then the storages.
//!
//! The pickles are a magic number, a protocol, facts about the machine, the state dict, and the keys of the storages.
//! The storages' bytes follow in the order of the keys, each after its length.

use std::collections::HashMap;

use super::{
    super::{error::shortened, fit::TensorFile, tensor::Dtype},
    BIG_ENDIAN, Budget, Contents, Input, Result, broken, checked_storage, pickle, state_dict,
    values::{Object, Pickle, Value},
};

/// The first pickle's number, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// The second pickle's number.
const PROTOCOL: i64 = 1001;

/// Names and tensors of the state dict.
pub fn parse<'a>(bytes: &'a [u8], budget: &Budget) -> Result<TensorFile<'a>> {
    let mut input = Input::new(bytes);
    let mut next = || pickle::run(&mut input, budget);
    if !matches!(next()?.root, Value::Long(number) if number == MAGIC) {
        return Err(broken(
            "it is a pickle that torch.save did not write; save a state_dict() with torch.save",
        ));
    }
    if !matches!(next()?.root, Value::Int(PROTOCOL)) {
        return Err(broken("it has an unknown version of PyTorch's old format"));
    }
    if !little_endian(&next()?) {
        return Err(broken(BIG_ENDIAN));
    }
    let (weights, order) = (next()?, next()?);
    let Some(Object::List(keys)) = order.object(order.root) else {
        return Err(broken("it has no list of storages"));
    };
    let storages = storages(&mut input, &weights, keys, budget)?;
    let rest = input.left_bytes();
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

/// The bytes of all storages, in the order of `keys`.
fn storages<'a>(
    input: &mut Input<'a>,
    weights: &Pickle<'a>,
    keys: &[Value<'a>],
    budget: &Budget,
) -> Result<Contents<'a, 'a>> {
    let mut dtypes: HashMap<&str, Dtype> = HashMap::new();
    for storage in weights.storages() {
        budget.steps(storage.key.len())?;
        budget.insert(&mut dtypes, storage.key, storage.dtype)?;
    }
    let mut contents = Contents::new();
    for key in keys {
        let at = input.at();
        let broken = |problem: &str| broken(format!("{problem} (byte {at})"));
        let Value::Text(key) = *key else {
            return Err(broken("a storage's key is not a string"));
        };
        budget.steps(key.len())?;
        let Some(dtype) = dtypes.get(key) else {
            return Err(broken("a storage belongs to no tensor"));
        };
        let data = (input.number(8).ok())
            .and_then(|count| count.checked_mul(dtype.size_bytes()))
            .and_then(|size_bytes| input.take(size_bytes).ok())
            .ok_or_else(|| broken("a storage reaches past the end of the file"))?;
        if budget.insert(&mut contents, key, data)?.is_some() {
            return Err(broken("a storage is listed twice"));
        }
    }
    Ok(contents)
}
