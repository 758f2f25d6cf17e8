//! The families of checkpoints and how they spell the names of the same weights.
//!
//! All spellings are brought to the published one (`res1.conv1.conv2d.weight`). Knows no format and
//! no shape.

use std::fmt;

use serde::Serialize;

/// Who wrote a checkpoint: the code base whose names or graph it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Family {
    /// The fast neural style example of PyTorch, at any width and depth.
    #[serde(rename = "pytorch/examples")]
    PytorchExamples,
    /// StyleForge's own names.
    #[serde(rename = "StyleForge")]
    StyleForge,
    /// A style of StyleForge: safetensors with the published names and a title.
    #[serde(rename = "StyleForge style")]
    Style,
    /// An ONNX graph of the same network.
    #[serde(rename = "ONNX export")]
    OnnxExport,
    /// yakhyo's implementation, whose residual blocks add their input twice.
    #[serde(rename = "yakhyo")]
    Yakhyo,
    /// rrmina's implementation, with transposed convolutions and BGR.
    #[serde(rename = "rrmina")]
    Rrmina,
    /// Johnson's own Torch7 files.
    #[serde(rename = "jcjohnson")]
    Torch7,
    /// A program in TorchScript.
    #[serde(rename = "TorchScript")]
    TorchScript,
}

impl Family {
    /// The family's name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PytorchExamples => "pytorch/examples",
            Self::StyleForge => "StyleForge",
            Self::Style => "StyleForge style",
            Self::OnnxExport => "ONNX export",
            Self::Yakhyo => "yakhyo",
            Self::Rrmina => "rrmina",
            Self::Torch7 => "jcjohnson",
            Self::TorchScript => "TorchScript",
        }
    }

    /// Why this program does not run the family, and what to do; `None` for those it runs.
    pub const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::PytorchExamples | Self::StyleForge | Self::Style | Self::OnnxExport => None,
            Self::Yakhyo => Some(
                "its residual blocks add their input twice, so the same weights give another \
                 picture here; train the style with tools/train_style.py instead",
            ),
            Self::Rrmina => Some(
                "it upsamples with transposed convolutions, expects BGR and may end in \
                 tanh x 150; train the style with tools/train_style.py instead",
            ),
            Self::Torch7 => Some(
                "this is a Torch7 binary (.t7) of a network with other residual blocks; use a \
                 .pth, .onnx or .safetensors file of the pytorch/examples network",
            ),
            Self::TorchScript => Some(
                "a TorchScript archive holds a program, not only weights; save the model's \
                 state_dict() with torch.save instead",
            ),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a key stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A weight, by its published name, and the family that spells it so.
    Weight(String, Family),
    /// Running statistics of a norm, which the network does not use.
    Stale,
    /// Nothing known.
    Unknown,
}

/// Whether a key names a weight of this network in any spelling.
pub(super) fn is_weight(key: &str) -> bool {
    matches!(role_of(key), Role::Weight(..))
}

/// Longest key that may be a weight's, in bytes: some 50 without what wrappers put in front.
const MAX_KEY_BYTES: usize = 256;
/// Parts of the longest name: `residual_blocks.4.conv2.norm.running_mean`.
const MAX_PARTS: usize = 5;

/// Reads a key of any family that stores this network.
pub(super) fn role_of(key: &str) -> Role {
    // In a pickle, many entries may share one key, so that a long one is not gone through.
    if key.len() > MAX_KEY_BYTES {
        return Role::Unknown;
    }
    let mut rest = key;
    // What wrappers of torch.nn put in front; nested wrappers repeat it.
    while let Some(inner) = ["module.", "_orig_mod."]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))
    {
        rest = inner;
    }
    // Whatever has more parts keeps points in its last one and is no name of a weight.
    let mut parts = [""; MAX_PARTS];
    let mut count = 0;
    for (place, part) in parts.iter_mut().zip(rest.splitn(MAX_PARTS, '.')) {
        *place = part;
        count += 1;
    }
    let role = match &parts[..count] {
        ["residual_blocks", index, inner @ ..] => plain_number(index)
            .and_then(|index| block_role(index + 1, inner))
            .map(|role| match role {
                Role::Weight(name, _) => Role::Weight(name, Family::StyleForge),
                other => other,
            }),
        [first, inner @ ..] => match first.strip_prefix("res").and_then(plain_number) {
            Some(block) => block_role(block, inner),
            None => layer_role(first, inner),
        },
        [] => None,
    };
    role.unwrap_or(Role::Unknown)
}

