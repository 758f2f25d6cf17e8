//! Fuzzes the reader of picture files.

#![no_main]

use styleforge::media::decode;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = decode::from_bytes("fuzzed", bytes);
});
