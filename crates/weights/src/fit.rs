//! Fits named tensors into a network, exactly.
//!
//! A model recognises itself by names and shapes, and every key must belong to it. This module knows no file format and
//! no model.

use std::collections::{BTreeMap, HashMap, HashSet};

use itertools::Itertools;

use network::{
    Network,
    models::{Misfit, Model, NamedShapes, Recognised, Role, State, role_of, rrmina::Published},
};

use super::{
    Budget, Choice, CodeOf, Result, WeightsError,
    error::{KeyList, shortened},
    family::{Family, family_of, is_style_network},
    pixels::{ChannelOrder, PixelChoice, PixelFormat, with_levels},
    tensor::{StorageType, StoredTensor},
};

/// Tensors with their names, in the file's order. Names may repeat; the fit refuses them.
pub type NamedTensors<'a> = Vec<(String, StoredTensor<'a>)>;

/// Named tensors, and the texts that the file has next to them.
pub type TensorFile<'a> = (NamedTensors<'a>, BTreeMap<String, String>);

/// The names of tensors.
pub fn keys<'t>(tensors: &'t NamedTensors<'_>) -> impl Iterator<Item = &'t str> {
    tensors.iter().map(|(key, _)| key.as_str())
}

/// Removes the prefix that all names share if they are known names without it. Returns it.
pub fn strip_prefix(tensors: &mut NamedTensors<'_>, budget: &Budget) -> Result<Option<String>> {
    let is_known = |tensors: &NamedTensors<'_>, from: usize| {
        let keys = || tensors.iter().map(|(key, _)| &key[from..]);
        is_style_network(keys()) || family_of(keys()).is_some()
    };
    let Some((first, _)) = tensors.first() else {
        return Ok(None);
    };
    let mut shared = first.len();
    for (key, _) in &*tensors {
        budget.steps(3 * key.len())?;
        budget.bytes(2 * key.len())?;
        let pairs = first.bytes().zip(key.bytes());
        shared = shared.min(pairs.take_while(|(a, b)| a == b).count());
    }
    let end = first.as_bytes()[..shared].iter().rposition(|&byte| byte == b'.');
    let Some(length) = end.map(|dot| dot + 1) else {
        return Ok(None);
    };
    if is_known(tensors, 0) || !is_known(tensors, length) {
        return Ok(None);
    }
    let prefix = first[..length].to_owned();
    for (key, _) in tensors {
        key.drain(..length);
    }
    Ok(Some(prefix))
}

/// Adds what was assumed about a file to its texts.
pub fn assume(metadata: &mut BTreeMap<String, String>, what: String) {
    metadata
        .entry(ASSUMED.to_owned())
        .and_modify(|before| *before += &format!(", and {what}"))
        .or_insert(what);
}

/// A network read from a file.
#[derive(Debug)]
pub struct Fitted {
    pub family: Family,
    pub network: Network,
    pub storage: StorageType,
    /// What was detected or assumed about the network, for the metadata.
    pub facts: BTreeMap<String, String>,
    /// The style code, if the file is a style picture.
    pub code: Option<CodeOf>,
}

/// The family that the names belong to; `None` if they belong to no known one.
pub fn guess(tensors: &NamedTensors<'_>, budget: &Budget) -> Result<Option<Family>> {
    for key in keys(tensors) {
        budget.steps(key.len())?;
        budget.bytes(key.len())?;
    }
    Ok(family_of(keys(tensors)))
}

/// A weight of a file.
#[derive(Clone, Copy)]
struct Place<'t, 'a> {
    key: &'t str,
    tensor: &'t StoredTensor<'a>,
    /// Index of the tensor in the file.
    position: usize,
}

/// The weights among named tensors, by their published names.
pub struct Places<'t, 'a> {
    tensors: &'t NamedTensors<'a>,
    by_name: HashMap<String, Place<'t, 'a>>,
    role_of: fn(&str) -> Role,
    /// The first two keys of one weight.
    twice: Option<[&'t str; 2]>,
}

impl NamedShapes for Places<'_, '_> {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.by_name.get(name).map(|place| place.tensor.shape())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).map(|place| place.position)
    }
}

