//! A network as a graph of operations with trained values: how operations are fused, the known models, and how maps and
//! weights become bytes.
//!
//! Knows no files, devices and plans. May use `values`.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod graph;
pub mod models;
mod network;
pub mod quantisation;

pub use network::*;
