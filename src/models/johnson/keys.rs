//! The names of the network's weights and their spellings in files.
//!
//! All spellings are converted to the published one (`res1.conv1.conv2d.weight`). This module knows no format and no
//! shape.

use crate::{
    graph::{Node, Op},
    models::{
        Role, Spelling,
        key::{is_running, plain_number, unwrapped},
    },
};

use super::NetworkSpec;

/// The published name of a node's weights, without `.weight` and `.bias`: `conv1.conv2d`, `in1`.
pub fn module(node: &Node) -> String {
    match node.op {
        Op::Conv2d(_) => conv_module(&node.name),
        _ => node.name.clone(),
    }
}

/// As [`module`], for the convolution of this name.
pub(super) fn conv_module(name: &str) -> String {
    format!("{name}.conv2d")
}

/// Published names of all weights of a network with `blocks` residual blocks, in layer order.
pub fn of_network(blocks: usize) -> Vec<String> {
    let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths([1; 3]) };
    let graph = spec.graph().unwrap_or_default();
    let names = graph.weight_shapes().flat_map(|(node, _)| {
        let module = module(node);
        [format!("{module}.weight"), format!("{module}.bias")]
    });
    names.collect()
}

/// The number in the published name of a residual block's weight, from 1.
pub fn block_number(name: &str) -> Option<usize> {
    name.strip_prefix("res")?.split('.').next()?.parse().ok()
}

/// Parts of the longest name: `residual_blocks.4.conv2.norm.running_mean`.
const MAX_PARTS: usize = 5;

/// Reads a key in any spelling.
pub fn role_of(key: &str) -> Role {
    let Some(rest) = unwrapped(key) else {
        return Role::Unknown;
    };
    // The last part keeps the dots of a name with more parts, so such a name matches no weight.
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
                Role::Weight(name, _) => Role::Weight(name, Spelling::StyleForge),
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

/// The role of a part of a residual block (counted from 1).
fn block_role(block: usize, inner: &[&str]) -> Option<Role> {
    if block == 0 {
        return None;
    }
    match inner {
        ["conv1", tail @ ..] => conv_role(&format!("res{block}.conv1"), tail)
            .or_else(|| nested_norm_role(&format!("res{block}.in1"), tail)),
        ["conv2", tail @ ..] => conv_role(&format!("res{block}.conv2"), tail)
            .or_else(|| nested_norm_role(&format!("res{block}.in2"), tail)),
        ["in1", tail] => norm_role(&format!("res{block}.in1"), tail, Spelling::PytorchExamples),
        ["in2", tail] => norm_role(&format!("res{block}.in2"), tail, Spelling::PytorchExamples),
        _ => None,
    }
}

/// The role of a part of a layer outside the residual blocks.
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
            return norm_role(layer, tail, Spelling::PytorchExamples);
        }
        _ => return None,
    };
    conv_role(layer, inner).or_else(|| nested_norm_role(norm, inner))
}

/// `conv2d` in the published names. In StyleForge's, `conv`, or `1` after a padding layer.
fn conv_role(layer: &str, inner: &[&str]) -> Option<Role> {
    let [module, part @ ("weight" | "bias")] = inner else {
        return None;
    };
    let family = match *module {
        "conv2d" => Spelling::PytorchExamples,
        "conv" | "1" => Spelling::StyleForge,
        _ => return None,
    };
    Some(Role::Weight(format!("{layer}.conv2d.{part}"), family))
}

/// A norm inside its convolution's module, as in StyleForge's names.
fn nested_norm_role(norm: &str, inner: &[&str]) -> Option<Role> {
    let ["norm", part] = inner else { return None };
    norm_role(norm, part, Spelling::StyleForge)
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
