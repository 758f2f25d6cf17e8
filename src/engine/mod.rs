//! From a photo and a style's network to a painting: the job that both surfaces drive.
//!
//! Knows no window, no arguments and no file format.

pub mod paint;
