//! The families of checkpoints, which are recognised by the names of their weights. This module knows no format and no
//! shape.

use serde::{Serialize, Serializer};

use network::models::{Model, Spelling, unwrapped};
use values::named;

/// The origin of a checkpoint: the code base whose names or graph it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// The fast neural style example of PyTorch, at any width and depth.
    PytorchExamples,
    /// StyleForge's own names.
    StyleForge,
    /// A style of StyleForge: safetensors with the published names and a title.
    Style,
    /// An ONNX graph of the same network.
    OnnxExport,
    /// Any other network of supported operations that makes a picture from a picture.
    PictureNetwork,
    /// The code that a style network made from a style picture.
    AnyPicture,
    /// A network that paints in the style of any picture.
    StyleNetwork,
    /// yakhyo's implementation, whose residual blocks add their input twice.
    Yakhyo,
    /// rrmina's networks, with transposed convolutions and BGR.
    Rrmina,
    /// Johnson's own Torch7 files.
    Torch7,
    TorchScript,
}

impl Family {
    /// Why this program does not run the family, and what to do; empty for those it runs.
    pub(super) const fn refusal(self) -> &'static str {
        match self {
            Self::Torch7 => {
                "this is a Torch7 binary (.t7) of a network with other residual blocks; use a \
                 .pth, .onnx or .safetensors file of the pytorch/examples network"
            }
            Self::TorchScript => {
                "a TorchScript archive contains a program, not only weights; save the model's state_dict() with torch.save instead"
            }
            _ => "",
        }
    }
}

named!(
    Family,
    "family",
    PytorchExamples = "pytorch/examples",
    StyleForge = "StyleForge",
    Style = "StyleForge style",
    OnnxExport = "ONNX export",
    PictureNetwork = "picture network",
    AnyPicture = "style picture",
    StyleNetwork = "network for style pictures",
    Yakhyo = "yakhyo",
    Rrmina = "rrmina",
    Torch7 = "jcjohnson",
    TorchScript = "TorchScript"
);

impl Serialize for Family {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Weights that only style networks have.
pub(super) const STYLE_NETWORK_SIGNS: [&str; 2] =
    ["style_norm.weight", "encoder.0.attention.qkv.weight"];

/// A key of a style network without the prefixes of PyTorch's wrappers.
pub(super) fn bare(key: &str) -> &str {
    unwrapped(key).unwrap_or(key)
}

/// True if these names contain a weight that only style networks have.
pub(super) fn is_style_network<'k>(mut keys: impl Iterator<Item = &'k str>) -> bool {
    keys.any(|key| STYLE_NETWORK_SIGNS.contains(&bare(key)))
}

/// The family that these names belong to; `None` if they belong to no known one.
pub(super) fn family_of<'k>(keys: impl Iterator<Item = &'k str>) -> Option<Family> {
    Some(match Model::of(keys)? {
        (Model::Rrmina, _) => Family::Rrmina,
        (Model::Yakhyo, _) => Family::Yakhyo,
        (Model::Johnson, Spelling::StyleForge) => Family::StyleForge,
        (Model::Johnson, _) => Family::PytorchExamples,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_do_not_hide_a_style_network() {
        for key in
            ["style_norm.weight", "module.style_norm.weight", "_orig_mod.module.style_norm.weight"]
        {
            assert!(is_style_network([key].into_iter()), "{key}");
        }
        assert!(!is_style_network(["other.style_norm.weight"].into_iter()));
    }
}
