//! Fuzzes [`styleforge_fuzz::pth`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::pth(bytes));
