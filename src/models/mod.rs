//! The networks that this program knows, each as a builder of graphs.

pub mod johnson;