impl<'t, 'a> Places<'t, 'a> {
    /// The weights of a file. `role_of` returns the meaning of a key. If a weight occurs twice, the last one counts.
    pub fn of(
        tensors: &'t NamedTensors<'a>,
        role_of: fn(&str) -> Role,
        budget: &Budget,
    ) -> Result<Self> {
        let (mut by_name, mut twice) = (HashMap::new(), None);
        for (position, (key, tensor)) in tensors.iter().enumerate() {
            budget.steps(1)?;
            let Role::Weight(name, _) = role_of(key) else {
                continue;
            };
            budget.bytes(name.len())?;
            let place = Place { key, tensor, position };
            if let Some(first) = budget.insert(&mut by_name, name, place)? {
                twice.get_or_insert([first.key, key.as_str()]);
            }
        }
        Ok(Self { tensors, by_name, role_of, twice })
    }

    fn get(&self, name: &str) -> Result<Place<'t, 'a>> {
        self.by_name.get(name).copied().ok_or_else(|| missing([name]))
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Result<&'t StoredTensor<'a>> {
        Ok(self.get(name)?.tensor)
    }

    /// Refuses missing weights, weights that occur twice, and keys that are not part of the network.
    pub fn check_keys(&self, needed: &[(String, Vec<usize>)], budget: &Budget) -> Result<()> {
        if let Some([first, second]) = self.twice.map(|keys| keys.map(shortened)) {
            return Err(WeightsError::DuplicateKey { first, second });
        }
        let names = || needed.iter().map(|(name, _)| name.as_str());
        let missing: KeyList = names().filter(|name| !self.by_name.contains_key(*name)).collect();
        let names: HashSet<&str> = names().collect();
        let mut unexpected = KeyList::default();
        for (key, _) in self.tensors {
            budget.steps(1)?;
            match (self.role_of)(key) {
                Role::Weight(name, _) => {
                    budget.bytes(name.len())?;
                    if !names.contains(name.as_str()) {
                        unexpected.add(key);
                    }
                }
                Role::Stale => {}
                Role::Unknown => unexpected.add(key),
            }
        }
        if missing.is_empty() && unexpected.is_empty() {
            return Ok(());
        }
        Err(WeightsError::Keys { missing, unexpected })
    }

    /// The values of weights with these names and shapes, and the widest number type.
    pub fn values(
        &self,
        needed: &[(String, Vec<usize>)],
        budget: &Budget,
    ) -> Result<(State, StorageType)> {
        // Check shapes and types first, so that nothing is allocated for a file that does not fit.
        let mut storage = StorageType::F16;
        let mut total_bytes = 0usize;
        for (name, shape) in needed {
            let Place { key, tensor, .. } = self.get(name)?;
            check_shape(key, tensor, shape)?;
            let float = tensor.dtype().float();
            storage = storage.max(float.map_err(|problem| WeightsError::tensor(key, problem))?);
            total_bytes = total_bytes.saturating_add(tensor.size_bytes());
        }
        // Equal weights may share their bytes, but not many times over.
        let file_bytes = budget.file_bytes();
        if (total_bytes / 2) as u64 > file_bytes {
            return Err(WeightsError::Overlap { total_bytes, file_bytes });
        }
        let mut values = State::new();
        for (name, _) in needed {
            let Place { key, tensor, .. } = self.get(name)?;
            values.insert(name.clone(), finite_values(key, tensor, budget)?);
        }
        Ok((values, storage))
    }

    /// Why the weights fit no model, with the file's own keys.
    fn refused(&self, misfit: Misfit) -> WeightsError {
        match misfit {
            Misfit::Missing(name) => missing([name.as_str()]),
            Misfit::Shape { name, needed } => match self.get(&name) {
                Ok(place) => WeightsError::Shape {
                    key: shortened(place.key),
                    got: place.tensor.shape().to_vec(),
                    needed,
                },
                Err(error) => error,
            },
            other => other.into(),
        }
    }
}

/// An error about weights that a file lacks.
pub fn missing<'k>(names: impl IntoIterator<Item = &'k str>) -> WeightsError {
    WeightsError::Keys { missing: names.into_iter().collect(), unexpected: KeyList::default() }
}

