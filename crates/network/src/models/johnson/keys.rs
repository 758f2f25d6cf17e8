//! The names of the network's weights and their spellings in files.
//!
//! All spellings are converted to the published one (`res1.conv1.conv2d.weight`). This module knows no format and no
//! shape.

use crate::{
    graph::{Node, Op},
    models::{
        Role, Spelling,
        key::{is_running, parts, plain_number, unwrapped},
    },
};

/// The published name of a node's weights, without `.weight` and `.bias`: `conv1.conv2d`, `in1`.
pub fn module(node: &Node) -> String {
    match node.op {
        Op::Conv2d(_) => conv_module(&node.name),
        _ => node.name.clone(),
    }
}

/// As [`module`], for the convolution of this name.
pub fn conv_module(name: &str) -> String {
    format!("{name}.conv2d")
}

/// The number in the published name of a residual block's weight, from 1.
pub fn block_number(name: &str) -> Option<usize> {
    name.strip_prefix("res")?.split('.').next()?.parse().ok()
}

/// Reads a key in any spelling.
pub fn role_of(key: &str) -> Role {
    let Some(rest) = unwrapped(key) else {
        return Role::Unknown;
    };
    let parts = parts(rest);
    // In a residual block all names begin with the block's.
    let (block, inner, is_ours) = match &parts[..] {
        ["residual_blocks", index, inner @ ..] => match plain_number(index) {
            Some(index) => (format!("res{}.", index + 1), inner, true),
            None => return Role::Unknown,
        },
        [first, inner @ ..] => match first.strip_prefix("res").and_then(plain_number) {
            Some(block @ 1..) => (format!("res{block}."), inner, false),
            _ => (String::new(), &parts[..], false),
        },
        [] => return Role::Unknown,
    };
    match layer_role(&block, inner) {
        Some(Role::Weight(name, _)) if is_ours => Role::Weight(name, Spelling::StyleForge),
        role => role.unwrap_or(Role::Unknown),
    }
}

/// The role of a part of a layer. `block` is the prefix of a residual block's names, or empty.
fn layer_role(block: &str, inner: &[&str]) -> Option<Role> {
    let [layer, inner @ ..] = inner else { return None };
    let norm = match (*layer, block) {
        ("conv1", _) => Some("in1"),
        ("conv2", _) => Some("in2"),
        ("conv3", "") => Some("in3"),
        ("deconv1", "") => Some("in4"),
        ("deconv2", "") => Some("in5"),
        ("deconv3", "") => None,
        ("in1" | "in2", _) | ("in3" | "in4" | "in5", "") => {
            let [part] = inner else { return None };
            return norm_role(&format!("{block}{layer}"), part, Spelling::PytorchExamples);
        }
        _ => return None,
    };
    let conv = |part: &str, spelling| {
        Some(Role::Weight(format!("{block}{layer}.conv2d.{part}"), spelling))
    };
    match inner {
        ["conv2d", part @ ("weight" | "bias")] => conv(part, Spelling::PytorchExamples),
        // StyleForge's names; `1` comes after a padding layer.
        ["conv" | "1", part @ ("weight" | "bias")] => conv(part, Spelling::StyleForge),
        ["norm", part] => norm_role(&format!("{block}{}", norm?), part, Spelling::StyleForge),
        _ => None,
    }
}

fn norm_role(norm: &str, part: &str, family: Spelling) -> Option<Role> {
    let (part, family) = match part {
        "weight" | "bias" => (part, family),
        "gamma" => ("weight", Spelling::StyleForge),
        "beta" => ("bias", Spelling::StyleForge),
        part if is_running(part) => return Some(Role::Stale),
        _ => return None,
    };
    Some(Role::Weight(format!("{norm}.{part}"), family))
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
            ("residual_blocks.0.conv1.conv.weight", "res1.conv1.conv2d.weight"),
            ("residual_blocks.4.conv2.norm.bias", "res5.in2.bias"),
        ] {
            assert_eq!(published(key), (name.to_owned(), Spelling::StyleForge));
        }
        let name = "module.module.res12.in2.bias";
        let expected = ("res12.in2.bias".to_owned(), Spelling::PytorchExamples);
        assert_eq!(published(name), expected);
        assert_eq!(role_of("module.in4.running_var"), Role::Stale);
        assert_eq!(role_of("residual_blocks.1.conv1.norm.running_mean"), Role::Stale);
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
