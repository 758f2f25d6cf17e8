//! Fuzzes what `styleforge inspect` prints of any checkpoint, good or bad.

#![no_main]

#[path = "../support/mod.rs"]
mod support;

use styleforge::{
    cli::{inspection_text, json_text},
    weights::{Checkpoint, describe_bytes},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let facts = support::within_memory(bytes.len(), || describe_bytes(bytes));
    facts
        .refused
        .iter()
        .for_each(|reason| support::is_short(reason));
    // Of several reasons, either may be met first.
    assert_eq!(
        facts.refused.is_some(),
        Checkpoint::from_bytes(bytes).is_err()
    );
    assert!(!inspection_text(&facts).is_empty());
    assert!(json_text(&facts).is_ok());
});