/// Fits named tensors into the network that their names and shapes describe.
///
/// The weights together may take up to twice the file's size.
///
/// # Errors
/// [`WeightsError`] names the keys, the first wrong shape, type or value, or the wrong choice.
pub fn fit(tensors: &NamedTensors<'_>, choice: Choice, budget: &Budget) -> Result<Fitted> {
    if is_style_network(keys(tensors)) {
        return Err(WeightsError::StyleNetwork);
    }
    let family = guess(tensors, budget)?;
    let model = match family {
        Some(Family::Rrmina) => Model::Rrmina,
        Some(Family::Yakhyo) => Model::Yakhyo,
        _ => Model::Johnson,
    };
    let places = Places::of(tensors, role_of, budget)?;
    let recognised =
        model.recognise(&places, choice.network).map_err(|misfit| places.refused(misfit))?;
    let (network, storage) = filled(&recognised, &places, budget)?;
    let (network, published) = recognised.finished(network, choice.network)?;
    let own = PixelChoice {
        order: published.map(|_| ChannelOrder::Bgr),
        ..PixelChoice::from(PixelFormat::LEVELS)
    };
    let format =
        choice.pixels.or(own).completed().map_err(|known| WeightsError::PixelValues { known })?;
    let mut facts = BTreeMap::new();
    if format != PixelFormat::LEVELS {
        facts.extend(format.named());
    }
    if let Some(published) = published {
        facts.insert("network".to_owned(), published.to_string());
        if choice.network.is_none() && Published::ALIKE.contains(&published) {
            facts.insert(ASSUMED.to_owned(), assumed(published));
        }
    }
    Ok(Fitted {
        family: family.unwrap_or(Family::PytorchExamples),
        network: with_levels(network, format)?,
        storage,
        facts,
        code: None,
    })
}

/// The metadata key for what was assumed about a style.
pub const ASSUMED: &str = "assumed";

/// What was assumed about a file whose names fit several networks.
fn assumed(published: Published) -> String {
    let others = Published::ALIKE.into_iter().filter(|o| *o != published).join(" or ");
    format!(
        "that it is {published}; if its paintings look wrong, import it with --network {others}"
    )
}

/// The recognised network with its weights. They must be all that it needs, and nothing else.
///
/// # Errors
/// As [`fit`].
pub fn filled(
    recognised: &Recognised,
    places: &Places<'_, '_>,
    budget: &Budget,
) -> Result<(Network, StorageType)> {
    let needed: Vec<_> = recognised.weights().collect();
    places.check_keys(&needed, budget)?;
    if let Some(misfit) = &recognised.misfit {
        return Err(places.refused(misfit.clone()));
    }
    let (values, storage) = places.values(&needed, budget)?;
    Ok((recognised.network(values)?, storage))
}

pub fn check_shape(key: &str, tensor: &StoredTensor<'_>, needed: &[usize]) -> Result<()> {
    if tensor.shape() == needed {
        return Ok(());
    }
    Err(WeightsError::Shape {
        key: shortened(key),
        got: tensor.shape().to_vec(),
        needed: format!("{needed:?}"),
    })
}

/// All values of a weight.
pub fn values(key: &str, tensor: &StoredTensor<'_>, budget: &Budget) -> Result<Vec<f32>> {
    let count = tensor.element_count();
    budget.steps(2 * count)?;
    budget.items::<f32>(count)?;
    tensor.to_f32().map_err(|problem| WeightsError::tensor(key, problem))
}

