//! Fuzzes [`styleforge_fuzz::pixels`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::pixels(bytes));
