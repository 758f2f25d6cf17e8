//! The names of the weights. This module knows no shape.

use crate::models::{
    Role, Spelling,
    key::{is_running, parts, plain_number, unwrapped},
};

/// Reads a key that Johnson's network does not know.
pub fn role_of(key: &str) -> Role {
    let Some(name) = unwrapped(key) else {
        return Role::Unknown;
    };
    let is_number = |text: &str| plain_number(text).is_some();
    let (module, part) = match parts(name)[..] {
        ["ConvBlock" | "DeconvBlock" | "DenseBlock", index, module, part] if is_number(index) => {
            (module, part)
        }
        ["ResidualBlock" | "DenseBlock", index, "conv1" | "conv2" | "conv3", module, part]
            if is_number(index) =>
        {
            (module, part)
        }
        ["C1" | "C2" | "C3" | "D1" | "D2" | "D3", module, part] => (module, part),
        _ => return Role::Unknown,
    };
    match (module, part) {
        ("conv_layer" | "conv_transpose" | "conv2d" | "norm_layer", "weight" | "bias") => {
            Role::Weight(name.to_owned(), Spelling::Rrmina)
        }
        ("norm_layer", part) if is_running(part) => Role::Stale,
        _ => Role::Unknown,
    }
}

/// The number of the block that a name belongs to.
pub fn block_number(blocks: &str, name: &str) -> Option<usize> {
    let rest = name.strip_prefix(blocks)?.strip_prefix('.')?;
    plain_number(rest.split('.').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_spelled() {
        for key in [
            "ConvBlock.0.conv_layer.weight",
            "ResidualBlock.4.conv2.norm_layer.bias",
            "DenseBlock.0.conv_layer.bias",
            "DenseBlock.3.conv3.conv_layer.weight",
            "DeconvBlock.2.conv_transpose.weight",
            "D1.conv2d.bias",
        ] {
            let weight = Role::Weight(key.to_owned(), Spelling::Rrmina);
            assert_eq!(role_of(key), weight, "{key}");
            assert_eq!(role_of(&format!("module.{key}")), weight, "{key}");
        }
        assert_eq!(role_of("ConvBlock.0.norm_layer.running_var"), Role::Stale);
        for key in [
            "ConvBlock.00.conv_layer.weight",
            "ConvBlock.0.conv_layer.weight.more",
            "ConvBlock.0.conv_layer",
            "ConvBlock.0.conv_layer.running_var",
            "ResidualBlock.0.conv4.conv_layer.weight",
            "C4.conv_layer.weight",
            "",
        ] {
            assert_eq!(role_of(key), Role::Unknown, "{key}");
        }
        assert_eq!(block_number("DenseBlock", "DenseBlock.12.x"), Some(12));
        assert_eq!(block_number("DenseBlock", "ConvBlock.12.x"), None);
    }
}
