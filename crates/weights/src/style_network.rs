//! Style networks, which take any style picture: the built-in one, and the user's own from safetensors and PyTorch
//! files.
//!
//! A file states its sizes in its metadata, as `tools/train_any.py` writes it. Otherwise it is a plain network, whose
//! sizes follow from the shapes of its weights. Weights are fp16, bf16, fp32, fp64, or 8 bits with a scale per output
//! channel.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use serde::Serialize;

use super::{
    Budget, Format, Result, StorageType, WeightsError,
    code::BUILT_IN_NETWORK,
    family::{STYLE_NETWORK_SIGNS, bare, is_style_network},
    fit::{NamedTensors, Places, check_shape, finite_values, keys, missing},
    format_of, named_tensors,
    names::stem,
    read_file,
    safetensors::file,
    tensor::{Dtype, Scaling, StoredTensor},
};
use network::models::{
    NamedShapes, Role, Spelling,
    vit::{NetworkId, Spec, Transformer},
};

/// The trained network, as `tools/any_net.py --pack` writes it.
static FILE: &[u8] = include_bytes!("../../../assets/any.safetensors");
/// Ends the names of the scales of a weight.
const SCALE: &str = ".scale";
/// The metadata key of a trained network's sizes.
const SPEC_KEY: &str = "network";

/// A network that takes a style picture.
#[derive(Clone, Debug)]
pub struct StyleNetwork {
    pub name: String,
    pub transformer: Arc<Transformer>,
}

/// The sizes of a style network, for users and scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StyleNetworkFacts {
    /// `nano`, `small`, `base` or `large`, if it has those sizes.
    pub plain: Option<&'static str>,
    /// Side of a token, in pixels.
    pub token_px: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Attention heads.
    pub heads: usize,
    /// Number of blocks before the style's statistics, after them, and for the style picture alone.
    pub blocks: [usize; 3],
    /// Channels of the feed-forward layers.
    pub ffn: usize,
}

impl StyleNetworkFacts {
    pub(super) fn of(spec: &Spec) -> Self {
        Self {
            plain: spec.plain_name(),
            token_px: spec.stride,
            dim: spec.dim,
            heads: spec.heads,
            blocks: [spec.encoder_blocks, spec.decoder_blocks, spec.style_blocks],
            ffn: spec.ffn,
        }
    }
}

impl StyleNetwork {
    /// The network built into the program.
    ///
    /// # Errors
    /// [`WeightsError`] only if the program was built with a damaged file.
    pub fn built_in() -> Result<Self> {
        static BUILT_IN: OnceLock<Result<Arc<Transformer>, String>> = OnceLock::new();
        let read = || {
            let whole = from_bytes(FILE, &Budget::for_file(FILE.len()))?;
            // Stored codes identify it by the hash of its file.
            let id = NetworkId::of(FILE.iter().map(|&byte| u32::from(byte)));
            Ok(Arc::new(whole.with_id(id)))
        };
        let transformer = BUILT_IN.get_or_init(read).clone();
        Ok(Self {
            name: BUILT_IN_NETWORK.to_owned(),
            transformer: transformer.map_err(WeightsError::Graph)?,
        })
    }

    /// Reads a network from a file. Its name is the file's name.
    ///
    /// # Errors
    /// [`WeightsError`] if the file cannot be read or is invalid.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_file(path)?;
        let transformer = from_bytes(&bytes, &Budget::for_file(bytes.len()))?;
        Ok(Self { name: stem(path), transformer: Arc::new(transformer) })
    }

    pub fn is_built_in(&self) -> bool {
        Self::built_in().is_ok_and(|own| own.transformer.id() == self.transformer.id())
    }
}

/// Reads a network from the bytes of a safetensors or PyTorch file.
///
/// # Errors
/// [`WeightsError`] names what is wrong with it.
pub fn from_bytes(bytes: &[u8], budget: &Budget) -> Result<Transformer> {
    if format_of(bytes)? == Format::Onnx {
        return Err(WeightsError::Graph(
            "networks for style pictures are read from safetensors and PyTorch files".to_owned(),
        ));
    }
    let (tensors, metadata) = named_tensors(bytes, budget)?;
    fitted(&tensors, &metadata, budget)
}

