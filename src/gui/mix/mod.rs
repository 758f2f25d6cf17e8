//! Mixes of styles that were made of pictures: the chosen one and up to three others, by weights.
//!
//! A mix is one of the codes, so no picture is looked at again, but its network is another one. Codes of different
//! networks are numbers that have nothing to do with each other: only pictures that one network has seen are mixed.
//! While a slider is dragged one network is made at a time, and the newest weights follow once it is painted: for a
//! photo with its draft, live with its session.

mod codes;
mod controls;
mod flow;
mod networks;
mod parts;
mod tile;

pub use codes::{LastNetwork, MixedCodes, why_not_mixed};
pub use controls::ui;
pub use networks::MixedNetworks;
pub use parts::{Mix, Parts, in_words, label};
pub use tile::UnkeptMix;