/// A decimal number without sign or leading zeros, as the names spell it.
fn plain_number(text: &str) -> Option<usize> {
    let plain = text == "0" || !text.starts_with('0');
    (plain && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Parts of a residual block (counted from 1).
fn block_role(block: usize, inner: &[&str]) -> Option<Role> {
    if block == 0 {
        return None;
    }
    match inner {
        ["conv1", tail @ ..] => conv_role(&format!("res{block}.conv1"), tail)
            .or_else(|| nested_norm_role(&format!("res{block}.in1"), tail)),
        ["conv2", tail @ ..] => conv_role(&format!("res{block}.conv2"), tail)
            .or_else(|| nested_norm_role(&format!("res{block}.in2"), tail)),
        ["in1", tail] => norm_role(&format!("res{block}.in1"), tail, Family::PytorchExamples),
        ["in2", tail] => norm_role(&format!("res{block}.in2"), tail, Family::PytorchExamples),
        _ => None,
    }
}

/// Layers outside the residual blocks.
fn layer_role(layer: &str, inner: &[&str]) -> Option<Role> {
    let norm = match layer {
        "conv1" => "in1",
        "conv2" => "in2",
        "conv3" => "in3",
        "deconv1" => "in4",
        "deconv2" => "in5",
        "deconv3" => return conv_role(layer, inner),
        "in1" | "in2" | "in3" | "in4" | "in5" => {
            let [tail] = inner else { return None };
            return norm_role(layer, tail, Family::PytorchExamples);
        }
        _ => return None,
    };
    conv_role(layer, inner).or_else(|| nested_norm_role(norm, inner))
}

/// `conv2d` in the published names; `conv` or, behind a padding layer, `1` in StyleForge's.
fn conv_role(layer: &str, inner: &[&str]) -> Option<Role> {
    let [module, part @ ("weight" | "bias")] = inner else {
        return None;
    };
    let family = match *module {
        "conv2d" => Family::PytorchExamples,
        "conv" | "1" => Family::StyleForge,
        _ => return None,
    };
    Some(Role::Weight(format!("{layer}.conv2d.{part}"), family))
}

/// A norm inside its convolution's module, as StyleForge names it.
fn nested_norm_role(norm: &str, inner: &[&str]) -> Option<Role> {
    let ["norm", part] = inner else { return None };
    norm_role(norm, part, Family::StyleForge)
}

fn norm_role(norm: &str, part: &str, family: Family) -> Option<Role> {
    let (part, family) = match part {
        "weight" | "bias" => (part, family),
        "gamma" => ("weight", Family::StyleForge),
        "beta" => ("bias", Family::StyleForge),
        "running_mean" | "running_var" | "num_batches_tracked" => return Some(Role::Stale),
        _ => return None,
    };
    Some(Role::Weight(format!("{norm}.{part}"), family))
}

/// The family that these names belong to, runnable or not; `None` for names of something else.
pub(super) fn family_of<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Option<Family> {
    let any = |mark: &str| keys.clone().any(|key| key.contains(mark));
    if any("upsample_conv") {
        return Some(Family::Yakhyo);
    }
    if any("ConvBlock.") && (any("DeconvBlock.") || any("ResidualBlock.")) {
        return Some(Family::Rrmina);
    }
    let mut family = None;
    for key in keys.clone() {
        match role_of(key) {
            Role::Weight(_, Family::StyleForge) => return Some(Family::StyleForge),
            Role::Weight(..) => family = Some(Family::PytorchExamples),
            Role::Stale | Role::Unknown => {}
        }
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_mean_the_same_weight() {
        let published = |key: &str| match role_of(key) {
            Role::Weight(name, family) => (name, family),
            other => panic!("{key}: {other:?}"),
        };
        for (key, name) in [
            ("conv1.conv.weight", "conv1.conv2d.weight"),
            ("conv1.norm.gamma", "in1.weight"),
            ("conv3.norm.weight", "in3.weight"),
            ("deconv2.norm.beta", "in5.bias"),
            ("deconv3.1.bias", "deconv3.conv2d.bias"),
            (
                "residual_blocks.0.conv1.conv.weight",
                "res1.conv1.conv2d.weight",
            ),
            ("residual_blocks.4.conv2.norm.bias", "res5.in2.bias"),
        ] {
            assert_eq!(published(key), (name.to_owned(), Family::StyleForge));
        }
        let name = "module.module.res12.in2.bias";
        let expected = ("res12.in2.bias".to_owned(), Family::PytorchExamples);
        assert_eq!(published(name), expected);
        assert_eq!(role_of("module.in4.running_var"), Role::Stale);
        assert_eq!(
            role_of("residual_blocks.1.conv1.norm.running_mean"),
            Role::Stale
        );
        for key in [
            "res0.in1.weight",
            "res01.in1.weight",
            "in6.weight",
            "conv1.weight",
            "residual_blocks.0.conv1.conv.weight.more",
            "",
        ] {
            assert_eq!(role_of(key), Role::Unknown, "{key}");
        }
    }
}
