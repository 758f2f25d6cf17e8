//! Fuzzes what is told of any checkpoint, good or bad.

#![no_main]

use styleforge::weights::describe_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = describe_bytes(bytes);
});
