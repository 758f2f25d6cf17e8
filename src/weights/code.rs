//! What is kept of a style picture.

use std::{
    collections::BTreeMap,
    fmt::{Display, Formatter},
};

use super::error::shortened;
use crate::models::vit::StyleCode;

/// What the built-in network is called.
pub const BUILT_IN_NETWORK: &str = "any";
/// The key of the metadata under which the hash of the network stands that a code belongs to.
pub(super) const CODE_KEY: &str = "styleforge.style_code";
/// The key under which that network's name stands, where it is the person's own.
pub(super) const NETWORK_KEY: &str = "styleforge.style_network";

/// A style picture's code and the network that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeOf {
    /// What the network made of the picture.
    pub code: StyleCode,
    /// What the network is called.
    pub network: String,
}

/// The network that made a code, as the code's file says. Codes of one network can be mixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBy {
    /// What the network is called.
    pub network: String,
    /// Its hash, which tells it from others of that name.
    pub id: String,
}

impl MadeBy {
    /// What the metadata of a file say; `None` where it holds no code.
    pub(super) fn stated(metadata: &BTreeMap<String, String>) -> Option<Self> {
        let name = metadata.get(NETWORK_KEY);
        Some(Self {
            network: name.map_or(BUILT_IN_NETWORK, String::as_str).to_owned(),
            id: metadata.get(CODE_KEY)?.clone(),
        })
    }

    /// Whether it is the one inside the program, of this version or another.
    pub fn is_built_in(&self) -> bool {
        self.network == BUILT_IN_NETWORK
    }

    /// Whether codes of the two can be mixed.
    pub fn is_same_network(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Display for MadeBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.is_built_in() {
            true => f.write_str("the built-in network"),
            false => write!(f, "the network {}", shortened(&self.network)),
        }
    }
}