/// A safetensors file with the network in `bytes`. Returns `bytes` unchanged if they are such a file.
///
/// # Errors
/// [`WeightsError`] as [`from_bytes`].
pub(super) fn kept_file(bytes: Vec<u8>, transformer: &Transformer) -> Result<Vec<u8>> {
    if format_of(&bytes)? == Format::Safetensors {
        return Ok(bytes);
    }
    let (tensors, _) = named_tensors(&bytes, &Budget::for_file(bytes.len()))?;
    let half = Dtype::Float(StorageType::F16);
    let is_half = tensors.iter().all(|(_, tensor)| tensor.dtype() == half);
    let weights: Vec<_> = (transformer.spec().weights().into_iter())
        .filter_map(|(name, shape)| {
            let values = transformer.values(&name)?;
            Some((name, shape, values))
        })
        .collect();
    file::write_tensors(&weights, is_half, &BTreeMap::new())
}

/// The sizes of a network, from its metadata or the shapes of its weights.
pub(super) fn spec_of(
    tensors: &NamedTensors<'_>,
    metadata: &BTreeMap<String, String>,
    budget: &Budget,
) -> Result<Spec> {
    match metadata.get(SPEC_KEY) {
        Some(text) => Spec::from_json(text),
        None => {
            let places = Places::of(tensors, role_of, budget)?;
            if places.shape("stem.layers.0.conv.weight").is_some() {
                return Err(WeightsError::Graph(
                    "the number of heads of a network for style pictures with convolutions cannot be detected from its weights; use the safetensors file written by tools/train_any.py"
                        .to_owned(),
                ));
            }
            Spec::from_shapes(|name| places.shape(name))
        }
    }
    .map_err(refused)
}

/// The meaning of a style network's key.
fn role_of(key: &str) -> Role {
    Role::Weight(bare(key).to_owned(), Spelling::StyleForge)
}

/// The network with these weights. They must be all that it needs, and nothing else.
pub(super) fn fitted(
    tensors: &NamedTensors<'_>,
    metadata: &BTreeMap<String, String>,
    budget: &Budget,
) -> Result<Transformer> {
    if !is_style_network(keys(tensors)) {
        return Err(missing(STYLE_NETWORK_SIGNS));
    }
    let spec = spec_of(tensors, metadata, budget)?;
    let tensors = scaled(tensors, budget)?;
    let places = Places::of(&tensors, role_of, budget)?;
    let needed = spec.weights();
    places.check_keys(&needed, budget)?;
    let (values, _) = places.values(&needed, budget)?;
    Transformer::new(spec, values).map_err(refused)
}

/// The tensors, with weights of 8 bits multiplied by the scales of their output channels.
fn scaled<'a>(tensors: &NamedTensors<'a>, budget: &Budget) -> Result<NamedTensors<'a>> {
    let places = Places::of(tensors, role_of, budget)?;
    let is_8_bits = |tensor: &StoredTensor<'_>| tensor.dtype() == Dtype::Other("int8", 1);
    let mut made = NamedTensors::new();
    for (key, tensor) in tensors {
        let of_scales = bare(key).strip_suffix(SCALE).map(|name| places.tensor(name));
        if let Some(Ok(weight)) = of_scales
            && is_8_bits(weight)
        {
            continue;
        }
        budget.bytes(tensor.copied_bytes())?;
        let mut tensor = tensor.clone();
        if is_8_bits(&tensor) {
            let name = format!("{}{SCALE}", bare(key));
            let scales = places.tensor(&name)?;
            check_shape(&name, scales, tensor.shape().get(..1).unwrap_or_default())?;
            let scales = finite_values(&name, scales, budget)?;
            let run = (tensor.element_count() / scales.len().max(1)).max(1);
            tensor = tensor
                .scaled(Scaling { scales, zeros: vec![0.0], run })
                .ok_or_else(|| WeightsError::tensor(key, "is unreadable"))?;
        }
        budget.push(&mut made, (budget.text(key)?, tensor))?;
    }
    Ok(made)
}

pub(super) fn refused(error: impl ToString) -> WeightsError {
    WeightsError::Graph(error.to_string())
}
