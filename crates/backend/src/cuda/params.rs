//! The parameter block of every kernel entry point, with the memory layout that CUDA expects.
//!
//! `kernels/params.rs` translates each block from the struct of the same name in `kernels/`. Pointers are addresses on
//! the device. Counts are as described in the kernel's header. Knows no driver. Any thread may use it.

// One of the blocks has an array that is too long for a derived default.
#![allow(clippy::derivable_impls)]

use std::{ffi::c_void, ptr::from_ref};

include!(concat!(env!("OUT_DIR"), "/params.rs"));
