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
    let read = Checkpoint::from_bytes(bytes);
    assert_eq!(facts.refused, read.err().map(|e| e.to_string()));
    let text = inspection_text(&facts);
    assert!(text.ends_with('\n'));
    assert!(json_text(&facts).is_ok());
});
