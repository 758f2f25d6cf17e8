//! Fuzzes the reader of safetensors files.

#![no_main]

use styleforge::weights::safetensors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = safetensors::read(bytes);
});
