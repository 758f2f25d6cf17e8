//! The stored code of a style picture.

use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter},
};

use super::error::shortened;
use network::models::vit::StyleCode;

/// The name of the built-in network.
pub const BUILT_IN_NETWORK: &str = "any";
/// The metadata key for the hash of the network that a code belongs to.
pub(super) const CODE_KEY: &str = "styleforge.style_code";
/// The metadata key for that network's name, if it is the user's own.
pub(super) const NETWORK_KEY: &str = "styleforge.style_network";

/// A style picture's code and the name of the network that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeOf {
    pub code: StyleCode,
    pub network: String,
}

/// The network that made a code, as the code's file says. Codes of one network can be mixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBy {
    /// The network's name.
    pub network: String,
    /// The network's hash, which distinguishes it from others of that name.
    pub id: String,
}

impl MadeBy {
    /// What a file's metadata say; `None` if the file contains no code.
    pub(super) fn stated(metadata: &BTreeMap<String, String>) -> Option<Self> {
        let name = metadata.get(NETWORK_KEY);
        Some(Self {
            network: name.map_or(BUILT_IN_NETWORK, String::as_str).to_owned(),
            id: metadata.get(CODE_KEY)?.clone(),
        })
    }

    /// True if it is the built-in network, of this version or another.
    pub fn is_built_in(&self) -> bool {
        self.network == BUILT_IN_NETWORK
    }

    /// True if codes of these two can be mixed.
    pub fn is_same_network(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Display for MadeBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if self.is_built_in() {
            f.write_str("the built-in network")
        } else {
            write!(f, "the network {}", shortened(&self.network))
        }
    }
}
