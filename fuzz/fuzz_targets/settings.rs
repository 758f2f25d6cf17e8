//! Fuzzes [`styleforge_fuzz::settings`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::settings(bytes));
