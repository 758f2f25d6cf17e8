//! Mixes of picture styles: the chosen one and up to three others, by weights.
//!
//! A mix combines the codes of its styles, so the pictures are not encoded again, but the mix needs its own painting
//! network. Codes of different networks are unrelated, so only pictures encoded by the same network can be mixed. While
//! a slider is dragged, one network is made at a time. The newest weights follow when that network has painted: for a
//! photo its draft, in live mode when its session is ready.

mod codes;
mod controls;
mod flow;
mod parts;
mod tile;

pub use codes::{LastNetwork, MixedCodes, why_not_mixed};
pub use controls::ui;
pub use parts::{Mix, Parts, label, text};
pub use tile::UnkeptMix;
