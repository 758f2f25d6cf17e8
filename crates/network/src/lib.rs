//! A network as a graph of operations with trained values: how operations are fused, the known models, and how maps and
//! weights become bytes.
//!
//! It does not know files, devices and plans. It may use `values`.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod graph;
pub mod models;
mod network;
pub mod quantisation;

pub use network::*;
