//! The pages: each has its state, its controls and its files.

pub mod film;
pub mod lab;
pub mod live;
pub mod photo;
