//! The styles: their list, their order, the networks, mixes, those of the user.

pub mod card;
pub mod gallery;
pub mod mix;
pub mod networks;
pub mod order;
pub mod own;
pub mod reading;
pub mod source;
pub mod trials;
