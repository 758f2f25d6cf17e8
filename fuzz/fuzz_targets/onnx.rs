//! Fuzzes the reader of ONNX files.

#![no_main]

#[path = "../support/mod.rs"]
mod support;

use styleforge::weights::Checkpoint;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| support::reads(bytes, Checkpoint::from_bytes));
