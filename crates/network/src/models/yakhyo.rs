//! The network of yakhyo's fast-neural-style-transfer: Johnson's, except that its residual blocks add their input
//! twice.
//!
//! Input and output are RGB 0 to 255, the output clamped. Every convolution follows reflection padding of half its
//! kernel. Its state dicts name the last three convolutions `upsample_conv1` to `upsample_conv3`. An older version of
//! the same code, with `deconv1` to `deconv3`, adds the input once and is Johnson's network.

use super::{Role, Spelling, johnson::Form, key::unwrapped};

/// How it differs from Johnson's network.
pub const FORM: Form =
    Form { last: ["upsample_conv1", "upsample_conv2", "upsample_conv3"], adds_twice: true };

/// Reads a key that Johnson's network does not know.
pub fn role_of(key: &str) -> Role {
    let name = unwrapped(key).unwrap_or_default();
    let is_weight = (FORM.last.iter())
        .filter_map(|layer| name.strip_prefix(layer))
        .any(|rest| matches!(rest, ".conv2d.weight" | ".conv2d.bias"));
    if is_weight { Role::Weight(name.to_owned(), Spelling::Yakhyo) } else { Role::Unknown }
}
