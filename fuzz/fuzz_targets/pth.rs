//! Fuzzes the reader of PyTorch files, zip and older.

#![no_main]

use styleforge::weights::torch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = torch::read(bytes);
});
