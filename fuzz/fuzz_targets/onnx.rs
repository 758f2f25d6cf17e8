//! Fuzzes the reader of ONNX files.

#![no_main]

use styleforge::weights::onnx;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = onnx::read(bytes);
});
