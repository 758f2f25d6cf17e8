//! Fuzzes the reader of any checkpoint, its format told by its bytes.

#![no_main]

use styleforge::weights::Checkpoint;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Checkpoint::from_bytes(bytes);
});
