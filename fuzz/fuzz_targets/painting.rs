//! Fuzzes [`styleforge_fuzz::painting`] with ONNX files that stay well formed.

#![no_main]

use styleforge_fuzz::onnx_files::{Draw, mutated};

libfuzzer_sys::fuzz_mutator!(|bytes: &mut [u8], length: usize, longest: usize, seed: u32| {
    let made = mutated(&bytes[..length], &mut Draw(seed.into()));
    let length = made.len().min(longest);
    bytes[..length].copy_from_slice(&made[..length]);
    length
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    styleforge_fuzz::painting(bytes);
});