/// Refuses a weight with values that are not allowed.
pub fn check_values(key: &str, values: &[f32], is_allowed: fn(f32) -> bool) -> Result<()> {
    match values.iter().position(|&value| !is_allowed(value)) {
        Some(position) => {
            Err(WeightsError::NotFinite { key: shortened(key), value: values[position], position })
        }
        None => Ok(()),
    }
}

/// All values of a weight, each of them finite.
pub fn finite_values(key: &str, tensor: &StoredTensor<'_>, budget: &Budget) -> Result<Vec<f32>> {
    let values = values(key, tensor, budget)?;
    check_values(key, &values, f32::is_finite)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::tensor::Dtype;
    use network::models::{self, johnson::NetworkSpec};

    fn tensors(spec: NetworkSpec) -> NamedTensors<'static> {
        let tensor = |shape: Vec<usize>| {
            let count: usize = shape.iter().product();
            let bytes: Vec<u8> = (0..count).flat_map(|_| 0.5f32.to_le_bytes()).collect();
            StoredTensor::contiguous(Dtype::Float(StorageType::F32), shape, Cow::Owned(bytes))
                .expect("right length")
        };
        let mut list = Vec::new();
        for (node, shape) in spec.graph().expect("valid").weight_shapes() {
            let module = models::module(node);
            list.push((format!("{module}.weight"), tensor(shape.weight)));
            list.push((format!("{module}.bias"), tensor(vec![shape.bias])));
        }
        list
    }

    fn small() -> NetworkSpec {
        NetworkSpec { blocks: 2, ..NetworkSpec::with_widths([2, 3, 4]) }
    }

    fn message(tensors: &NamedTensors<'_>) -> String {
        fit(tensors, Choice::default(), &Budget::for_file(usize::MAX))
            .expect_err("does not fit")
            .to_string()
    }

    #[test]
    fn a_whole_network_fits() {
        let fitted =
            fit(&tensors(small()), Choice::default(), &Budget::for_file(usize::MAX)).expect("fits");
        assert_eq!(fitted.network.graph(), &small().graph().expect("valid"));
        assert_eq!(fitted.storage, StorageType::F32);
    }

    #[test]
    fn missing_and_unexpected_keys_are_named() {
        let mut list = tensors(small());
        list.retain(|(key, _)| key != "res1.in2.bias");
        list[0].0 = "conv1.kernel".to_owned();
        let text = message(&list);
        assert!(text.contains("missing conv1.conv2d.weight, res1.in2.bias"), "{text}");
        assert!(text.contains("unexpected conv1.kernel"), "{text}");
    }

    #[test]
    fn a_gap_in_the_blocks_is_named() {
        let mut list = tensors(small());
        for (key, _) in &mut list {
            *key = key.replace("res2", "res3");
        }
        assert!(message(&list).contains("res2 is missing"));
        for (key, _) in &mut list {
            *key = key.replace("res3", "res40");
        }
        assert!(message(&list).contains("residual blocks is 40"));
    }

    #[test]
    fn two_spellings_of_one_weight_are_refused() {
        let mut list = tensors(small());
        list.push(("module.in1.weight".to_owned(), list[2].1.clone()));
        let text = message(&list);
        assert!(text.contains("in1.weight and module.in1.weight"), "{text}");
    }

    #[test]
    fn wrong_shapes_are_named() {
        let mut list = tensors(small());
        let wide = tensors(NetworkSpec::with_widths([2, 3, 8]));
        let at = list.iter().position(|(k, _)| k == "res2.in1.bias").expect("there");
        list[at].1 = wide[wide.iter().position(|(k, _)| k == "in3.bias").expect("there")].1.clone();
        let text = message(&list);
        assert!(text.contains("res2.in1.bias has shape [8]") && text.contains("[4]"), "{text}");
    }

    #[test]
    fn weights_larger_than_the_file_are_refused() {
        let text = fit(&tensors(small()), Choice::default(), &Budget::for_file(100))
            .expect_err("too small a file")
            .to_string();
        assert!(text.contains("overlap"), "{text}");
    }
}
